//! Which site a file is about: all that its commands need, and all that a file that is wrong elsewhere must still say.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::file::{decode, load, plain};
use super::overrides;
use super::report::Report;
use super::source::{OVERRIDE, Sources};
use super::syntax;

/// What could be found out about a site without understanding its file.
#[derive(Debug)]
pub(crate) struct WhichSite {
    /// `name` in `[site]`.
    pub(crate) name: Option<String>,
    /// `state` in `[site]`, as it was written.
    pub(crate) state: Option<PathBuf>,
    /// The whole path of the folder of the file.
    pub(crate) folder: PathBuf,
    /// Whether there is a file at all.
    pub(crate) is_text: bool,
    /// Why what was found may not be what was meant.
    pub(crate) doubt: Option<Report>,
}

impl WhichSite {
    /// Reads as much as can be read. What the values beside `[site]` are does not matter, and is no doubt.
    pub(crate) fn read(path: &Path, overrides: &[String]) -> WhichSite {
        let shown = path.display().to_string();
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = whole.parent().unwrap_or(Path::new("/")).to_owned();
        let (text, unreadable) = match load(path) {
            Ok(bytes) => decode(bytes),
            Err(problem) => (String::new(), Some(problem)),
        };
        let (text, is_text) = (plain(&text), unreadable.is_none());
        let mut sources = Sources::default();
        sources.add(&shown, &text);
        overrides.iter().for_each(|text| sources.add(OVERRIDE, text));
        let (root, problems) = syntax::parse(&text);
        let (root, more) = overrides::apply(root, sources.overrides());
        let problems = unreadable.into_iter().chain(problems).chain(more).collect();
        let doubt = Report::unless_empty(&shown, &sources, problems).err();
        let (name, state) = (value(&root, "name"), value(&root, "state").map(PathBuf::from));
        WhichSite { name, state, folder, is_text, doubt }
    }
}

fn value(root: &DeTable<'_>, key: &str) -> Option<String> {
    let DeValue::Table(site) = root.get("site")?.get_ref() else { return None };
    let value = site.get(key)?.get_ref().as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use std::fs;

    use super::*;

    fn of(text: &str, overrides: &[&str]) -> WhichSite {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.toml");
        fs::write(&path, text).unwrap();
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        let which = WhichSite::read(&path, &overrides);
        assert_eq!(which.folder, folder.path());
        which
    }

    #[test]
    fn a_file_that_is_wrong_elsewhere_still_says_which_site_it_is() {
        for text in [
            "[site]\nname = 'shop'\nstate = 'run'\ncolour = 3\n[htp]\nlisten = 5\n",
            "site = { name = 'shop', state = 'run' }\n[[route]]\n",
        ] {
            let which = of(text, &[]);
            assert_eq!(
                (which.name.as_deref(), which.state.as_deref()),
                (Some("shop"), Some(Path::new("run")))
            );
            assert!(which.is_text && which.doubt.is_none(), "{:?}", which.doubt);
        }
        let which = of("[site]\nname = 5\nstate = ['x']\n", &[]);
        assert_eq!((which.name, which.state), (None, None));
        let which = of("", &["site.name=blog"]);
        assert_eq!(which.name.as_deref(), Some("blog"));
    }

    #[test]
    fn what_is_no_toml_says_what_it_can_and_is_doubted() {
        let which = of("[site]\nname = 'shop'\n[http\nlisten = [\n", &[]);
        assert_eq!(which.name.as_deref(), Some("shop"));
        assert!(which.is_text);
        assert!(which.doubt.unwrap().to_string().contains("site.toml:3"));
        let which = WhichSite::read(Path::new("/nowhere/site.toml"), &[]);
        assert!(!which.is_text && which.doubt.is_some());
        assert_eq!(which.folder, Path::new("/nowhere"));
    }
}
