//! One place that lines go to: at once while the process may still fork, and through a thread while a bus runs.

use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::Level;

use crate::error::{LogError, cure};
use crate::file::LogFile;
use crate::line::Line;
use crate::output::{Output, reason};
use crate::page::Page;
use crate::queue::Queue;
use crate::settings::Format;
use crate::stderr::Stderr;
use crate::teller::Teller;
use crate::writer::Writer;

/// How long whoever asks for a file to be opened again waits to learn how it went.
const REOPENING: Duration = Duration::from_secs(2);

/// A target that is open.
#[derive(Debug)]
pub(crate) struct Sink {
    /// The file; `None` for standard error.
    path: Option<PathBuf>,
    page: Mutex<Page>,
    queue: Queue,
    mode: Mutex<Mode>,
    /// Where trouble with a file is told.
    notices: Option<Arc<Sink>>,
}

#[derive(Debug)]
enum Mode {
    Direct(Teller),
    Queued(Writer),
    /// Somebody is waiting for the thread to end. Lines wait too.
    Ending,
}

impl Mode {
    fn written(&self) -> Option<Output> {
        if let Mode::Queued(writer) = self { writer.ended() } else { None }
    }
}

impl Sink {
    pub(crate) fn stderr(format: Format) -> Arc<Sink> {
        let output = Output::Stderr(Stderr::default());
        Arc::new(Sink::new(None, Page::of_stderr(format), output, None))
    }

    pub(crate) fn file(
        path: &Path,
        owner: Option<(u32, u32)>,
        format: Format,
        notices: &Arc<Sink>,
    ) -> Result<Arc<Sink>, LogError> {
        let opened = LogFile::open(path, owner);
        let file = opened.map_err(|cause| LogError::Open { path: path.to_owned(), cause })?;
        let (page, notices) = (Page::of_file(format), Some(Arc::clone(notices)));
        Ok(Arc::new(Sink::new(Some(path.to_owned()), page, Output::File(file), notices)))
    }

    fn new(path: Option<PathBuf>, page: Page, output: Output, notices: Option<Arc<Sink>>) -> Sink {
        let mode = Mutex::new(Mode::Direct(Teller::new(output)));
        Sink { path, page: Mutex::new(page), queue: Queue::new(0), mode, notices }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(crate) fn page(&self) -> Page {
        *self.page.lock()
    }

    /// Sets how lines look from now on, and how many bytes of them may wait.
    pub(crate) fn set(&self, format: Format, buffer: usize) {
        self.queue.set_capacity(buffer);
        *self.page.lock() = if self.path.is_some() { Page::of_file(format) } else { Page::of_stderr(format) };
    }

    /// Writes a line, or leaves it to the thread that does.
    pub(crate) fn write(&self, line: &Line<'_>) {
        let page = self.page();
        let text = page.write(line);
        let mut mode = self.mode.lock();
        let Mode::Direct(teller) = &mut *mode else { return self.queue.push(text, page) };
        let told = teller.tell(&text, 1, page);
        drop(mode);
        if let Err(error) = told {
            self.tell_trouble(&error);
        }
    }

    /// Has a thread write from now on, if writing here could take long. Whatever forks must have done so before.
    pub(crate) fn start(self: &Arc<Sink>) -> Result<(), LogError> {
        let mut mode = self.mode.lock();
        // One that was left behind may have come to its end since.
        if let Some(output) = mode.written() {
            *mode = Mode::Direct(Teller::new(output));
        }
        match &*mode {
            Mode::Direct(teller) if teller.output().may_stall() => {}
            _ => {
                self.queue.begin();
                return Ok(());
            }
        }
        let idle = Writer::make(self).map_err(|cause| LogError::NoThread { target: self.name(), cause })?;
        if let Mode::Direct(teller) = mem::replace(&mut *mode, Mode::Ending) {
            let (output, lost, _) = teller.into_parts();
            self.queue.begin();
            self.queue.lose(lost);
            *mode = Mode::Queued(idle.begin(output));
        }
        Ok(())
    }

    /// Ends the thread once it has written what there was, and writes at once from then on. A thread that does not come to
    /// an end is left behind, and lines with it.
    pub(crate) fn stop(&self, patience: Duration) {
        let mut mode = self.mode.lock();
        let writer = match mem::replace(&mut *mode, Mode::Ending) {
            Mode::Queued(writer) => writer,
            other => return *mode = other,
        };
        drop(mode);
        self.queue.end();
        let waited = writer.wait(patience);
        let (mut mode, page) = (self.mode.lock(), self.page());
        match waited {
            Err(writer) => {
                *mode = Mode::Queued(writer);
                drop(mode);
                let message = format!("{} has not taken its last lines within {patience:?}", self.name());
                self.tell(Level::ERROR, &message);
            }
            Ok(output) => {
                let (mut teller, rest) = (Teller::new(output), self.queue.take_rest());
                for line in rest.lines {
                    let _ = teller.tell(&line.text, line.counts, page); // told already
                }
                teller.lose(rest.lost, rest.why);
                let lost = (teller.lost(), teller.why().to_owned());
                *mode = Mode::Direct(teller);
                drop(mode);
                if let (lost @ 1.., why) = lost {
                    let message = format!("{lost} lines are missing in {}: {why}", self.name());
                    self.tell(Level::ERROR, &message);
                }
            }
        }
    }

    /// Opens the file again; on failure lines go on to the old one. For standard error it looks where that leads.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        if self.path.is_none() {
            let format = self.page().format;
            *self.page.lock() = Page::of_stderr(format);
            return Ok(());
        }
        let answered = {
            let mut mode = self.mode.lock();
            match &mut *mode {
                Mode::Direct(teller) => return teller.reopen(),
                Mode::Queued(_) | Mode::Ending => self.queue.ask_reopen(),
            }
        };
        answered.recv_timeout(REOPENING).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Tells that lines cannot be written, once for each time that this begins.
    pub(crate) fn tell_trouble(&self, error: &io::Error) {
        let message = format!(
            "{} cannot be written: {}; {}. What has no room to wait is lost",
            self.name(),
            reason(error),
            cure(error)
        );
        self.tell(Level::ERROR, &message);
    }

    pub(crate) fn tell_mended(&self) {
        self.tell(Level::WARN, &format!("{} is written again", self.name()));
    }

    fn tell(&self, level: Level, message: &str) {
        if let Some(notices) = &self.notices {
            notices.write(&Line::new(level, "log", message));
        }
    }

    fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard error".to_owned(), |path| path.display().to_string())
    }
}
