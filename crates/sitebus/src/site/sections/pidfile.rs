//! `[pidfile]`

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::pidfile::Settings;
use crate::site::{Check, Mode, Section, Spanned};

/// `[pidfile]`: a file with the number of the process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PidfileSection {
    /// The file. Its folder must exist.
    pub path: Spanned<PathBuf>,
    /// Who may read it: `"0644"`, which is everybody.
    pub mode: Option<Mode>,
}

impl PidfileSection {
    /// As settings of the plugin; the path counts from `folder`.
    pub fn settings(&self, folder: &Path) -> Settings {
        let mut settings = Settings::at(folder.join(&*self.path));
        if let Some(mode) = self.mode {
            settings.mode = mode.get();
        }
        settings
    }
}

impl Section for PidfileSection {
    fn check(&self, check: &mut Check<'_>) {
        let path = check.path(&*self.path);
        if path.is_dir() {
            check.problem(&self.path, "the PID file is a folder").help("name a file in it");
        } else if path.parent().is_none_or(|folder| !folder.is_dir()) {
            check
                .problem(&self.path, "the folder of the PID file does not exist")
                .help("make it, or name another one");
        }
    }
}
