//! A fixed response.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use crate::Body;
use crate::answer::{Asked, TEXT, fixed, may_have_body, text};
use crate::error::Fault;

/// Settings of a route that always gives the same answer, whatever the method; HEAD gets its headers alone.
///
/// The default is 200, `text/plain; charset=utf-8`, and for a body the name of the status.
///
/// ```
/// use sitebus_front::Respond;
/// let health = Respond::new("ok\n");
/// let closed = Respond::status(503).content_type("text/html; charset=utf-8").body("<h1>Back at noon</h1>");
/// # let _ = (health, closed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respond {
    status: u16,
    content_type: Option<String>,
    body: Option<Bytes>,
}

impl Respond {
    /// 200 with this body.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Respond {
        Respond::status(200).body(body)
    }

    /// This status, its name as the body.
    #[must_use]
    pub fn status(status: u16) -> Respond {
        Respond { status, content_type: None, body: None }
    }

    /// The media type of the body.
    #[must_use]
    pub fn content_type(self, content_type: impl Into<String>) -> Respond {
        Respond { content_type: Some(content_type.into()), ..self }
    }

    /// The body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Respond {
        Respond { body: Some(body.into()), ..self }
    }

    pub(crate) fn check(&self) -> Result<Answer, Fault> {
        let status = self.checked_status()?;
        let kind = match &self.content_type {
            None => TEXT,
            Some(kind) => {
                media_type(kind).ok_or_else(|| Fault::ContentType { content_type: kind.clone() })?
            }
        };
        let body = match &self.body {
            Some(body) if !body.is_empty() && !may_have_body(status) => {
                return Err(Fault::BodyNotAllowed { status: self.status });
            }
            Some(body) => body.clone(),
            None if may_have_body(status) => Bytes::from(text(status)),
            None => Bytes::new(),
        };
        Ok(Answer { status, kind, body })
    }

    fn checked_status(&self) -> Result<StatusCode, Fault> {
        match StatusCode::from_u16(self.status) {
            Ok(_) if matches!(self.status, 301 | 302 | 303 | 307 | 308) => {
                Err(Fault::StatusIsRedirect { status: self.status })
            }
            Ok(status) if (200..600).contains(&self.status) => Ok(status),
            _ => Err(Fault::Status { status: self.status }),
        }
    }
}

fn media_type(text: &str) -> Option<HeaderValue> {
    let (kind, rest) = text.split_once('/')?;
    let subtype = rest.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| !part.is_empty() && part.bytes().all(is_token);
    (token(kind) && token(subtype)).then(|| HeaderValue::from_str(text).ok()).flatten()
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A response, checked and ready to be given out.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    kind: HeaderValue,
    body: Bytes,
}

impl Answer {
    pub(crate) fn response(&self, asked: Asked) -> Response<Body> {
        fixed(asked, self.status, self.kind.clone(), self.body.clone())
    }
}
