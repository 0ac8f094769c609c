//! One spelling for every path, so that a route cannot be walked around by writing its name differently.
//!
//! The *plain* form of a path has its percent-encoding undone, empty segments removed, and a slash at the end
//! exactly if the path was written with one. Two bytes stay encoded, `/` as `%2F` and `%` as `%25`: so different
//! segments never become equal, and an encoded slash never becomes a border between segments.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS};

/// What may not stand bare in the path of a URI (RFC 3986, section 3.3). `%` is absent: in a plain path it is
/// always the start of an escape.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path has a `.` or `..` segment, bare or encoded. Clients resolve these before they ask (RFC 3986,
/// section 5.2.4), so one that arrives is an attempt to leave the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DotSegment;

/// The plain form of a path that begins with `/`.
pub(crate) fn plain(raw: &str) -> Result<Cow<'_, [u8]>, DotSegment> {
    let bytes = raw.as_bytes();
    let odd = |pair: &[u8]| pair[0] == b'/' && (pair[1] == b'/' || pair[1] == b'.');
    if !bytes.contains(&b'%') && !bytes.windows(2).any(odd) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::with_capacity(bytes.len());
    for segment in raw.split('/').filter(|segment| !segment.is_empty()) {
        out.push(b'/');
        let start = out.len();
        decode_into(segment.as_bytes(), &mut out);
        if matches!(&out[start..], b"." | b"..") {
            return Err(DotSegment);
        }
    }
    if out.is_empty() || raw.ends_with('/') {
        out.push(b'/');
    }
    Ok(Cow::Owned(out))
}

fn decode_into(segment: &[u8], out: &mut Vec<u8>) {
    let mut rest = segment;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match tail {
            [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = after;
                match hex(*high) << 4 | hex(*low) {
                    b'/' => out.extend_from_slice(b"%2F"),
                    b'%' => out.extend_from_slice(b"%25"),
                    plain => out.push(plain),
                }
            }
            _ => out.extend_from_slice(b"%25"),
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// A plain path, or a part of one, as it may stand in a URI or a header.
pub(crate) fn encoded(plain: &[u8]) -> Cow<'_, str> {
    percent_encoding::percent_encode(plain, UNSAFE).into()
}

/// What is left of a path, as the client wrote it, after its first `segments` segments. Empty, or begins with
/// exactly one slash.
pub(crate) fn after_segments(raw: &str, segments: usize) -> &str {
    let mut rest = raw;
    for _ in 0..segments {
        let inside = rest.trim_start_matches('/');
        rest = inside.find('/').map_or("", |slash| &inside[slash..]);
    }
    let inside = rest.trim_start_matches('/');
    &rest[rest.len() - inside.len() - usize::from(inside.len() < rest.len())..]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use proptest::prelude::*;

    use super::*;

    fn plain_text(raw: &str) -> String {
        String::from_utf8(plain(raw).unwrap().into_owned()).unwrap()
    }

    #[test]
    fn spellings_of_one_path_have_one_plain_form() {
        for spelling in
            ["/secret/x", "//secret/x", "/secret//x", "/%73ecret/x", "/secret/%78", "///secret///x"]
        {
            assert_eq!(plain_text(spelling), "/secret/x", "{spelling}");
        }
    }

    #[test]
    fn a_slash_at_the_end_is_kept_and_a_bare_root_stays_a_root() {
        assert_eq!(plain_text("/a//"), "/a/");
        assert_eq!(plain_text("//"), "/");
        assert_eq!(plain_text("/"), "/");
    }

    #[test]
    fn an_encoded_slash_stays_inside_its_segment() {
        assert_eq!(plain_text("/secret%2fx"), "/secret%2Fx");
        assert_eq!(plain_text("/secret%252Fx"), "/secret%252Fx");
    }

    #[test]
    fn a_percent_sign_that_encodes_nothing_stands_for_itself() {
        assert_eq!(plain_text("/100%"), "/100%25");
        assert_eq!(plain_text("/%zz"), "/%25zz");
        assert_eq!(plain_text("/%2"), "/%252");
    }

    #[test]
    fn dot_segments_are_refused_in_every_spelling() {
        for raw in ["/..", "/../x", "/a/..", "/a/./b", "/%2e%2E/x", "/.%2e", "//..//"] {
            assert_eq!(plain(raw), Err(DotSegment), "{raw}");
        }
        assert_eq!(plain_text("/..."), "/...");
        assert_eq!(plain_text("/.well-known/x"), "/.well-known/x");
    }

    #[test]
    fn the_rest_of_a_path_begins_with_one_slash() {
        assert_eq!(after_segments("/api/users/1", 1), "/users/1");
        assert_eq!(after_segments("//api///users", 1), "/users");
        assert_eq!(after_segments("/api", 1), "");
        assert_eq!(after_segments("/api/", 1), "/");
        assert_eq!(after_segments("/api/a%2Fb", 1), "/a%2Fb");
        assert_eq!(after_segments("/a/b/c", 2), "/c");
    }

    proptest! {
        #[test]
        fn a_plain_path_encodes_back_to_itself(raw in "/[ -~é]{0,40}") {
            if let Ok(path) = plain(&raw) {
                let again = encoded(&path).into_owned();
                prop_assert_eq!(plain(&again).unwrap(), path);
            }
        }

        #[test]
        fn a_plain_path_never_holds_an_empty_or_a_dot_segment(raw in "/[/.%2eEfFa]{0,30}") {
            if let Ok(path) = plain(&raw) {
                let inside = path.strip_prefix(b"/").unwrap();
                let inside = inside.strip_suffix(b"/").unwrap_or(inside);
                if !inside.is_empty() {
                    for segment in inside.split(|byte| *byte == b'/') {
                        prop_assert!(!matches!(segment, b"" | b"." | b".."));
                    }
                }
            }
        }
    }
}
