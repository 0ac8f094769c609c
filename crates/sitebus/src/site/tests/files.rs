//! Files that cannot be read, and reports for machines.

use std::fs;

use super::{ROUTE, check, folder, known, shown};
use crate::site::SiteFile;

fn read(folder: &std::path::Path, name: &str) -> String {
    match SiteFile::read(folder.join(name), &[]) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(report) => shown(&report.to_string(), folder),
    }
}

#[test]
fn a_file_that_is_missing_says_how_to_get_one() {
    let folder = folder();
    assert_eq!(
        read(folder.path(), "site.toml"),
        "error: there is no site file `site.toml`\nhelp: the command `init` writes a first one"
    );
    fs::write(folder.path().join("site.toml"), ROUTE).unwrap();
    assert_eq!(
        read(folder.path(), "sites.toml"),
        "error: there is no site file `sites.toml`\nhelp: did you mean `site.toml`?\nhelp: the command `init` writes a first one"
    );
    assert_eq!(
        read(folder.path(), "public/index.html/site.toml"),
        "error: there is no site file `public/index.html/site.toml`\nhelp: a part of this path is a file where a folder should be"
    );
}

#[test]
fn a_folder_is_no_site_file_but_may_hold_one() {
    let folder = folder();
    assert_eq!(
        read(folder.path(), "public"),
        "error: `public` is a folder, not a site file\nhelp: the command `init public` writes a first site file into it"
    );
    fs::write(folder.path().join("public/site.toml"), ROUTE).unwrap();
    assert_eq!(
        read(folder.path(), "public"),
        "error: `public` is a folder, not a site file\nhelp: did you mean `public/site.toml`?"
    );
}

#[test]
fn a_file_that_is_too_large_is_not_read_to_its_end() {
    let folder = folder();
    fs::write(folder.path().join("large.toml"), "#".repeat(1024 * 1024 + 1)).unwrap();
    assert!(
        read(folder.path(), "large.toml")
            .starts_with("error: the site file `large.toml` is larger than 1 MiB")
    );
    fs::write(folder.path().join("large.toml"), "#".repeat(1024 * 1024)).unwrap();
    assert_eq!(read(folder.path(), "large.toml"), "nothing is wrong");
}

#[test]
fn what_is_neither_file_nor_folder_is_not_even_opened() {
    let folder = folder();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("site.toml")).unwrap();
    assert_eq!(
        read(folder.path(), "site.toml"),
        "error: `site.toml` is no file, but a socket\nhelp: write the site into a file: it is read again at every reload"
    );
    let said = SiteFile::read("/dev/null", &[]).unwrap_err().to_string();
    assert!(said.starts_with("error: `/dev/null` is no file, but a device"), "{said}");
}

#[test]
fn of_very_many_problems_the_first_are_shown_and_all_are_counted() {
    let folder = folder();
    let text: String = (0..20_000).map(|number| format!("key{number} = 1\n")).collect();
    let report = check(folder.path(), &text, &[]).unwrap_err();
    assert_eq!(report.len(), 20_000);
    let said = report.to_string();
    assert!(said.contains("error: 20000 problems in "), "{said}");
    assert!(said.ends_with(", of which these are the first"), "{said}");
    assert_eq!(said.matches("stands outside of every section").count(), 100);
    assert_eq!(report.to_json().matches("\"line\"").count(), 100);
}

#[test]
fn a_file_that_is_not_utf_8_says_where() {
    let folder = folder();
    fs::write(folder.path().join("latin.toml"), b"[site]\nname = \"gr\xf6\xdfe\"\n").unwrap();
    assert_eq!(
        read(folder.path(), "latin.toml"),
        "\
error: the site file is not UTF-8
 --> latin.toml:2:11
  |
2 | name = \"gr\u{fffd}\u{fffd}e\"
  |           ^ this is no character of UTF-8
  |
  = help: save it as UTF-8"
    );
    fs::write(folder.path().join("wide.toml"), b"\xff\xfe[\0s\0").unwrap();
    assert!(read(folder.path(), "wide.toml").contains("it looks like UTF-16: save it as UTF-8"));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let folder = folder();
    let text = format!("\u{feff}{}", ROUTE.replace('\n', "\r\n"));
    fs::write(folder.path().join("site.toml"), text).unwrap();
    let file = SiteFile::read(folder.path().join("site.toml"), &[]).unwrap();
    known().check(&file).unwrap();
}

#[test]
fn a_report_for_machines_has_a_line_a_column_and_a_cure() {
    let folder = folder();
    let text = format!("[http]\nlistn = []\nthreads = \"ä\"\n{ROUTE}");
    let report = check(folder.path(), &text, &["log.access=ja"]).unwrap_err();
    assert_eq!(report.len(), 3);
    let json = report.to_json().replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        json,
        r#"[
  {
    "level": "error",
    "file": "site.toml",
    "line": 2,
    "column": 1,
    "message": "`listn` is no key of `[http]`",
    "help": "did you mean `listen`?"
  },
  {
    "level": "error",
    "file": "site.toml",
    "line": 3,
    "column": 11,
    "message": "`http.threads` must be a whole number from 0 to 65535 (this is a string)",
    "help": null
  },
  {
    "level": "error",
    "file": "--set",
    "line": 1,
    "column": 12,
    "message": "`log.access` must be true or false (this is a string)",
    "help": null
  }
]"#
    );
    let nowhere = SiteFile::read(folder.path().join("none.toml"), &[]).unwrap_err().to_json();
    assert!(nowhere.contains("\"line\": null"), "{nowhere}");
}

#[test]
fn a_report_is_an_error_that_can_travel_and_does_not_write_to_the_terminal() {
    fn travels<T: std::error::Error + Send + Sync + 'static>() {}
    travels::<crate::site::Report>();
    let folder = folder();
    let text = format!("[http]\n\"\\u001b[31mred\" = 1\n\"\u{202e}back\" = 2\n{ROUTE}");
    let said = check(folder.path(), &text, &[]).unwrap_err().to_string();
    assert!(!said.contains('\u{1b}') && !said.contains('\u{202e}'), "{said:?}");
}
