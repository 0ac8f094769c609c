//! What the listeners on the bus and the thread share: who speaks, and when again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use sitebus_bus::{Cause, Handle, Level, Plugin, State};
use sitebus_os::clock::monotonic;

use crate::Settings;
use crate::phase::{Phase, Word};
use crate::voice::{Voice, status};

/// How much more time is asked for, and how often. A process that hangs altogether asks no more, and is ended after this.
const EXTENSION: Duration = Duration::from_secs(30);
const EXTEND_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked who holds things up.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How soon a manager that did not read is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// Tells the manager what the bus does.
pub(crate) struct Herald {
    plugin: Plugin,
    /// How often the manager is told that we live.
    beat: Option<Duration>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    voice: Voice,
    phase: Phase,
    settings: Settings,
    /// What was last said of the state.
    status: String,
    next_beat: Option<Instant>,
    next_extension: Option<Instant>,
    next_look: Option<Instant>,
    next_try: Option<Instant>,
    runs: bool,
    over: bool,
}

impl Herald {
    pub(crate) fn new(
        plugin: Plugin,
        voice: Voice,
        watchdog: Option<Duration>,
        settings: Settings,
    ) -> Herald {
        let inner = Inner {
            voice,
            phase: Phase::default(),
            settings,
            status: String::new(),
            next_beat: None,
            next_extension: None,
            next_look: None,
            next_try: None,
            runs: false,
            over: false,
        };
        let beat = watchdog.map(|time| (time / 2).max(Duration::from_millis(1)));
        Herald { plugin, beat, inner: Mutex::new(inner), changed: Condvar::new() }
    }

    fn bus(&self) -> &Handle {
        self.plugin.handle()
    }

    // ---- what the bus says

    pub(crate) fn entered(&self, state: State) {
        let exit = self.bus().exit_asked();
        let told = match &exit {
            Some(exit) if state != State::Starting && state != State::Started => format!("{state}: {exit}"),
            _ => state.to_string(),
        };
        self.change(&told, |phase| phase.enter(state, exit.as_ref()));
    }

    pub(crate) fn reload_begins(&self) {
        let state = self.bus().state();
        if state == State::Started {
            self.change("STARTED, reloading", |phase| phase.begin_reload(state));
        }
    }

    pub(crate) fn reload_ends(&self, how: &str) {
        if self.inner.lock().phase.is_busy() {
            self.change(how, Phase::end_reload);
        }
    }

    pub(crate) fn take_up(&self, settings: Settings) {
        let mut inner = self.inner.lock();
        inner.settings = settings;
        if settings.watchdog && self.beat.is_some() {
            inner.next_beat = Some(Instant::now());
        }
        self.changed.notify_all();
    }

    fn change(&self, told: &str, step: impl FnOnce(&mut Phase) -> Option<Word>) {
        let mut inner = self.inner.lock();
        let word = step(&mut inner.phase);
        let mut message = Vec::new();
        match word {
            Some(Word::Ready) => message.push("READY=1".to_owned()),
            Some(Word::Stopping) => message.push("STOPPING=1".to_owned()),
            Some(Word::Reloading) => {
                message.push("RELOADING=1".to_owned());
                message.extend(monotonic().ok().map(|now| format!("MONOTONIC_USEC={}", now.as_micros())));
            }
            None => {}
        }
        message.extend(inner.told(told));
        let now = Instant::now();
        let busy = inner.phase.is_busy();
        inner.next_look = busy.then(|| now + LOOK_EVERY);
        inner.next_extension = busy.then(|| now + EXTEND_EVERY);
        if busy && inner.settings.extend {
            message.push(extension());
        }
        self.say(inner, message);
    }

    /// Sends it, lets go of the lock, and then complains if that is to be.
    fn say(&self, mut inner: MutexGuard<'_, Inner>, message: Vec<String>) {
        let failure = match message.is_empty() {
            true => inner.voice.retry(),
            false => inner.voice.say(message.join("\n")),
        };
        inner.next_try = inner.voice.has_more().then(|| Instant::now() + RETRY);
        self.changed.notify_all();
        drop(inner);
        if let Some(error) = failure {
            let said = format!(
                "the service manager cannot be told what happens ({error}); this is said once, and the site goes on"
            );
            self.plugin.log(Level::Warn, said);
        }
    }

    // ---- the thread

