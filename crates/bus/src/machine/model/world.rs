//! A small world: who listens, who asks what, and what may go wrong.

use std::time::Duration;

use super::super::{Ask, Entry, Phase, PluginId, Report};
use crate::exit::Exit;
use crate::limits::{Limit, Limits};

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wish {
    Start,
    Stop,
    /// A plain reload.
    Graceful,
    /// A reload that brings settings.
    Settings,
    /// With this code.
    Exit(u8),
    Restart,
    /// No request: drains are to be cut short.
    Hurry,
}

impl Wish {
    pub(super) fn ask(self, inside: bool) -> Option<Ask> {
        Some(match self {
            Wish::Start => Ask::Start,
            Wish::Stop => Ask::Stop,
            Wish::Graceful => Ask::Graceful { plain: true },
            Wish::Settings => Ask::Graceful { plain: false },
            Wish::Exit(code) => Ask::Exit { exit: Exit::with_code(code, "a wish"), inside },
            Wish::Restart => Ask::Restart(Exit::restart("a wish")),
            Wish::Hurry => return None,
        })
    }
}

/// How a listener may end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    Ok,
    Fails,
    /// It returns an exit with this code.
    Exits(u8),
}

/// What a failure is here: who failed at what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fault {
    pub(super) phase: Phase,
    pub(super) index: usize,
    pub(super) overran: bool,
}

impl Report for Fault {
    fn listener(&self) -> &str {
        "a listener"
    }
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) start: Vec<Entry>,
    pub(super) stop: Vec<Entry>,
    pub(super) exit: Vec<Entry>,
    pub(super) graceful: Vec<Entry>,
    pub(super) restart: Vec<Entry>,
    /// What each asker asks, one wish after the other, without waiting for answers.
    pub(super) askers: Vec<Vec<Wish>>,
    /// How listeners may end.
    pub(super) ends: Vec<End>,
    /// What listeners may ask, each wish once in a run.
    pub(super) inside: Vec<Wish>,
    /// How many steps may overrun their deadline in a run; what was given up may still report.
    pub(super) overruns: u8,
}

impl World {
    /// `None` stands for a bare listener, a number for one of that plugin.
    pub(super) fn of(
        start: &[Option<u64>],
        stop: &[Option<u64>],
        exit: &[Option<u64>],
        graceful: &[Option<u64>],
    ) -> World {
        let entries = |plugins: &[Option<u64>]| {
            let paired = |plugin: &Option<u64>| plugin.is_some() && start.contains(plugin);
            plugins.iter().map(|id| Entry { plugin: id.map(PluginId), paired: paired(id) }).collect()
        };
        World {
            start: entries(start),
            stop: entries(stop),
            exit: entries(exit),
            graceful: entries(graceful),
            restart: Vec::new(),
            askers: Vec::new(),
            ends: vec![End::Ok],
            inside: Vec::new(),
            overruns: 0,
        }
    }

    /// With so many restart listeners.
    pub(super) fn looks(mut self, count: usize) -> World {
        self.restart = vec![Entry { plugin: None, paired: false }; count];
        self
    }

    pub(super) fn asked(mut self, askers: &[&[Wish]]) -> World {
        self.askers = askers.iter().map(|wishes| wishes.to_vec()).collect();
        self
    }

    pub(super) fn ends(mut self, ends: &[End]) -> World {
        self.ends = ends.to_vec();
        self
    }

    pub(super) fn asked_inside(mut self, wishes: &[Wish]) -> World {
        self.inside = wishes.to_vec();
        self
    }

    pub(super) fn overruns(mut self, overruns: u8) -> World {
        self.overruns = overruns;
        self
    }

    pub(super) fn plan(&self, phase: Phase) -> &[Entry] {
        match phase {
            Phase::Start => &self.start,
            Phase::Stop => &self.stop,
            Phase::Exit => &self.exit,
            Phase::Look => &self.restart,
            Phase::Prepare | Phase::Commit | Phase::Abort => &self.graceful,
        }
    }
}

/// One listener that overruns leaves time for the next; two use up the total.
pub(super) fn limits() -> Limits {
    let limit = Limit::new(Duration::from_nanos(2), Duration::from_nanos(3));
    Limits {
        start: limit,
        stop: limit,
        exit: limit,
        graceful: limit,
        restart: limit,
        last_call: Duration::from_nanos(1),
        log: Duration::from_nanos(1),
        join: Duration::ZERO,
    }
}
