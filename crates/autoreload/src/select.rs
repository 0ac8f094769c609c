//! Which of the files in a watched folder count.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};

use crate::error::AutoreloadError;
use crate::settings::Settings;

/// What editors leave beside the files that they save, and take away again.
const EDITORS: [&str; 5] = ["*~", "#*#", "*.sw[a-p]", "*___jb_*___", "4913"];

/// The globs, compiled. Files that were named one by one are not asked about.
pub(crate) struct Selection {
    /// Matches what is *not* ignored, in the words of the `ignore` crate: only negated globs.
    ignored: Override,
    included: Override,
    ignore_files: bool,
}

impl Selection {
    pub(crate) fn new(settings: &Settings) -> Result<Selection, AutoreloadError> {
        let folder = settings.folder.clone().unwrap_or_default();
        let editors = EDITORS.into_iter().map(str::to_owned);
        let ignored = editors.chain(settings.ignore.iter().cloned()).map(|glob| (format!("!{glob}"), glob));
        let included = settings.include.iter().map(|glob| (glob.clone(), glob.clone()));
        Ok(Selection {
            ignored: compile(&folder, "ignore", ignored)?,
            included: compile(&folder, "include", included)?,
            ignore_files: settings.ignore_files,
        })
    }

    /// A walk through a folder that skips what is ignored, without opening it.
    pub(crate) fn walk(&self, root: &Path) -> ignore::Walk {
        let mut walk = WalkBuilder::new(root);
        walk.overrides(self.ignored.clone()).require_git(false);
        if !self.ignore_files {
            walk.ignore(false).git_ignore(false).git_global(false).git_exclude(false).parents(false);
        }
        walk.build()
    }

    /// Whether a file that the walk has found counts.
    pub(crate) fn includes(&self, file: &Path) -> bool {
        self.included.is_empty() || self.included.matched(file, false).is_whitelist()
    }

    /// Whether a file in a folder certainly does not count. Ignore files are not asked, so others may not count either.
    pub(crate) fn rejects(&self, file: &Path) -> bool {
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        hidden || self.ignored.matched(file, false).is_ignore() || !self.includes(file)
    }
}

fn compile(
    folder: &PathBuf,
    list: &'static str,
    globs: impl Iterator<Item = (String, String)>,
) -> Result<Override, AutoreloadError> {
    let mut builder = OverrideBuilder::new(folder);
    for (line, glob) in globs {
        // A leading `!` or `#` means something in a .gitignore, but not in a list of globs.
        let meant = if glob.is_empty() || glob.starts_with('!') {
            Err("it is empty, or begins with '!'".to_owned())
        } else {
            Ok(())
        };
        let added = meant.and_then(|()| builder.add(&line).map(drop).map_err(|error| error.to_string()));
        added.map_err(|cause| AutoreloadError::Glob { list, glob, cause })?;
    }
    builder.build().map_err(|error| AutoreloadError::Glob {
        list,
        glob: String::new(),
        cause: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn selection(include: &[&str], ignore: &[&str]) -> Selection {
        let list = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect();
        let settings = Settings {
            folder: Some("/site".into()),
            include: list(include),
            ignore: list(ignore),
            ..Settings::default()
        };
        Selection::new(&settings).unwrap()
    }

    #[test]
    fn what_editors_leave_is_no_change() {
        let all = selection(&[], &[]);
        for name in ["a.html~", "#a.html#", "a.html.swp", "4913", "a.html___jb_tmp___"] {
            assert!(all.rejects(&Path::new("/site/x").join(name)), "{name}");
        }
        for name in ["a.html", "swp", "49130", "a.swim", "#a"] {
            assert!(!all.rejects(&Path::new("/site/x").join(name)), "{name}");
        }
    }

    #[test]
    fn globs_choose_by_name_and_by_place() {
        let some = selection(&["*.html", "/conf/**"], &["draft-*", "/old/"]);
        assert!(!some.rejects(Path::new("/site/deep/a.html")));
        assert!(!some.rejects(Path::new("/site/conf/x/y.toml")));
        assert!(some.rejects(Path::new("/site/a.css")));
        assert!(some.rejects(Path::new("/site/deep/draft-a.html")));
        assert!(some.rejects(Path::new("/site/deep/conf/x/y.toml")));
    }

    #[test]
    fn a_bad_glob_is_named() {
        let settings = Settings { ignore: vec!["a[".to_owned()], ..Settings::default() };
        let message = settings.check().unwrap_err().to_string();
        assert!(message.starts_with("autoreload: 'a[' in ignore is no glob: "), "{message}");
        let settings = Settings { include: vec!["!a".to_owned()], ..Settings::default() };
        let message = settings.check().unwrap_err().to_string();
        assert!(message.starts_with("autoreload: '!a' in include is no glob: "), "{message}");
    }
}
