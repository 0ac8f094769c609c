//! Which file, and who may read it.

use std::path::PathBuf;

/// Where the PID file is, and who may read it. It stays so until the process ends: a reload that brings other settings is
/// refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file. Its folder must exist. A relative path is resolved when the plugin is made, so that a daemon may leave for
    /// another folder later.
    pub path: PathBuf,
    /// The mode of a new file, less the umask: 0600, and 0044 for those who may read it. Nobody but the owner writes.
    pub mode: u32,
}

impl Settings {
    /// This file, which everybody may read.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Settings {
        Settings { path: path.into(), mode: 0o644 }
    }
}
