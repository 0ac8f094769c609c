//! What this process may do with a file, without doing it.
//!
//! An answer for people, before they start something: by the time it is done, all may be different.

use std::io;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

/// Whether this process may write to a file, or make something in a folder, by its effective user and groups
/// (faccessat(2)). Links are followed.
///
/// # Errors
/// Why not: there is nothing, it belongs to others, the file system is read-only.
pub fn may_write(path: &Path) -> io::Result<()> {
    let wanted = if path.is_dir() { AccessFlags::W_OK | AccessFlags::X_OK } else { AccessFlags::W_OK };
    Ok(faccessat(AT_FDCWD, path, wanted, AtFlags::AT_EACCESS)?)
}
