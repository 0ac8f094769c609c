//! A redirect.

use http::{HeaderValue, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::answer::{Asked, moved, page};
use crate::error::{Fault, TargetFault};
use crate::{Body, path};

/// What may not stand bare in a whole target; the marks that divide it, and `%`, may.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// How a client is told to go elsewhere (RFC 9110, section 15.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moved {
    /// 307: for now, with the same method and body. The default, since a browser keeps a permanent redirect even
    /// after the mistake in it was corrected.
    #[default]
    Temporary,
    /// 308: for ever, with the same method and body.
    Permanently,
    /// 301: for ever; old clients turn a POST into a GET.
    PermanentlyAsGet,
    /// 302: for now; old clients turn a POST into a GET.
    TemporaryAsGet,
    /// 303: look there with GET, whatever was asked here.
    SeeOther,
}

impl Moved {
    /// The way that has this status, if it is a status of redirects.
    #[must_use]
    pub fn from_status(status: u16) -> Option<Moved> {
        Some(match status {
            301 => Moved::PermanentlyAsGet,
            302 => Moved::TemporaryAsGet,
            303 => Moved::SeeOther,
            307 => Moved::Temporary,
            308 => Moved::Permanently,
            _ => return None,
        })
    }

    fn status(self) -> StatusCode {
        match self {
            Moved::PermanentlyAsGet => StatusCode::MOVED_PERMANENTLY,
            Moved::TemporaryAsGet => StatusCode::FOUND,
            Moved::SeeOther => StatusCode::SEE_OTHER,
            Moved::Temporary => StatusCode::TEMPORARY_REDIRECT,
            Moved::Permanently => StatusCode::PERMANENT_REDIRECT,
        }
    }
}

/// Settings of a route that sends its clients elsewhere.
///
/// The target is a path of this site (`/new/`) or a whole address (`https://example.com/`). The query of the request
/// is kept, unless the target has one of its own. If the route is a subtree and the target ends with a slash, the
/// rest of the path is kept too: with `/old/` sent to `/new/`, `/old/a?b` goes to `/new/a?b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    target: String,
    moved: Moved,
}

impl Redirect {
    /// Temporarily to `target`.
    #[must_use]
    pub fn to(target: impl Into<String>) -> Redirect {
        Redirect { target: target.into(), moved: Moved::default() }
    }

    /// In another way.
    #[must_use]
    pub fn moved(self, moved: Moved) -> Redirect {
        Redirect { moved, ..self }
    }

    /// Where to, as it was given.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    pub(crate) fn check(&self) -> Result<Away, Fault> {
        let fault = |why| Fault::Target { target: self.target.clone(), why };
        check_target(&self.target).map_err(fault)?;
        let target = utf8_percent_encode(&self.target, UNSAFE).to_string();
        let (before, fragment) = match target.split_once('#') {
            Some((before, fragment)) => (before.to_owned(), format!("#{fragment}")),
            None => (target, String::new()),
        };
        Ok(Away { status: self.moved.status(), before, fragment })
    }
}

fn check_target(target: &str) -> Result<(), TargetFault> {
    if target.chars().any(char::is_control) {
        return Err(TargetFault::Control);
    }
    if target.starts_with("//") || target.starts_with("/\\") {
        return Err(TargetFault::NoScheme);
    }
    if target.starts_with('/') {
        return Ok(());
    }
    let has_scheme = ["http://", "https://"]
        .iter()
        .any(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    if !has_scheme {
        return Err(TargetFault::Relative);
    }
    let uri: Result<Uri, _> = utf8_percent_encode(target, UNSAFE).to_string().parse();
    match uri {
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        _ => Err(TargetFault::NoHost),
    }
}

/// A redirect, checked and ready to be given out.
#[derive(Clone, Debug)]
pub(crate) struct Away {
    status: StatusCode,
    before: String,
    fragment: String,
}

impl Away {
    /// The path to which a request for `below` is sent, if it is on this site.
    pub(crate) fn own_path(&self, below: &[u8]) -> Option<String> {
        let location = self.location(below, None);
        let path = location.split(['?', '#']).next()?;
        path.starts_with('/').then(|| path.to_owned())
    }

    /// `below` is the plain path after the route, empty for an exact route.
    pub(crate) fn response(&self, asked: Asked, below: &[u8], query: Option<&str>) -> Response<Body> {
        match HeaderValue::try_from(self.location(below, query)) {
            Ok(location) => moved(asked, self.status, location),
            Err(_) => page(asked, StatusCode::NOT_FOUND),
        }
    }

    fn location(&self, below: &[u8], query: Option<&str>) -> String {
        let mut location = self.before.clone();
        if location.ends_with('/') {
            // A plain path has no second slash at its start, so the rest cannot name another host.
            location.push_str(&path::encoded(below.strip_prefix(b"/").unwrap_or(below)));
        }
        if let Some(query) = query
            && !self.before.contains('?')
        {
            location.push('?');
            location.push_str(query);
        }
        location.push_str(&self.fragment);
        location
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn location(target: &str, below: &str, query: Option<&str>) -> String {
        Redirect::to(target).check().unwrap().location(below.as_bytes(), query)
    }

    #[test]
    fn the_rest_of_the_path_is_kept_if_the_target_ends_with_a_slash() {
        assert_eq!(location("/new/", "/a/b", Some("c=d")), "/new/a/b?c=d");
        assert_eq!(location("/new", "/a/b", Some("c=d")), "/new?c=d");
        assert_eq!(location("https://example.com/", "/a", None), "https://example.com/a");
        assert_eq!(location("/", "/evil.example", None), "/evil.example");
    }

    #[test]
    fn a_target_keeps_its_own_query_and_fragment() {
        assert_eq!(location("/new?x=1", "", Some("c=d")), "/new?x=1");
        assert_eq!(location("/new#part", "", Some("c=d")), "/new?c=d#part");
    }

    #[test]
    fn a_target_is_encoded_once() {
        assert_eq!(location("/größe x", "", None), "/gr%C3%B6%C3%9Fe%20x");
        assert_eq!(location("/gr%C3%B6%C3%9Fe", "", None), "/gr%C3%B6%C3%9Fe");
    }

    #[test]
    fn targets_that_lead_nowhere_are_refused() {
        for (target, why) in [
            ("", TargetFault::Relative),
            ("new/", TargetFault::Relative),
            ("example.com", TargetFault::Relative),
            ("javascript:alert(1)", TargetFault::Relative),
            ("//example.com/", TargetFault::NoScheme),
            ("https://", TargetFault::NoHost),
            ("https:///x", TargetFault::NoHost),
            ("/a\r\nSet-Cookie: x", TargetFault::Control),
        ] {
            assert_eq!(check_target(target), Err(why), "{target:?}");
        }
    }
}
