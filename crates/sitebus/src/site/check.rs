//! What a section's own check may ask, and where it complains.

use std::path::{Path, PathBuf};

use super::file::SiteFile;
use super::known::Known;
use super::names::nearest;
use super::problem::Problem;
use super::span::Span;

/// Handed to [`Section::check`](super::Section::check).
#[derive(Debug)]
pub struct Check<'a> {
    file: &'a SiteFile,
    known: Option<&'a Known>,
    section: Span,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    pub(super) fn new(file: &'a SiteFile, known: Option<&'a Known>, section: Span) -> Check<'a> {
        Check { file, known, section, problems: Vec::new() }
    }

    /// Complains about a value. The problem that is returned can be given help and notes.
    pub fn problem(&mut self, at: impl Into<Span>, message: impl Into<String>) -> &mut Problem {
        self.problems.push(Problem::new(at, message));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    /// Where the section begins, for complaints about what is not in it.
    pub fn section(&self) -> Span {
        self.section
    }

    /// A path of the file, relative ones counted from the folder of the file.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.file.folder().join(path)
    }

    /// The whole path of the folder that the site file is in.
    pub fn folder(&self) -> &Path {
        self.file.folder()
    }

    /// The mounted applications, if they are known at this time.
    pub(super) fn apps(&self) -> Option<&'a [String]> {
        self.known.map(Known::apps)
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// The entry of the path's folder whose name is most like the path's, for "did you mean".
pub(super) fn nearest_entry(path: &Path) -> Option<String> {
    let entries = std::fs::read_dir(path.parent()?).ok()?.take(1000).filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str)).map(str::to_owned)
}
