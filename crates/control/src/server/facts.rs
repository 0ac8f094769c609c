//! What is known of the site without asking anybody.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sitebus_bus::{Handle, State};

use super::answers::ended;
use crate::protocol::{Answer, Hello, Status, Verdict, milliseconds};
use crate::settings::Settings;

/// No more addresses are kept: a site that rebinds for years must not grow.
const ADDRESSES: usize = 1024;

pub(crate) struct Facts {
    began: Instant,
    /// The state that the bus was in when it was heard of last.
    state: State,
    instance: String,
    listening: Vec<String>,
    reloads: u64,
    failed_restart: Option<String>,
}

impl Facts {
    pub(crate) fn new(state: State, failed_restart: Option<String>) -> Facts {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The stack's place is drawn anew with every image, and the clock may have been set back.
        let place = std::ptr::from_ref(&since).addr();
        let instance = format!("{:x}-{:x}-{place:x}", std::process::id(), since.as_nanos());
        Facts { began: Instant::now(), state, instance, listening: Vec::new(), reloads: 0, failed_restart }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn entered(&mut self, state: State) {
        self.state = state;
        if let State::Stopped | State::Starting = state {
            self.listening.clear();
        }
    }

    pub(super) fn listening(&mut self, address: String) {
        if !self.listening.contains(&address) && self.listening.len() < ADDRESSES {
            self.listening.push(address);
        }
    }

    pub(super) fn reloaded(&mut self) {
        self.reloads += 1;
    }

    pub(super) fn hello(&self, bus: &Handle, settings: &Settings) -> Hello {
        Hello {
            pid: std::process::id(),
            instance: self.instance.clone(),
            state: bus.state().to_string(),
            process_ends: settings.process_ends,
            failed_restart: self.failed_restart.clone(),
        }
    }

    pub(super) fn status(
        &self,
        bus: &Handle,
        settings: &Settings,
        more: Vec<(String, String)>,
        missing: Option<String>,
    ) -> Status {
        Status {
            name: bus.name().to_owned(),
            pid: std::process::id(),
            version: settings.version.clone(),
            state: bus.state().to_string(),
            uptime_ms: milliseconds(self.began.elapsed()),
            listening: self.listening.clone(),
            reloads: self.reloads,
            last_reload: bus.last_graceful().map(ended),
            exit: bus.exit_asked().map(|exit| exit.to_string()),
            failed_restart: self.failed_restart.clone(),
            more,
            missing,
        }
    }

    /// The answer to whoever waited for this image.
    pub(super) fn of_the_restart(&self) -> Answer {
        match &self.failed_restart {
            None => Answer::new(Verdict::Done, "the site has restarted"),
            Some(why) => Answer::new(
                Verdict::Failed,
                format!("the restart failed, and the site runs on in the old image: {why}"),
            ),
        }
    }
}
