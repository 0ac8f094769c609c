//! `[daemon]`

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::daemonize::{Output, Settings};
use crate::site::{Check, Mode, Period, Section, Spanned};

/// `[daemon]`: how a site runs that was started in the background.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DaemonSection {
    /// Where its output goes: the path of a file, `"null"`, or `"keep"` for where it goes already. By default the file
    /// `log` in the state folder.
    pub output: Option<Spanned<PathBuf>>,
    /// Which permissions new files do not get, such as `"027"`.
    pub umask: Option<Mode>,
    /// The folder that it runs in. By default the one that it was started in.
    pub folder: Option<Spanned<PathBuf>>,
    /// How long the start may take before whoever waits for it is told that it failed.
    pub timeout: Option<Period>,
}

impl DaemonSection {
    /// As settings of the plugin; paths count from `folder`, and the default output is in `state`.
    pub fn settings(&self, folder: &Path, state: &Path) -> Settings {
        let mut settings = Settings::default();
        settings.output = match &self.output {
            None => Output::File(state.join("log")),
            Some(output) if **output == Path::new("null") => Output::Null,
            Some(output) if **output == Path::new("keep") => Output::Keep,
            Some(output) => Output::File(folder.join(&**output)),
        };
        settings.umask = self.umask.map(Mode::get);
        settings.directory = self.folder.as_ref().map(|path| folder.join(&**path));
        settings
    }
}

impl Section for DaemonSection {
    fn check(&self, check: &mut Check<'_>) {
        if let Some(output) = &self.output
            && check.path(&**output).is_dir()
        {
            check.problem(output, "the output of the daemon is a folder").help("name a file in it");
        }
        if let Some(folder) = &self.folder
            && !check.path(&**folder).is_dir()
        {
            check
                .problem(folder, "the folder of the daemon does not exist")
                .help("make it, or name another one");
        }
    }
}
