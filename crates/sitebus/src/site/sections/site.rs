//! `[site]`

use std::path::PathBuf;

use serde::Deserialize;

use crate::site::{Check, Section, Spanned};

const LONGEST_NAME: usize = 64;

/// `[site]`: the site as a whole.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SiteSection {
    /// The name of the site: in log lines, names of files and names of processes. Letters, digits, `.`, `_` and `-`.
    pub name: Option<Spanned<String>>,
    /// The folder in which the site keeps what outlives its processes; made when it is missing. It has one owner at
    /// a time.
    pub state: Option<Spanned<PathBuf>>,
}

impl Section for SiteSection {
    fn check(&self, check: &mut Check<'_>) {
        if let Some(name) = &self.name
            && let Some(wrong) = wrong_name(name)
        {
            check.problem(name, wrong).help("a name is letters, digits, `.`, `_` and `-`, such as `shop`");
        }
        if let Some(state) = &self.state {
            let folder = check.path(&**state);
            if folder.exists() && !folder.is_dir() {
                check
                    .problem(state, "the state of a site is a folder, and this is a file")
                    .help("name a folder");
            }
        }
    }
}

fn wrong_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("the name of the site is empty");
    }
    if name.len() > LONGEST_NAME {
        return Some("the name of the site is longer than 64 bytes");
    }
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.starts_with('.') || !name.chars().all(good) {
        return Some("the name of the site would not do as the name of a file");
    }
    None
}
