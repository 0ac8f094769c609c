//! The thread that writes the lines of one target, so that no slow or full disk holds up whoever says them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::output::Output;
use crate::queue::{Next, Queue};
use crate::sink::Sink;

/// How long to wait before a line is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// A thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    thread: JoinHandle<()>,
    /// What it wrote to, once it has ended.
    through: Receiver<Output>,
}

/// A thread that has nothing to write to yet.
pub(crate) struct Idle {
    writer: Writer,
    begin: mpsc::Sender<Output>,
}

impl Writer {
    pub(crate) fn make(sink: &Arc<Sink>) -> io::Result<Idle> {
        let (begin, begun) = mpsc::channel();
        let (end, through) = mpsc::channel();
        let sink = Arc::clone(sink);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
            if let Ok(output) = begun.recv() {
                let _ = end.send(run(output, &sink)); // whoever gave up waiting needs it no more
            }
        })?;
        Ok(Idle { writer: Writer { thread, through }, begin })
    }

    /// What it wrote to, if it has ended.
    pub(crate) fn ended(&self) -> Option<Output> {
        self.through.try_recv().ok()
    }

    /// Waits until it has written what there was. It must have been told to end.
    pub(crate) fn wait(self, patience: Duration) -> Result<Output, Writer> {
        match self.through.recv_timeout(patience) {
            Ok(output) => {
                let _ = self.thread.join(); // it has nothing left to do
                Ok(output)
            }
            Err(_) => Err(self),
        }
    }
}

impl Idle {
    pub(crate) fn begin(self, output: Output) -> Writer {
        let _ = self.begin.send(output); // it waits for this
        self.writer
    }
}

/// The body of the thread.
fn run(mut output: Output, sink: &Sink) -> Output {
    let queue: &Queue = sink.queue();
    let (mut in_trouble, mut pause) = (false, None);
    loop {
        match queue.next(pause) {
            Next::Reopen(answer) => {
                let reopened = output.reopen();
                pause = pause.filter(|_| reopened.is_err());
                let _ = answer.send(reopened); // whoever gave up waiting does not want to know
            }
            Next::Line(line) => match output.put(line.text.as_bytes(), true) {
                Ok(()) => {
                    pause = None;
                    if std::mem::take(&mut in_trouble) {
                        queue.mended();
                        sink.tell_mended();
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut in_trouble, true) {
                        sink.tell_trouble(&error);
                    }
                    if !queue.put_back(line, &error) {
                        return output;
                    }
                    pause = Instant::now().checked_add(RETRY);
                }
            },
            Next::End => return output,
        }
    }
}
