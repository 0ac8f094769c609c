//! Site files, good and bad, and what is said about them.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod bad_keys;
mod bad_plugins;
mod bad_routes;
mod bad_syntax;
mod bad_values;
mod files;
mod good;
mod overrides;
mod property;

use std::path::Path;

use tempfile::TempDir;

use super::{Known, Report, SiteFile};

/// A bad file, and exactly what is said about it.
struct Case {
    name: &'static str,
    text: &'static str,
    report: &'static str,
}

const ROUTE: &str = "[[route]]\npath = \"/\"\nstatic = \"public\"\n";

/// A folder with something to serve.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("public")).unwrap();
    std::fs::write(folder.path().join("public/index.html"), "hello").unwrap();
    folder
}

fn known() -> Known {
    let mut known = Known::new();
    known.app("blog");
    known.app("shop");
    known
}

/// The same without the folder's name, which is another one each time.
fn shown(report: &str, folder: &Path) -> String {
    let folder = folder.display().to_string();
    report.replace(&format!("{folder}/"), "").replace(&folder, "FOLDER")
}

fn check(folder: &Path, text: &str, overrides: &[&str]) -> Result<SiteFile, Report> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let file = SiteFile::from_text(folder.join("site.toml"), text, &overrides)?;
    known().check(&file)?;
    Ok(file)
}

fn complaint(folder: &Path, text: &str, overrides: &[&str]) -> String {
    match check(folder, text, overrides) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(report) => shown(&report.to_string(), folder),
    }
}

#[test]
fn every_bad_file_is_explained_with_place_and_cure() {
    let folder = folder();
    let all = [bad_keys::CASES, bad_plugins::CASES, bad_routes::CASES, bad_syntax::CASES, bad_values::CASES];
    let mut wrong = Vec::new();
    for Case { name, text, report } in all.into_iter().flatten() {
        let route = if text.contains("route]") { "" } else { ROUTE };
        let said = complaint(folder.path(), &format!("{text}{route}"), &[]);
        if said != *report {
            wrong.push(format!("== {name}\n{text}-- said\n{said}\n-- should have said\n{report}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
