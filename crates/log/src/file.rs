//! A file as a place for lines.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sitebus_os::output::{append_without_waiting, wait_writable};

/// Less what the umask takes.
const MODE: u32 = 0o640;
/// How long a line waits for the reader of what turns out to be a pipe or a terminal.
const PATIENCE: Duration = Duration::from_millis(100);

/// A log file that is open. Each line is one write(2) at the end of the file, so several processes may share it.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    /// Of a file that has to be made.
    owner: Option<(u32, u32)>,
    file: File,
    /// How much of the line that is being written is there.
    written: usize,
}

impl LogFile {
    pub(crate) fn open(path: &Path, owner: Option<(u32, u32)>) -> io::Result<LogFile> {
        let file = append_without_waiting(path, MODE, owner)?;
        Ok(LogFile { path: path.to_owned(), owner, file, written: 0 })
    }

    /// Writes a line. After an error it is to be tried again with the same line, and goes on where it stopped, or given up.
    ///
    /// A file that was removed is made again: what is written to it would be lost.
    pub(crate) fn put(&mut self, line: &[u8], patient: bool) -> io::Result<()> {
        if self.file.metadata().is_ok_and(|file| file.nlink() == 0 && file.is_file()) {
            self.reopen()?;
        }
        while self.written < line.len() {
            match self.file.write(&line[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && patient => {
                    if !wait_writable(&self.file, PATIENCE)? {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        Ok(())
    }

    /// Opens the path again, which may name another file by now. If that fails the old one stays.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.file = append_without_waiting(&self.path, MODE, self.owner)?;
        self.written = 0; // the line that was begun is written whole in the new file
        Ok(())
    }

    /// Gives up the line that was begun; true if part of it is there.
    pub(crate) fn give_up(&mut self) -> bool {
        std::mem::take(&mut self.written) > 0
    }
}
