//! What the server is told by others, from any thread, without anybody waiting.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};

use sitebus_bus::{Failures, State};
use sitebus_os::parcel::Item;
use sitebus_os::ready::Bell;

use crate::settings::Settings;

/// Something that the server is told.
pub(crate) enum Note {
    /// The bus is in this state now.
    State(State),
    /// A server accepts at this address.
    Listening(String),
    /// A reload was taken up.
    Reloaded,
    /// What the server goes by from now on.
    Settings(Settings),
    /// The errand of this connection is done.
    Errand(u64, Fruit),
    /// What is to survive a restart is wanted.
    HandOn(SyncSender<Vec<Item>>),
    /// It is over.
    Close,
}

/// What an errand brought back.
pub(crate) enum Fruit {
    Reopened(Result<(), Failures>),
    Lines(Vec<(String, String)>, Option<Failures>),
}

/// Leaves notes for the server, and wakes it.
#[derive(Clone)]
pub(crate) struct Mailbox {
    notes: Sender<Note>,
    bell: Arc<Bell>,
}

impl Mailbox {
    pub(crate) fn new(notes: Sender<Note>, bell: Arc<Bell>) -> Mailbox {
        Mailbox { notes, bell }
    }

    /// False if nobody reads any more.
    pub(crate) fn leave(&self, note: Note) -> bool {
        let left = self.notes.send(note).is_ok();
        self.bell.ring();
        left
    }
}
