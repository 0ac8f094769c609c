//! No text makes it panic.

use proptest::prelude::*;

use super::{check, known};
use crate::site::{Report, SiteFile};

/// All that may be done with a report.
fn look_at(result: Result<SiteFile, Report>) {
    if let Err(report) = result {
        let _ = (report.to_string(), report.to_json(), report.len());
    }
}

/// Text that is TOML more often than not.
fn almost_toml() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        "(listen|path|static|respond|redirect|app|name|state|threads|access|HUP|status|type|body|to)",
        "[a-zäß\\-_]{0,8}",
    ];
    let value = prop_oneof![
        Just("[\"127.0.0.1:0\"]".to_owned()),
        Just("{ status = 200, body = \"x\" }".to_owned()),
        "\"[ -~ß/]{0,12}\"",
        "-?[0-9]{1,20}",
        "(true|false|1979-05-27|0x1f|1e9|\\[\\]|\\{\\}|''')",
        "[ -~]{0,12}",
    ];
    let header = prop_oneof![
        "\\[(site|http|signals|log|http\\.x|route)\\]",
        Just("[[route]]".to_owned()),
        "\\[{0,2}[a-z]{0,5}\\]{0,2}",
    ];
    let line = prop_oneof![
        (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        header,
        "[\\PC\r\t]{0,20}",
    ];
    (prop::collection::vec(line, 0..12), prop_oneof![Just("\n"), Just("\r\n")])
        .prop_map(|(lines, end)| lines.join(end))
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        look_at(check("/nowhere".as_ref(), &text, &[]));
    }

    #[test]
    fn no_text_that_is_almost_a_site_file_panics(text in almost_toml()) {
        look_at(check("/nowhere".as_ref(), &text, &[]));
    }

    #[test]
    fn no_value_from_the_command_line_panics(
        text in almost_toml(),
        set in prop_oneof!["\\PC{0,40}", "(site|http|route|log)(\\.(0|1|path|name|listen|x)){0,3}=[ -~]{0,20}"],
    ) {
        look_at(check("/nowhere".as_ref(), &text, &[&set]));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.toml");
        std::fs::write(&path, bytes).unwrap();
        look_at(SiteFile::read(path, &[]).and_then(|file| known().check(&file).map(|()| file)));
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for text in [
        format!("a = {}", "[".repeat(200_000)),
        format!("{}a = 1", "a.".repeat(200_000)),
        format!("[{}a]", "a.".repeat(200_000)),
        format!("a = {}1", "{a=".repeat(100_000)),
    ] {
        let report = check("/nowhere".as_ref(), &text, &[]).unwrap_err();
        assert!(report.to_string().len() < 20_000);
    }
}

#[test]
fn many_mistakes_in_a_large_file_are_reported_soon_and_shortly() {
    let text = "[http]\n".to_owned() + &(0..30_000).map(|n| format!("key{n} = {n}\n")).collect::<String>();
    let report = check("/nowhere".as_ref(), &text, &[]).unwrap_err();
    assert!(report.len() <= 22);
}
