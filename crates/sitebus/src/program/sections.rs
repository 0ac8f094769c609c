//! Sections that a program of the user's own adds to the site file.

use std::marker::PhantomData;

use anyhow::{anyhow, bail};

use crate::site::{Section, SiteFile, Spanned};
use crate::{Graceful, Handle};

/// Subscribes a plugin that has no section.
pub(crate) type Attach = Box<dyn Fn(&Handle) -> anyhow::Result<()>>;

/// Reads a section again and offers it to its plugin by its type.
pub(crate) type Offer = Box<dyn Fn(&SiteFile, &Graceful) -> anyhow::Result<()> + Send + Sync>;

/// A section whose type only its owner knows.
pub(crate) trait Joined {
    /// Subscribes its plugin, and returns what happens at every reload.
    fn subscribe(&self, bus: &Handle, file: &SiteFile) -> anyhow::Result<Offer>;
}

pub(crate) fn join<T: Section + Send + Sync>(
    name: String,
    subscribe: impl Fn(&Handle, Option<T>) -> anyhow::Result<()> + 'static,
) -> Box<dyn Joined> {
    Box::new(OfType { name, subscribe, section: PhantomData })
}

struct OfType<T, S> {
    name: String,
    subscribe: S,
    section: PhantomData<fn() -> T>,
}

impl<T, S> Joined for OfType<T, S>
where
    T: Section + Send + Sync,
    S: Fn(&Handle, Option<T>) -> anyhow::Result<()> + 'static,
{
    fn subscribe(&self, bus: &Handle, file: &SiteFile) -> anyhow::Result<Offer> {
        let section = file.section::<T>(&self.name)?;
        let (name, was_there) = (self.name.clone(), section.is_some());
        (self.subscribe)(bus, section.map(Spanned::into_inner))?;
        Ok(Box::new(move |file, reload| {
            match file.section::<T>(&name).map_err(|report| anyhow!("\n{report}"))? {
                Some(section) => reload.offer(section.into_inner()),
                // The plugin would find nothing new, and go on with what is no longer there.
                None if was_there => {
                    bail!("the section [{name}] cannot be removed while the site runs; restart it")
                }
                None => {}
            }
            Ok(())
        }))
    }
}
