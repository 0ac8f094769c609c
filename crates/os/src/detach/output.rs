//! The log file of a process without a terminal.

use nix::unistd::{dup2_stderr, dup2_stdout};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt as _, fchown};
use std::path::Path;

/// Opens a file to append to. A new one has mode 0640, less the umask, and belongs to the owner, if one is given: its user
/// and group by their numbers.
///
/// # Errors
/// What open(2) says. A symbolic link is refused, since somebody else may choose where it leads, and so is what is no
/// regular file.
pub fn open_log(path: &Path, owner: Option<(u32, u32)>) -> io::Result<File> {
    let open = |new: bool| {
        let mut options = OpenOptions::new();
        // O_NONBLOCK: opening a fifo must not wait for its other end.
        options
            .append(true)
            .create_new(new)
            .mode(0o640)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_NONBLOCK);
        options.open(path)
    };
    let file = loop {
        match open(false) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => match open(true) {
                Ok(file) => {
                    if let Some((user, group)) = owner {
                        fchown(&file, Some(user), Some(group))?;
                    }
                    break file;
                }
                // Somebody was faster: then it is there now. Unless it is a dangling link, which the next look refuses.
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(cause),
            },
            Err(cause) if cause.raw_os_error() == Some(libc::ELOOP) => {
                return Err(io::Error::new(cause.kind(), "it is a symbolic link; name the file itself"));
            }
            Err(cause) if cause.raw_os_error() == Some(libc::ENXIO) => return Err(no_file()),
            opened => break opened?,
        }
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

/// Has standard output and standard error go to this file, from the next byte on.
///
/// # Errors
/// What dup2(2) says.
pub fn redirect_output(output: impl AsFd) -> io::Result<()> {
    dup2_stdout(&output)?;
    Ok(dup2_stderr(&output)?)
}
