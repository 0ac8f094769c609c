//! Lines that come one by one, and waiting for them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Lines in the order in which they came. Cheap to clone; all clones are one transcript, which threads may share.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Inner>);

#[derive(Default)]
struct Inner {
    page: Mutex<Page>,
    grew: Condvar,
}

#[derive(Default)]
struct Page {
    lines: Vec<String>,
    closed: bool,
}

impl Transcript {
    /// An empty one.
    #[must_use]
    pub fn new() -> Transcript {
        Transcript::default()
    }

    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.page.lock().lines.push(line.into());
        self.0.grew.notify_all();
    }

    /// No line will come any more: whoever waits for one learns that at once.
    pub fn close(&self) {
        self.0.page.lock().closed = true;
        self.0.grew.notify_all();
    }

    /// Waits until no line can come any more. Says whether that was so before `patience` was over.
    pub fn wait_closed(&self, patience: Duration) -> bool {
        let deadline = after(patience);
        let mut page = self.0.page.lock();
        self.0.grew.wait_while_until(&mut page, |page| !page.closed, deadline);
        page.closed
    }

    /// What has come so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.page.lock().lines.clone()
    }

    /// What has come so far, which is then forgotten.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.page.lock().lines)
    }

    /// Waits for a line that contains `part`, and returns the first such line. It may have come before.
    ///
    /// # Errors
    /// None came within `patience`, or none can come any more.
    pub fn wait_for(&self, part: &str, patience: Duration) -> Result<String, Missing> {
        let find = |lines: &[String]| lines.iter().find(|line| line.contains(part)).cloned();
        self.wait_until(patience, &format!("a line with {part:?}"), find)
    }

    /// Waits until `find` finds something in the lines. `what` describes it for the error.
    ///
    /// # Errors
    /// It did not within `patience`, or no line can come any more.
    pub fn wait_until<T>(
        &self,
        patience: Duration,
        what: &str,
        mut find: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T, Missing> {
        let deadline = after(patience);
        let mut page = self.0.page.lock();
        loop {
            if let Some(found) = find(&page.lines) {
                return Ok(found);
            }
            let late = page.closed || self.0.grew.wait_until(&mut page, deadline).timed_out();
            if late && find(&page.lines).is_none() {
                let came = page.lines.clone();
                return Err(Missing { what: what.to_owned(), patience, ended: page.closed, came });
            }
        }
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

/// The time when that patience is over; a day stands for all that is longer.
pub(crate) fn after(patience: Duration) -> Instant {
    Instant::now() + patience.min(Duration::from_secs(24 * 60 * 60))
}

/// What was waited for did not come.
#[derive(Clone)]
pub struct Missing {
    what: String,
    patience: Duration,
    ended: bool,
    came: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing { what, patience, ended, came } = self;
        if *ended {
            write!(f, "{what} did not come, and no line comes any more")?;
        } else {
            write!(f, "{what} did not come within {patience:?}")?;
        }
        write!(f, "; these lines came:")?;
        came.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// As it is displayed: `unwrap` in a test prints this.
impl fmt::Debug for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Missing {}
