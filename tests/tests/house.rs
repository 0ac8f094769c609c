//! The rules of the house that a machine can check. Each failure says how to mend it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The crates of the house, by folder.
fn crates() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("crates")).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// Every Rust file of ours, as (path from the root, text).
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["crates", "examples", "tests", "benches"] {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() > 50, "the sources were not found");
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    files.into_iter().map(|path| (relative(&path), read(&path))).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The dependencies of a crate that are ours; development ones do not count, Cargo lets them go in a circle.
fn imports(name: &str) -> BTreeSet<String> {
    let manifest: toml::Table =
        toml::from_str(&read(&root().join("crates").join(name).join("Cargo.toml"))).unwrap();
    let Some(dependencies) = manifest.get("dependencies").and_then(toml::Value::as_table) else {
        return BTreeSet::new();
    };
    dependencies.keys().filter_map(|key| key.strip_prefix("sitebus-")).map(str::to_owned).collect()
}

#[test]
fn imports_go_in_one_direction() {
    // What each crate may import; sitebus has all of them. As ARCHITECTURE.md draws it. A new line here is a decision: take it there first.
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("bus", &[][..]),
        ("os", &[]),
        ("serve", &["os"]),
        ("front", &[]),
        ("signals", &["bus", "os"]),
        ("autoreload", &["bus", "os"]),
        ("control", &["bus", "os"]),
        ("daemonize", &["bus", "os"]),
        ("pidfile", &["bus", "os"]),
        ("privileges", &["bus", "os"]),
        ("restart", &["bus", "os"]),
        ("http", &["bus", "serve"]),
        ("log", &["bus", "os"]),
        ("systemd", &["bus", "os", "serve"]),
        ("tasks", &["bus"]),
        ("testkit", &["bus", "os"]),
    ]);
    for name in crates().into_iter().filter(|name| name != "sitebus") {
        let allowed = allowed.get(name.as_str()).unwrap_or_else(|| {
            panic!("crates/{name} is new: give it a place in ARCHITECTURE.md, and then in this test")
        });
        let allowed: BTreeSet<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        let wrong: Vec<_> = imports(&name).difference(&allowed).cloned().collect();
        assert!(
            wrong.is_empty(),
            "crates/{name} imports {wrong:?}, which lies outside the one direction: use a topic"
        );
    }
}

#[test]
fn the_map_names_every_folder_and_every_folder_is_on_the_map() {
    let map = read(&root().join("ARCHITECTURE.md"));
    let named: BTreeSet<String> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `crates/"))
        .filter_map(|line| line.split('`').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(
        named,
        crates(),
        "the table of crates in ARCHITECTURE.md and the folders below crates/ differ"
    );
    for folder in ["crates/", "examples/", "tests/", "benches/", "docs/"] {
        assert!(map.contains(&format!("`{folder}`")), "ARCHITECTURE.md does not say what {folder} is for");
    }
}

#[test]
fn every_crate_has_a_readme_that_is_its_documentation() {
    for name in crates() {
        let folder = root().join("crates").join(&name);
        let library = read(&folder.join("src/lib.rs"));
        let readme = if name == "sitebus" { "../../../README.md" } else { "../README.md" };
        let include = format!("#![doc = include_str!(\"{readme}\")]");
        assert!(library.starts_with(&include), "crates/{name}/src/lib.rs must begin with {include}");
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    for (path, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        let told = first.starts_with("//!") || first.starts_with("#![doc = include_str!");
        assert!(told, "{path}: the first line must be a //! sentence that says what the file is for");
    }
}

#[test]
fn no_file_tells_two_stories() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        let limit = if path.contains("/tests/") || path.contains("model") { 800 } else { 400 };
        assert!(
            lines <= limit,
            "{path} has {lines} lines, more than {limit}: it tells two stories; make two files"
        );
    }
}

#[test]
fn only_os_says_unsafe() {
    for (path, text) in sources() {
        if path.starts_with("crates/os/") {
            continue;
        }
        let block = ["unsafe {", "unsafe fn", "unsafe impl"].into_iter().find(|block| {
            text.lines().any(|line| {
                line.contains(block) && !line.trim_start().starts_with("//") && !line.contains('"')
            })
        });
        assert!(block.is_none(), "{path} says `{}`: that belongs in crates/os", block.unwrap_or_default());
    }
}

#[test]
fn nothing_is_left_for_later_and_nobody_sleeps_for_luck() {
    // Spelt in two halves, so that this file does not find itself.
    let banned = [
        ("TO", "DO", "write it, or an issue"),
        ("FIX", "ME", "mend it, or write an issue"),
        ("#[ig", "nore", "a test that does not run is no test"),
        ("thread::sl", "eep(", "wait for the event, with a deadline"),
        ("time::sl", "eep(", "wait for the event, with a deadline"),
        ("mod ut", "ils", "name it for what it does"),
    ];
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for (left, right, cure) in banned {
                let found = line.contains(&format!("{left}{right}")) && !line.contains("sleep-is-meant:");
                assert!(!found, "{path}:{}: {left}{right}: {cure}", number + 1);
            }
        }
    }
}

#[test]
fn names_are_exported_one_by_one() {
    for (path, text) in sources() {
        let glob = text.lines().find(|line| line.trim_start().starts_with("pub use") && line.contains("::*"));
        assert!(
            glob.is_none(),
            "{path}: {}: export by name, so that a reader finds where it lives",
            glob.unwrap_or_default()
        );
    }
}

#[test]
fn the_changelog_knows_the_version() {
    let manifest: toml::Table = toml::from_str(&read(&root().join("Cargo.toml"))).unwrap();
    let version = manifest["workspace"]["package"]["version"].as_str().unwrap().to_owned();
    let changelog = read(&root().join("CHANGELOG.md"));
    assert!(changelog.contains(&format!("## [{version}]")), "CHANGELOG.md has no section for {version}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .map(|name| root().join(name))
        .into();
    documents.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    for document in
        documents.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        for link in read(document).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let target = document.parent().unwrap().join(file);
            assert!(target.exists(), "{}: the link to {link} leads nowhere", document.display());
        }
    }
}
