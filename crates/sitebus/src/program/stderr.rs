//! Standard error as the log writes to it: a stream that nobody reads costs lines, and never holds up the site.

use std::io::{self, Write};
use std::time::Duration;

use crate::os::output::{AT_ONCE, wait_writable};

/// How long a line waits for a reader that has fallen behind. Those after it do not wait, until there is room again.
const PATIENCE: Duration = Duration::from_millis(100);

/// Takes a line at each write, and never fails. What could not be written is counted, and said when there is room.
#[derive(Debug, Default)]
pub(crate) struct Stderr {
    lost: u64,
    /// The last line was written in part.
    cut: bool,
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lost > 0 {
            let begin = if self.cut { "\n" } else { "" };
            let note = format!("{begin}{} lines are missing here: nobody read them in time\n", self.lost);
            if !self.put(note.as_bytes(), Duration::ZERO) {
                self.lost += 1;
                return Ok(line.len());
            }
            (self.lost, self.cut) = (0, false);
        }
        if !self.put(line, PATIENCE) {
            self.lost += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stderr {
    /// In parts that a writable pipe takes without waiting.
    fn put(&mut self, text: &[u8], patience: Duration) -> bool {
        let mut stream = io::stderr();
        for (index, part) in text.chunks(AT_ONCE).enumerate() {
            let written = wait_writable(&stream, patience).unwrap_or(true) && stream.write_all(part).is_ok();
            if !written {
                self.cut |= index > 0;
                return false;
            }
        }
        true
    }
}
