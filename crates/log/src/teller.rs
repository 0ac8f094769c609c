//! Writes lines at once, on the thread that says them, and counts what could not be written.

use std::io;

use crate::output::{Output, reason};
use crate::page::Page;

#[derive(Debug)]
pub(crate) struct Teller {
    output: Output,
    lost: u64,
    why: String,
    /// The last line was written in part.
    cut: bool,
}

impl Teller {
    pub(crate) fn new(output: Output) -> Teller {
        Teller { output, lost: 0, why: String::new(), cut: false }
    }

    /// Writes a line, or counts it. The error is for the first one that is lost: from then on none waits until there is room
    /// again, and then the count comes first. `counts` is how many are lost with this one, if it is.
    pub(crate) fn tell(&mut self, line: &str, counts: u64, page: Page) -> io::Result<()> {
        if self.lost > 0 {
            let begin = if self.cut { "\n" } else { "" };
            let note = format!("{begin}{}", page.missing(self.lost, &self.why));
            if self.output.put(note.as_bytes(), false).is_err() {
                self.cut |= self.output.give_up();
                self.lost += counts;
                return Ok(());
            }
            (self.lost, self.cut) = (0, false);
        }
        self.output.put(line.as_bytes(), true).inspect_err(|error| {
            self.cut = self.output.give_up();
            (self.lost, self.why) = (counts, reason(error));
        })
    }

    /// Counts lines that were lost elsewhere.
    pub(crate) fn lose(&mut self, lost: u64, why: String) {
        if lost > 0 {
            self.lost += lost;
            self.why = why;
        }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    pub(crate) fn why(&self) -> &str {
        &self.why
    }

    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        let reopened = self.output.reopen();
        self.cut &= reopened.is_err();
        reopened
    }

    pub(crate) fn into_parts(self) -> (Output, u64, String) {
        (self.output, self.lost, self.why)
    }
}
