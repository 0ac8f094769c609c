//! The access log: one line for each request that was answered, whoever answered it.

use std::fmt::{self, Write as _};
use std::time::Instant;

use http::{Method, Request, StatusCode, Uri, Version};

use sitebus_bus::{Level, Plugin};
use sitebus_serve::Peer;

/// What is known of a request while it is answered; written when dropped, if there was an answer.
pub(crate) struct Line {
    log: Plugin,
    peer: Peer,
    method: Method,
    uri: Uri,
    version: Version,
    began: Instant,
    pub(crate) status: Option<StatusCode>,
    pub(crate) bytes: u64,
}

impl Line {
    pub(crate) fn begin<B>(log: &Plugin, peer: Peer, request: &Request<B>) -> Box<Line> {
        Box::new(Line {
            log: log.clone(),
            peer,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            began: Instant::now(),
            status: None,
            bytes: 0,
        })
    }
}

/// Near the common log format; the time of day is the log's own business.
///
/// `127.0.0.1:50312 "GET /index.html HTTP/1.1" 200 5120 0.000412`: peer, request, status, bytes of body, seconds.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { peer, method, version, bytes, .. } = self;
        let status = self.status.map_or(0, |status| status.as_u16());
        let target = self.uri.path_and_query().map_or(self.uri.host().unwrap_or("*"), |path| path.as_str());
        let seconds = self.began.elapsed().as_secs_f64();
        write!(
            f,
            "{peer} \"{} {} {version:?}\" {status} {bytes} {seconds:.6}",
            Plain(method.as_str()),
            Plain(target)
        )
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.status.is_some() {
            self.log.log(Level::Info, self.to_string());
        }
    }
}

/// A request that was answered before it was understood, or before all of its head was there: of it only the peer is known.
///
/// `127.0.0.1:50312 "-" 400 0 -`: peer, no request, status, no body, and no time, since nobody knows when it began.
pub(crate) fn refused(log: &Plugin, peer: Peer, status: StatusCode) {
    log.log(Level::Info, format!("{peer} \"-\" {} 0 -", status.as_u16()));
}

/// Text from outside, such that nobody can end the line or the quotes, or talk to a terminal.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Plain;

    #[test]
    fn what_comes_from_outside_cannot_leave_its_quotes_or_its_line() {
        let evil = "/a\" 200\r\n1.2.3.4 \u{1b}[2J\\\u{e9}";
        assert_eq!(Plain(evil).to_string(), r#"/a\" 200\x0d\x0a1.2.3.4 \x1b[2J\\\xc3\xa9"#);
    }
}
