//! Site files that are wrong: said with place and cure, in the same words by `run` and by `check`, and nothing is started.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::net::TcpListener;

use sitebus_tests::{Folder, program, run};

const ROUTE: &str = "[[route]]\npath = \"/\"\nstatic = \"public\"\n";

/// A mistake, and what must be said about it.
struct Mistake {
    text: String,
    set: &'static [&'static str],
    /// `line:column`; none where there is no place.
    place: Option<&'static str>,
    says: &'static [&'static str],
}

fn mistake(text: impl Into<String>, place: &'static str, says: &'static [&'static str]) -> Mistake {
    Mistake { text: text.into(), set: &[], place: Some(place), says }
}

/// `run`, `check` and `check --json` on one bad file.
fn is_refused(Mistake { text, set, place, says }: &Mistake) {
    let folder = Folder::small();
    folder.write("site.toml", text);
    is_refused_in(&folder, "site.toml", set, *place, says);
}

fn is_refused_in(folder: &Folder, file: &str, set: &[&str], place: Option<&str>, says: &[&str]) {
    let before = folder.list();
    let mut options = vec![file];
    set.iter().for_each(|set| options.extend(["--set", set]));
    let ran = run(program!(), folder.path(), &[&["run"], &options[..]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    let origin = if set.is_empty() { file } else { "--set" };
    for part in says {
        assert!(ran.stderr.contains(part), "{part:?} is missing in:\n{}", ran.stderr);
    }
    if let Some(place) = place {
        let arrow = format!("--> {origin}:{place}\n");
        assert!(ran.stderr.contains(&arrow), "{arrow:?} is missing in:\n{}", ran.stderr);
        assert!(ran.stderr.contains('^'), "no caret in:\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("Bus "), "nothing is started: {}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "no colours without a terminal: {:?}", ran.stderr);
    assert_eq!(folder.list(), before, "nothing is made");

    let checked = run(program!(), folder.path(), &[&["check"], &options[..]].concat());
    assert_eq!((checked.code, &checked.stderr), (Some(2), &ran.stderr), "check and run say the same");

    let json = run(program!(), folder.path(), &[&["check", "--json"], &options[..]].concat());
    assert_eq!((json.code, json.stderr.as_str()), (Some(2), ""));
    let entries: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let entry = &entries[0];
    let found = entry["line"].as_u64().zip(entry["column"].as_u64());
    let found = found.map(|(line, column)| format!("{line}:{column}"));
    assert_eq!(found.as_deref(), place, "{}", json.stdout);
    assert!(
        ran.stderr.contains(entry["message"].as_str().unwrap().split(" (").next().unwrap()),
        "{}",
        json.stdout
    );
    assert_eq!(entry["file"], origin);
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    is_refused(&mistake(
        format!("[http]\nlisten = [\"127.0.0.1:0\"]\nidle_timout = \"1s\"\n{ROUTE}"),
        "3:1",
        &["`idle_timout` is no key of `[http]`", "did you mean `idle_timeout`?"],
    ));
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_the_right_one() {
    is_refused(&mistake(
        format!("[http]\nlisten = \"127.0.0.1:0\"\n{ROUTE}"),
        "2:10",
        &["`http.listen` must be an array", "put it in brackets: `[\"127.0.0.1:0\"]`"],
    ));
    is_refused(&mistake(
        format!("[http]\nmax_connections = \"100\"\n{ROUTE}"),
        "2:19",
        &["leave out the quotes: `100`"],
    ));
}

#[test]
fn a_missing_folder_is_refused_with_the_nearest_one() {
    is_refused(&mistake(
        "[[route]]\npath = \"/\"\nstatic = \"pubilc\"\n",
        "3:10",
        &["there is no folder `pubilc`", "did you mean `public`?"],
    ));
}

#[test]
fn two_routes_on_one_path_are_refused_with_both_places() {
    is_refused(&mistake(
        format!("{ROUTE}[[route]]\npath = \"/\"\nrespond = {{}}\n"),
        "5:8",
        &["two routes have the path `/`", "first here"],
    ));
}

#[test]
fn an_unknown_section_is_refused_with_the_one_that_was_meant() {
    is_refused(&mistake(
        format!("[htpp]\nlisten = []\n{ROUTE}"),
        "1:2",
        &["there is no section `htpp`", "did you mean `[http]`?"],
    ));
}

#[test]
fn a_bad_address_is_refused_with_a_good_one() {
    is_refused(&mistake(
        format!("[http]\nlisten = [\"8080\"]\n{ROUTE}"),
        "2:11",
        &["is only a port", "127.0.0.1:8080"],
    ));
    is_refused(&mistake(
        format!("[http]\nlisten = [\"127.0.0.1:0\", \"localhost:0\"]\n{ROUTE}"),
        "2:26",
        &["listened to twice", "remove one of the two"],
    ));
}

#[test]
fn a_syntax_error_is_refused_where_it_is() {
    is_refused(&mistake(
        format!("[http]\nlisten = [\"127.0.0.1:0\"\n{ROUTE}"),
        "2:10",
        &["this bracket is not closed"],
    ));
    is_refused(&mistake(
        format!("[site]\nname = hello\n{ROUTE}"),
        "2:8",
        &["`hello` is no value", "\"hello\""],
    ));
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_where_it_stops_to_be() {
    let folder = Folder::small();
    folder.write("site.toml", b"[site]\nname = \"caf\xe9\"\n");
    is_refused_in(&folder, "site.toml", &[], Some("2:12"), &["is not UTF-8", "save it as UTF-8"]);
}

#[test]
fn a_site_without_routes_is_refused_with_an_example() {
    let empty = Mistake {
        text: "[http]\nlisten = [\"127.0.0.1:0\"]\n".to_owned(),
        set: &[],
        place: None,
        says: &["the site has no routes", "[[route]]"],
    };
    is_refused(&empty);
}

#[test]
fn a_missing_file_and_a_folder_are_refused_with_what_to_do() {
    let folder = Folder::small();
    is_refused_in(
        &folder,
        "sit.toml",
        &[],
        None,
        &["there is no site file `sit.toml`", "did you mean `site.toml`?"],
    );
    is_refused_in(&folder, "public", &[], None, &["`public` is a folder, not a site file"]);
    is_refused_in(
        &folder,
        "no/where.toml",
        &[],
        None,
        &["there is no site file", "the command `init` writes a first one"],
    );
}

#[test]
fn a_bad_override_is_refused_at_its_own_place() {
    for (set, place, says) in [
        ("http.lisen=[]", "1:6", "did you mean `listen`?"),
        ("http.listen", "1:1", "write it as `--set key=value`"),
        ("http.listen=127.0.0.1:0", "1:13", "put it in brackets"),
        ("route.7.static=public", "1:7", "the array has no entry `7`"),
    ] {
        let folder = Folder::small();
        is_refused_in(&folder, "site.toml", &[set], Some(place), &[says]);
    }
}

#[test]
fn all_mistakes_are_in_one_report() {
    let folder = Folder::small();
    folder.write(
        "site.toml",
        "[site]\nnmae = \"x\"\n[http]\nlisten = [\"8080\"]\nthreads = 0\n[[route]]\npath = \"x\"\n",
    );
    let ran = run(program!(), folder.path(), &["check"]);
    for part in
        ["did you mean `name`?", "is only a port", "without threads no request", "this route has no answer"]
    {
        assert!(ran.stderr.contains(part), "{part:?} is missing in:\n{}", ran.stderr);
    }
}

#[test]
fn a_file_that_is_wrong_does_not_even_touch_its_port() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::small();
    folder.write("site.toml", format!("[http]\nlisten = [\"{address}\"]\nlsten = 1\n{ROUTE}"));
    let ran = run(program!(), folder.path(), &["run"]);
    assert_eq!(ran.code, Some(2));
    assert!(!ran.stderr.contains("cannot listen"), "{}", ran.stderr);
    assert!(!folder.at(".sitebus").exists());
}

#[test]
fn a_right_file_is_an_empty_array_in_json() {
    let folder = Folder::small();
    let checked = run(program!(), folder.path(), &["check", "--json"]);
    assert_eq!((checked.code, checked.stdout.as_str(), checked.stderr.as_str()), (Some(0), "[]\n", ""));
}

#[test]
fn what_a_file_quotes_cannot_talk_to_the_terminal() {
    let folder = Folder::small();
    folder.write("site.toml", format!("[http]\n\"li\\u001b[2Jsten\" = 1\n{ROUTE}"));
    let ran = run(program!(), folder.path(), &["check"]);
    assert_eq!(ran.code, Some(2));
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
    folder.write("site.toml", format!("[site]\nname = \"a\u{202e}\u{7}b\"\n{ROUTE}"));
    let ran = run(program!(), folder.path(), &["check"]);
    assert!(!ran.stderr.contains(['\u{202e}', '\u{7}']), "{:?}", ran.stderr);
}
