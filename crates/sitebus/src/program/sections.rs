//! Sections that a program of the user's own adds to the site file.

use crate::site::{Report, Section, SiteFile};
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
pub(crate) type Offer = Box<dyn Fn(&SiteFile, &Graceful) -> Result<(), Report> + Send + Sync>;

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
        let again = name.clone();
        let once = move |bus: &Handle, file: &SiteFile| {
            let section = file.section::<T>(&name)?;
            subscribe(bus, section.map(crate::site::Spanned::into_inner))
        };
        let offer = move |file: &SiteFile, reload: &Graceful| {
            if let Some(section) = file.section::<T>(&again)? {
                reload.offer(section.into_inner());
            }
            Ok(())
        };
        (Box::new(once), Box::new(offer))
    }
}
