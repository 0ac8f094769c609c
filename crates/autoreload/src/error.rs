//! What can be wrong before anything is watched.

use std::io;

/// Why files are not watched. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutoreloadError {
    /// A glob that cannot be read.
    #[error(
        "autoreload: '{glob}' in {list} is no glob: {cause}; a glob is written as in a .gitignore, such as *.html or assets/**"
    )]
    Glob {
        /// `include` or `ignore`.
        list: &'static str,
        /// As it was given.
        glob: String,
        /// What is wrong with it.
        cause: String,
    },
    /// There is no command to run before.
    #[error("autoreload: the command to run before a restart is empty; leave it out if there is none")]
    NoCommand,
    /// Polling all the time.
    #[error(
        "autoreload: an interval of 0 would look at the files all the time; say 1 s, or leave it out for events"
    )]
    NoInterval,
    /// Relative paths are relative to nothing.
    #[error("autoreload: the current folder is not known ({cause}); say which folder paths are relative to")]
    NoFolder {
        /// What the system says.
        cause: io::Error,
    },
    /// Somebody uses the name of a topic with other types.
    #[error("autoreload: {0}")]
    Clash(#[from] sitebus_bus::TopicClash),
}
