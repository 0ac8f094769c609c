//! `[log]`

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::log::{Filter, Format, Settings, Target};
use crate::site::{Check, Section, Spanned};

/// `[log]`: what is written down, and where.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LogSection {
    /// Whether every request is a line.
    pub access: Option<bool>,
    /// Which lines are written: `"info"`, or `"info,http=debug"`. The environment variable `RUST_LOG` is stronger.
    pub level: Option<Spanned<String>>,
    /// A file that lines are written to, and no longer to standard error.
    pub file: Option<Spanned<PathBuf>>,
    /// How lines look: `"human"` or `"json"`.
    pub format: Option<Spanned<String>>,
}

const FORMATS: [(&str, Format); 2] = [("human", Format::Human), ("json", Format::Json)];

impl LogSection {
    /// As settings of the plugin; paths count from `folder`. What is not understood is left out; after
    /// [`Known::check`](crate::site::Known::check) there is nothing of the kind.
    pub fn settings(&self, folder: &Path) -> Settings {
        let format = self.format.as_ref().and_then(|name| format(name)).unwrap_or_default();
        let target = match &self.file {
            Some(file) => Target::file(folder.join(&**file)),
            None => Target::StandardError(format),
        };
        let mut settings = Settings::default();
        settings.to = vec![target.in_format(format)];
        let asked = Filter::from_env().ok().flatten();
        let level = self.level.as_ref().and_then(|level| level.parse().ok());
        settings.filter = asked.or(level).unwrap_or(settings.filter);
        settings
    }
}

fn format(name: &str) -> Option<Format> {
    FORMATS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
}

impl Section for LogSection {
    fn check(&self, check: &mut Check<'_>) {
        if let Some(level) = &self.level
            && let Err(error) = level.parse::<Filter>()
        {
            check.problem(level, error.what()).help(error.cure());
        }
        if let Some(name) = &self.format
            && format(name).is_none()
        {
            check
                .problem(name, format!("lines cannot look like `{}`", **name))
                .help("write `human` or `json`");
        }
        if let Some(file) = &self.file {
            let path = check.path(&**file);
            if path.is_dir() {
                check.problem(file, "the log is a folder").help("name a file in it");
            } else if path.parent().is_none_or(|folder| !folder.is_dir()) {
                check
                    .problem(file, "the folder of the log does not exist")
                    .help("make it, or name another one");
            }
        }
    }
}
