//! Sections that a program of the user's own adds to the site file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{anyhow, bail};

use crate::site::{Section, SiteFile, Spanned};
use crate::{Graceful, Handle};

/// Subscribes a plugin that has no section.
pub(crate) type Attach = Box<dyn FnOnce(&Handle) -> anyhow::Result<()>>;

/// A section whose type only its owner knows.
pub(crate) trait Joined {
    /// Splits into what happens once, and what happens at every reload.
    fn split(self: Box<Self>) -> (Subscribe, Offer);
}

type Subscribe = Box<dyn FnOnce(&Handle, &SiteFile) -> anyhow::Result<()>>;

/// Reads the section again and offers it to the plugin by its type.
pub(crate) type Offer = Box<dyn Fn(&SiteFile, &Graceful) -> anyhow::Result<()> + Send + Sync>;

pub(crate) fn join<T: Section + Send + Sync>(
    name: String,
    subscribe: impl FnOnce(&Handle, Option<T>) -> anyhow::Result<()> + 'static,
) -> Box<dyn Joined> {
    Box::new(OfType { name, subscribe, section: std::marker::PhantomData })
}

struct OfType<T, S> {
    name: String,
    subscribe: S,
    section: std::marker::PhantomData<fn() -> T>,
}

impl<T, S> Joined for OfType<T, S>
where
    T: Section + Send + Sync,
    S: FnOnce(&Handle, Option<T>) -> anyhow::Result<()> + 'static,
{
    fn split(self: Box<Self>) -> (Subscribe, Offer) {
        let OfType { name, subscribe, .. } = *self;
        let (again, given) = (name.clone(), Arc::new(AtomicBool::new(false)));
        let was_given = Arc::clone(&given);
        let once = move |bus: &Handle, file: &SiteFile| {
            let section = file.section::<T>(&name)?;
            given.store(section.is_some(), Ordering::Relaxed);
            subscribe(bus, section.map(Spanned::into_inner))
        };
        let offer = move |file: &SiteFile, reload: &Graceful| {
            match file.section::<T>(&again).map_err(|report| anyhow!("\n{report}"))? {
                Some(section) => reload.offer(section.into_inner()),
                // The plugin would find nothing new, and go on with what is no longer there.
                None if was_given.load(Ordering::Relaxed) => {
                    bail!("the section [{again}] cannot be removed while the site runs; restart it")
                }
                None => {}
            }
            Ok(())
        };
        (Box::new(once), Box::new(offer))
    }
}
