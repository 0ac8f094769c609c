//! The settings, made ready for connections.

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::settings::{DEFAULT_HEADER_COUNT, Limits, Settings};

/// hyper's own buffer for a connection of HTTP/1, in bytes; a larger head needs more.
const BUFFER: usize = 8192 + 4096 * 100;

/// What a new connection needs of the settings.
pub(crate) struct Config {
    pub(crate) limits: Limits,
    pub(crate) access_log: bool,
    pub(crate) http1: http1::Builder,
    /// `None`: not spoken.
    pub(crate) http2: Option<http2::Builder<TokioExecutor>>,
}

impl Config {
    pub(crate) fn new(settings: &Settings) -> Config {
        let limits = settings.limits.clone();
        Config {
            http1: http1(&limits),
            http2: settings.http2.then(|| http2(&limits)),
            access_log: settings.access_log,
            limits,
        }
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The time of heads is kept by the driver, which knows a half-sent head from an idle connection and needs no timer for
    // each request.
    builder.timer(TokioTimer::new()).header_read_timeout(None);
    // A client that has said all may still wait for the answer. Whether it does is watched by the socket's wrapper.
    builder.half_close(true);
    builder.max_header_size(limits.header_bytes).max_buf_size(BUFFER.max(limits.header_bytes));
    if limits.header_count != DEFAULT_HEADER_COUNT {
        builder.max_headers(limits.header_count);
    }
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).max_concurrent_streams(limits.streams);
    builder.max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}
