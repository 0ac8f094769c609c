//! Values from the command line.

use super::{ROUTE, check, complaint, folder};
use crate::site::{HttpSection, RouteSections, SiteSection};

#[test]
fn a_value_from_the_command_line_replaces_the_one_of_the_file() {
    let folder = folder();
    let text = format!("[http]\nlisten = [\"127.0.0.1:8080\"]\n{ROUTE}");
    let set = [r#"http.listen=["127.0.0.1:0"]"#, "http.threads = 2", "site.name=shop", "site.name=my-shop"];
    let file = check(folder.path(), &text, &set).unwrap();
    let http = file.section::<HttpSection>("http").unwrap().unwrap();
    assert_eq!(http.listen.as_ref().unwrap()[0].as_str(), "127.0.0.1:0");
    assert_eq!(http.threads.as_ref().map(|threads| **threads), Some(2));
    let site = file.section::<SiteSection>("site").unwrap().unwrap();
    assert_eq!(site.name.as_ref().map(|name| name.as_str()), Some("my-shop"));
}

#[test]
fn an_entry_of_an_array_is_reached_by_its_number() {
    let folder = folder();
    let file = check(folder.path(), ROUTE, &["route.0.path=/a/"]).unwrap();
    let routes = file.section::<RouteSections>("route").unwrap().unwrap();
    assert_eq!(routes.list()[0].path.as_str(), "/a/");
}

#[test]
fn a_site_can_come_from_the_command_line_alone() {
    let folder = folder();
    let file = check(folder.path(), "", &[r#"route=[{path="/", static="public"}]"#]).unwrap();
    assert_eq!(file.section::<RouteSections>("route").unwrap().unwrap().list().len(), 1);
}

#[test]
fn what_looks_like_no_toml_is_a_string() {
    let folder = folder();
    for (set, name) in [
        ("site.name=a.b", "a.b"),
        ("site.name = \"x\" ", "x"),
        ("site.name=1.2.3", "1.2.3"),
        ("site.'name'=q", "q"),
    ] {
        let file = check(folder.path(), ROUTE, &[set]).unwrap();
        let site = file.section::<SiteSection>("site").unwrap().unwrap();
        assert_eq!(site.name.as_ref().map(|name| name.as_str()), Some(name), "{set}");
    }
}

/// The set, and what is said about it.
const BAD: [(&str, &str); 14] = [
    (
        "http.listn=[]",
        "error: `listn` is no key of `[http]`
 --> --set:1:6
  |
1 | http.listn=[]
  |      ^^^^^
  |
  = help: did you mean `listen`?",
    ),
    (
        "http.listen=127.0.0.1:0",
        "error: `http.listen` must be an array
 --> --set:1:13
  |
1 | http.listen=127.0.0.1:0
  |             ^^^^^^^^^^^ this is a string
  |
  = help: put it in brackets: `[\"127.0.0.1:0\"]`",
    ),
    (
        "http.listen=[\"127.0.0.1\"]",
        "error: the address `127.0.0.1` has no port
 --> --set:1:14
  |
1 | http.listen=[\"127.0.0.1\"]
  |              ^^^^^^^^^^^
  |
  = help: write it as in 127.0.0.1:8080",
    ),
    (
        "http.listen=[127.0.0.1:0]",
        "error: `127.0.0.1:0` is no value
 --> --set:1:14
  |
1 | http.listen=[127.0.0.1:0]
  |              ^^^^^^^^^^^
  |
  = help: put text in quotes: `\"127.0.0.1:0\"`",
    ),
    (
        "site.name=8080",
        "error: `site.name` must be a string
 --> --set:1:11
  |
1 | site.name=8080
  |           ^^^^ this is a whole number
  |
  = help: quote it for the shell and for TOML: `'\"8080\"'`",
    ),
    (
        "htpp.threads=1",
        "error: there is no section `htpp`
 --> --set:1:1
  |
1 | htpp.threads=1
  | ^^^^
  |
  = help: did you mean `[http]`?",
    ),
    (
        "http.threads",
        "error: this has no `=`
 --> --set:1:1
  |
1 | http.threads
  | ^^^^^^^^^^^^
  |
  = help: write it as `--set key=value`",
    ),
    (
        "=1",
        "error: this is no key
 --> --set:1:1
  |
1 | =1
  | ^
  |
  = help: a key is names with dots between, such as `http.listen`, or `route.0.path` in an array",
    ),
    (
        "route[0].path=/",
        "error: this is no key
 --> --set:1:1
  |
1 | route[0].path=/
  | ^^^^^^^^^^^^^
  |
  = help: a key is names with dots between, such as `http.listen`, or `route.0.path` in an array",
    ),
    (
        "route.1.path=/",
        "error: the array has no entry `1`
 --> --set:1:7
  |
1 | route.1.path=/
  |       ^
  |
  = help: its one entry is `0`; to have more, set the whole array",
    ),
    (
        "route.0.path.x=/",
        "error: there is no `x` to set
 --> --set:1:14
  |
1 | route.0.path.x=/
  |         ---- ^
  |         |
  |         this is a string",
    ),
    (
        "route.0.static=publik",
        "error: there is no folder `publik`
 --> --set:1:16
  |
1 | route.0.static=publik
  |                ^^^^^^
  |
  = help: did you mean `public`?",
    ),
    (
        "site.name=\"shop",
        "error: this string is not closed
 --> --set:1:11
  |
1 | site.name=\"shop
  |           ^
  |
  = help: write `\"` where it ends",
    ),
    (
        "http.header_timeout=10",
        "error: `http.header_timeout` must be a duration such as \"10s\", \"500ms\" or \"1m30s\"
 --> --set:1:21
  |
1 | http.header_timeout=10
  |                     ^^ this is a whole number",
    ),
];

#[test]
fn a_bad_value_from_the_command_line_is_shown_where_it_was_written() {
    let folder = folder();
    let mut wrong = Vec::new();
    for (set, report) in BAD {
        let said = complaint(folder.path(), ROUTE, &[set]);
        if said != report {
            wrong.push(format!("== {set}\n-- said\n{said}\n-- should have said\n{report}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_clash_between_the_file_and_the_command_line_shows_both() {
    let folder = folder();
    let text = format!("{ROUTE}\n[[route]]\npath = \"/a\"\nredirect = \"/b\"\n");
    assert_eq!(
        complaint(folder.path(), &text, &["route.1.path=/"]),
        "\
error: two routes have the path `/`
 --> --set:1:14
  |
1 | route.1.path=/
  |              ^
  |
 ::: site.toml:2:8
  |
2 | path = \"/\"
  |        --- first here
  |
  = help: remove one of the two, or give it another path"
    );
}
