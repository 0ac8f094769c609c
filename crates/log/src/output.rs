//! The places that lines can be written to.

use std::io;

use crate::file::LogFile;
use crate::page::metadata_of_stderr;
use crate::stderr::Stderr;

/// Something that takes lines, one at a time.
#[derive(Debug)]
pub(crate) enum Output {
    Stderr(Stderr),
    File(LogFile),
}

impl Output {
    /// Writes a line, and waits a moment for whoever reads it if `patient`. After an error the line is to be given up, or, if
    /// this is a file, tried again.
    pub(crate) fn put(&mut self, line: &[u8], patient: bool) -> io::Result<()> {
        match self {
            Output::Stderr(stderr) => stderr.put(line, patient),
            Output::File(file) => file.put(line, patient),
        }
    }

    /// Gives up the line that was begun; true if part of it is there.
    pub(crate) fn give_up(&mut self) -> bool {
        match self {
            Output::Stderr(stderr) => stderr.give_up(),
            Output::File(file) => file.give_up(),
        }
    }

    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        match self {
            Output::Stderr(_) => Ok(()),
            Output::File(file) => file.reopen(),
        }
    }

    /// Whether a write may take any time, so that it wants a thread of its own. No system tells in advance whether a disk
    /// will be slow.
    pub(crate) fn may_stall(&self) -> bool {
        match self {
            Output::Stderr(_) => metadata_of_stderr().is_some_and(|stream| stream.is_file()),
            Output::File(_) => true,
        }
    }
}

/// Why lines were lost, for whoever reads the rest of them.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "nobody read them in time".to_owned(),
        _ => error.to_string(),
    }
}
