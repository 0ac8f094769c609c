//! What was handed on, for whoever knows what to do with it.

use super::Item;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the image before this one has handed on, and is not taken yet. Clones share it: each part of a program takes its
/// own.
///
/// It is also where everything goes back to when a restart fails: then the same image goes on with what it had.
#[derive(Clone, Default)]
pub struct Inherited(Arc<Mutex<Vec<Item>>>);

impl Inherited {
    /// Nothing was handed on.
    #[must_use]
    pub fn nothing() -> Inherited {
        Inherited::default()
    }

    pub(super) fn of(items: Vec<Item>) -> Inherited {
        Inherited(Arc::new(Mutex::new(items)))
    }

    /// Takes this one.
    #[must_use]
    pub fn take(&self, kind: &str, name: &str) -> Option<Item> {
        let mut items = self.items();
        let place = items.iter().position(|item| item.kind() == kind && item.name() == name)?;
        Some(items.remove(place))
    }

    /// Takes all of this kind, in their order.
    #[must_use]
    pub fn take_all(&self, kind: &str) -> Vec<Item> {
        self.items().extract_if(.., |item| item.kind() == kind).collect()
    }

    /// Puts items in, which somebody else may take.
    pub fn put(&self, items: impl IntoIterator<Item = Item>) {
        self.items().extend(items);
    }

    /// Kinds and names of what nobody has taken.
    #[must_use]
    pub fn left(&self) -> Vec<(String, String)> {
        self.items().iter().map(|item| (item.kind().to_owned(), item.name().to_owned())).collect()
    }

    /// Takes what nobody has taken. Dropping it closes it.
    #[must_use]
    pub fn take_everything(&self) -> Vec<Item> {
        std::mem::take(&mut *self.items())
    }

    fn items(&self) -> MutexGuard<'_, Vec<Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // a list is whole after each change
    }
}

impl fmt::Debug for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.left()).finish()
    }
}
