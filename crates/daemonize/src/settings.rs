//! What the daemon has around it.

use std::path::{Path, PathBuf};

/// How the process leaves the terminal. By [`default`](Settings::default) its output goes nowhere, and neither directory nor
/// umask changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Where standard output and standard error go. Standard input is always `/dev/null`.
    pub output: Output,
    /// To whom a new log file is given, by the numbers of user and group: whoever the daemon will run as, so that it can
    /// open the file again.
    pub owner: Option<(u32, u32)>,
    /// Which permissions new files do not get (umask(2)), such as `0o027`; none to leave it as it is.
    pub umask: Option<u32>,
    /// The working directory; none to stay where the program was started, so that relative paths keep their meaning.
    pub directory: Option<PathBuf>,
    /// The service manager expects a process that forks (`Type=forking` of systemd.service(5)), so one is not refused.
    pub forking_service: bool,
}

impl Settings {
    /// Paths have to mean the same after a change of directory.
    pub(crate) fn resolved(mut self, base: &Path) -> Settings {
        if let Output::File(path) = &self.output {
            self.output = Output::File(base.join(path));
        }
        self.directory = self.directory.map(|directory| base.join(directory));
        self
    }
}

/// Where what the daemon prints goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Nowhere: `/dev/null`.
    #[default]
    Null,
    /// Where it goes already. The terminal is then still in use, and noticed if it is closed.
    Keep,
    /// Appended to this file; a new one has mode 0640, less the umask. It is opened anew on `topics::REOPEN`. A relative path
    /// counts from where the program was started.
    File(PathBuf),
}
