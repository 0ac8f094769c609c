//! A listener on everything that a bus says by itself.

use sitebus_bus::START;
use sitebus_bus::{
    Commit, EXIT, GRACEFUL, Handle, LOG, Priority, STOP, Start, Subscription, Topic, TopicClash,
};

use crate::transcript::Transcript;

/// Writes down what happens on a bus: one line for each publish on `start`, `stop`, `exit` and `graceful`, before any other
/// listener hears of it, `commit` or `abort` for what became of a reload, and `log LEVEL SOURCE: MESSAGE` for each line of
/// the log.
///
/// Tests add lines of their own with [`Transcript::note`].
#[derive(Debug)]
pub struct Recorder {
    transcript: Transcript,
    log: Transcript,
    subscriptions: Vec<Subscription>,
}

const FIRST: Priority = Priority::new(i32::MIN);

impl Recorder {
    /// Begins to record.
    #[must_use]
    pub fn of(bus: &Handle) -> Recorder {
        let (transcript, log) = (Transcript::new(), Transcript::new());
        // No clash: these are the channels that every bus has.
        let subscriptions = Self::subscribe(bus, &transcript, &log).unwrap_or_default();
        Recorder { transcript, log, subscriptions }
    }

    fn subscribe(
        bus: &Handle,
        transcript: &Transcript,
        log: &Transcript,
    ) -> Result<Vec<Subscription>, TopicClash> {
        let (everything, lines) = (transcript.clone(), log.clone());
        let on_log = bus.on(LOG)?.subscribe_at(FIRST, "recorder", move |record| {
            lines.note(record.message.clone());
            everything.note(format!("log {} {}: {}", record.level, record.source, record.message));
        });
        let everything = transcript.clone();
        let on_graceful = bus.on(GRACEFUL)?.subscribe_at(FIRST, "recorder", move |_| {
            everything.note("graceful");
            let outcome = Outcome { transcript: everything.clone(), committed: false };
            Ok(Commit::new(move || outcome.commit()))
        });
        let on_start = note_each::<Start>(bus, START, transcript)?;
        let on_stop = note_each(bus, STOP, transcript)?;
        let on_exit = note_each(bus, EXIT, transcript)?;
        Ok(vec![on_log, on_graceful, on_start, on_stop, on_exit])
    }

    /// Everything, in order.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Only the messages of the log.
    #[must_use]
    pub fn log(&self) -> &Transcript {
        &self.log
    }

    /// Ends the recording. Dropping the recorder instead changes nothing.
    pub fn end(self) {
        self.subscriptions.iter().for_each(Subscription::unsubscribe);
    }
}

fn note_each<M: 'static>(
    bus: &Handle,
    topic: Topic<M>,
    transcript: &Transcript,
) -> Result<Subscription, TopicClash> {
    let transcript = transcript.clone();
    Ok(bus.on(topic)?.subscribe_at(FIRST, "recorder", move |_| transcript.note(topic.name())))
}

/// Notes what became of a reload: a commit that is dropped is an abort.
struct Outcome {
    transcript: Transcript,
    committed: bool,
}

impl Outcome {
    fn commit(mut self) -> anyhow::Result<()> {
        self.committed = true;
        self.transcript.note("commit");
        Ok(())
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if !self.committed {
            self.transcript.note("abort");
        }
    }
}