    /// Begins to speak by itself, on a thread that the bus joins at its end.
    pub(crate) fn run(self: &Arc<Herald>) -> std::io::Result<()> {
        let mut inner = self.inner.lock();
        if inner.runs {
            return Ok(());
        }
        let herald = Arc::clone(self);
        let thread = std::thread::Builder::new().name("systemd".to_owned()).spawn(move || herald.speak())?;
        inner.runs = true;
        let mut message = Vec::new();
        if let Some(beat) = self.beat.filter(|_| inner.settings.watchdog) {
            inner.next_beat = Some(Instant::now() + beat);
            message.push("WATCHDOG=1".to_owned());
        }
        self.say(inner, message);
        self.bus().adopt("systemd", thread);
        Ok(())
    }

    /// The last word of a process that goes on as another image: nobody speaks until that one does.
    pub(crate) fn end(&self, comes_back: bool) {
        let mut inner = self.inner.lock();
        inner.over = true;
        let mut message = Vec::new();
        if comes_back && inner.settings.extend {
            message.push(extension());
        }
        if comes_back && inner.settings.watchdog && self.beat.is_some() {
            message.push("WATCHDOG=1".to_owned());
        }
        self.say(inner, message);
    }

    fn speak(&self) {
        let mut inner = self.inner.lock();
        while !inner.over {
            let now = Instant::now();
            if let Some(due) = inner.due() {
                if now < due {
                    self.changed.wait_until(&mut inner, due);
                    continue;
                }
                drop(inner);
                self.turn();
                inner = self.inner.lock();
            } else {
                self.changed.wait(&mut inner);
            }
        }
    }

    fn turn(&self) {
        // Whoever cannot be asked is not alive: then this thread waits with the bus, and the manager hears nothing.
        let state = self.bus().state();
        let held_up_by = self.held_up_by(state);
        let now = Instant::now();
        let mut inner = self.inner.lock();
        let mut message = Vec::new();
        if inner.next_beat.take_if(|due| *due <= now).is_some() && inner.settings.watchdog {
            inner.next_beat = self.beat.map(|beat| now + beat);
            message.push("WATCHDOG=1".to_owned());
        }
        if inner.next_extension.take_if(|due| *due <= now).is_some() {
            inner.next_extension = Some(now + EXTEND_EVERY);
            if inner.settings.extend {
                message.push(extension());
            }
        }
        if inner.next_look.take_if(|due| *due <= now).is_some() {
            inner.next_look = Some(now + LOOK_EVERY);
            if let Some(listener) = held_up_by {
                message.extend(inner.told(&format!("{state}: waiting for '{listener}'")));
            }
        }
        self.say(inner, message);
    }

    /// The listener that the bus is at: the first of the channel that has not reported yet.
    fn held_up_by(&self, state: State) -> Option<Arc<str>> {
        let step = match state {
            State::Starting => "start",
            State::Stopping => "stop",
            State::Exiting => "exit",
            State::Stopped | State::Started => return None,
        };
        if self.inner.lock().next_look.is_none_or(|due| due > Instant::now()) {
            return None;
        }
        if self.bus().exit_asked().is_some_and(|exit| matches!(exit.cause(), Cause::Failed { .. })) {
            return None; // what has not begun is not stopped, and is not known here
        }
        let channel = self.bus().channels().into_iter().find(|channel| channel.name == step)?;
        let timings = self.bus().timings();
        let of_this = timings.iter().filter(|timing| timing.step == step);
        let mut through: Vec<&Arc<str>> = of_this.map(|timing| &timing.listener).collect();
        channel.listeners.into_iter().map(|listener| listener.name).find(|name| {
            let place = through.iter().position(|known| *known == name);
            place.map(|place| through.swap_remove(place)).is_none()
        })
    }
}

impl Inner {
    fn due(&self) -> Option<Instant> {
        [self.next_beat, self.next_extension, self.next_look, self.next_try].into_iter().flatten().min()
    }

    /// The words for it, unless they are the last ones, or unwanted.
    fn told(&mut self, text: &str) -> Option<String> {
        if !self.settings.status || self.status == text {
            return None;
        }
        text.clone_into(&mut self.status);
        Some(status(text))
    }
}

fn extension() -> String {
    format!("EXTEND_TIMEOUT_USEC={}", EXTENSION.as_micros())
}
