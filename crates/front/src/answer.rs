//! The small answers that the front gives by itself.

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::Body;

pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// What an answer must know about its request after the request is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    head: bool,
    html: bool,
}

impl Asked {
    pub(crate) fn new(method: &Method, headers: &HeaderMap) -> Asked {
        let names_html = |value: &HeaderValue| {
            value.as_bytes().windows(9).any(|part| part.eq_ignore_ascii_case(b"text/html"))
        };
        Asked { head: *method == Method::HEAD, html: headers.get_all(ACCEPT).iter().any(names_html) }
    }
}

/// An answer of fixed bytes. HEAD gets the same headers and no bytes (RFC 9110, section 9.3.2).
pub(crate) fn fixed(asked: Asked, status: StatusCode, kind: HeaderValue, bytes: Bytes) -> Response<Body> {
    let length = bytes.len();
    let mut response = Response::new(if asked.head { Body::empty() } else { Body::from(bytes) });
    *response.status_mut() = status;
    if may_have_body(status) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// Whether answers of this status carry a body at all (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
pub(crate) fn may_have_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// A status with one line of explanation: HTML for a client that asks for HTML, otherwise text. Nothing of the
/// request is repeated in it.
pub(crate) fn page(asked: Asked, status: StatusCode) -> Response<Body> {
    if asked.html {
        fixed(asked, status, HTML, Bytes::from(html(status)))
    } else {
        fixed(asked, status, TEXT, Bytes::from(text(status)))
    }
}

/// "404 Not Found" and the end of the line.
pub(crate) fn text(status: StatusCode) -> String {
    format!("{}\n", title(status))
}

fn html(status: StatusCode) -> String {
    let title = title(status);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <h1>{title}</h1>\n"
    )
}

fn title(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// A 405, which must name the methods that would do (RFC 9110, section 15.5.6).
pub(crate) fn method_not_allowed(asked: Asked, allow: &'static str) -> Response<Body> {
    let mut response = page(asked, StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// An answer that sends the client elsewhere.
pub(crate) fn moved(asked: Asked, status: StatusCode, location: HeaderValue) -> Response<Body> {
    let mut response = page(asked, status);
    response.headers_mut().insert(LOCATION, location);
    response
}
