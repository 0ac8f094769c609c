//! Where the listeners of a server come from, and where they go: bound or inherited, closed, kept or handed on.

use std::sync::Arc;
use std::time::Instant;

use crate::life::Life;
use sitebus_bus::{Exiting, Level};
use sitebus_serve::{Address, BindError, Door, Listener};

impl Life {
    pub(crate) fn open_all<'a>(
        &self,
        addresses: impl Iterator<Item = &'a Address>,
    ) -> Result<Vec<Listener>, BindError> {
        let mut listeners = Vec::new();
        for address in addresses {
            match self.open_one(address) {
                Ok(opened) => listeners.extend(opened),
                Err(error) => {
                    self.keep(listeners.into_iter().filter(Listener::is_given));
                    return Err(error);
                }
            }
        }
        Ok(listeners)
    }

    fn open_one(&self, address: &Address) -> Result<Vec<Listener>, BindError> {
        let name = self.plugin.name();
        let listeners = Listener::inherit(name, address, &[&self.kept, &self.inherited])?;
        if listeners.is_empty() {
            let earlier = self.found.lock().get(address).cloned();
            if let Some(Ok(listener)) = earlier.map(|earlier| Listener::bind(name, &earlier)) {
                return Ok(vec![listener.asked_as(address.clone())]);
            }
            return self.bind(address).map(|listener| vec![listener]);
        }
        listeners.iter().for_each(|listener| self.note(listener));
        Ok(listeners)
    }

    fn bind(&self, address: &Address) -> Result<Listener, BindError> {
        let name = self.plugin.name();
        let listener = Listener::bind(name, address).or_else(|error| {
            let overlaps = matches!(error, BindError::InUse { .. })
                && Listener::make_way(address, &[&self.kept, &self.inherited]);
            if overlaps { Listener::bind(name, address) } else { Err(error) }
        })?;
        self.note(&listener);
        Ok(listener)
    }

    fn note(&self, listener: &Listener) {
        if listener.asked().tcp().is_some_and(|ip| ip.port() == 0) {
            self.found.lock().insert(listener.asked().clone(), listener.address().clone());
        }
    }

    /// For the next start, a later reload, or the next image.
    pub(crate) fn keep(&self, listeners: impl Iterator<Item = Listener>) {
        self.kept.put(listeners.map(Listener::into_item));
    }

    /// No door accepts any more, and the listeners of the first ones stay open. Each is waited for until then.
    pub(crate) fn close(
        &self,
        kept: Vec<Arc<Door>>,
        closed: Vec<Arc<Door>>,
        until: impl Fn(&Door) -> Instant,
    ) {
        kept.iter().for_each(|door| door.keep());
        closed.iter().for_each(|door| door.close());
        for door in kept {
            match door.take_kept(until(&door)) {
                Some(listener) => self.keep(std::iter::once(listener)),
                None => {
                    let said = format!(
                        "{}: the listener could not be kept, since its runtime did not let go of it in time",
                        door.address()
                    );
                    self.plugin.log(Level::Error, said);
                }
            }
        }
        for door in closed {
            let _ = door.wait_closed(until(&door)); // what does not close by then still will, only later
        }
    }

    /// What a restart has kept goes to the next image. If it is none after all, nobody is to be left waiting.
    pub(crate) fn leave(&self, exiting: &Exiting) {
        if !exiting.exit().is_restart() {
            return drop(Listener::left(&self.kept));
        }
        // A start that was interrupted has not come to take what it would have taken.
        let (name, listen) = (self.plugin.name(), self.settings.lock().listen.clone());
        for address in &listen {
            if let Ok(waiting) = Listener::inherit(name, address, &[&self.inherited]) {
                self.keep(waiting.into_iter());
            }
        }
        for listener in self.kept.take_everything() {
            exiting.hand_on(listener);
        }
    }
}
