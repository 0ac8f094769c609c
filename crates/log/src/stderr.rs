//! Standard error as a place for lines: a stream that nobody reads costs lines, and never holds anybody up.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use sitebus_os::output::{AT_ONCE, wait_writable};

/// How long a line waits for a reader that has fallen behind. Those after it do not wait, until there is room again.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(crate) struct Stderr {
    /// Part of a line is written that has not ended.
    cut: bool,
}

impl Stderr {
    /// Writes a line in parts that a writable pipe takes without waiting.
    pub(crate) fn put(&mut self, line: &[u8], patient: bool) -> io::Result<()> {
        let patience = if patient { PATIENCE } else { Duration::ZERO };
        let mut stream = io::stderr();
        for (index, part) in line.chunks(AT_ONCE).enumerate() {
            let written = if wait_writable(&stream, patience).unwrap_or(true) {
                stream.write_all(part)
            } else {
                Err(ErrorKind::TimedOut.into())
            };
            self.cut |= index > 0 && written.is_err();
            written?;
        }
        self.cut = false;
        Ok(())
    }

    /// Gives up the line that was begun; true if part of it is there.
    pub(crate) fn give_up(&mut self) -> bool {
        std::mem::take(&mut self.cut)
    }
}
