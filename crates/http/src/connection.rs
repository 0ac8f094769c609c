//! One connection, from the first byte to the last.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::StatusCode;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::HttpService;
use crate::access;
use crate::alarm::Alarm;
use crate::ask::Ask;
use crate::close;
use crate::config::Config;
use crate::detect::{self, Nothing, detect};
use crate::drive::{Driver, Ended, Protocol};
use crate::io::Io;
use crate::slot::Slot;
use sitebus_bus::Level;

/// Serves the connection until it is over, and closes it.
pub(crate) async fn serve<S: HttpService>(mut io: Io, service: S, config: Arc<Config>) {
    let slot = Arc::clone(io.slot());
    let mut alarm = Alarm::default();
    match detect(&mut io, &config.limits, config.http2.is_some(), &mut alarm).await {
        Ok(detect::Protocol::Http1) => {
            let ask = Ask::new(service, Arc::clone(&slot), Arc::clone(&config), true);
            let mut connection = config.http1.serve_connection(TokioIo::new(io), ask).with_upgrades();
            let ended = Driver::new(&slot, &config.limits, &mut alarm).run(Pin::new(&mut connection)).await;
            report(&slot, &ended);
            note_refusal(&slot, &ended, &config);
            let Some(parts) = connection.into_parts() else {
                return; // upgraded: the socket has another owner
            };
            close::close(parts.io.into_inner(), &parts.read_buf, ended, &config.limits).await;
        }
        Ok(detect::Protocol::Http2) => {
            let Some(builder) = &config.http2 else { return };
            let ask = Ask::new(service, Arc::clone(&slot), Arc::clone(&config), false);
            // On the heap, so that the connections of HTTP/1 do not have to be as large.
            let connection = builder.serve_connection(TokioIo::new(io.shutting_down()), ask);
            let mut connection = Box::pin(connection);
            let ended = Driver::new(&slot, &config.limits, &mut alarm).run(connection.as_mut()).await;
            report(&slot, &ended);
        }
        Err(Nothing::Gone) => {}
        Err(Nothing::Late) => {
            note_refusal(&slot, &Ended::Late, &config);
            close::close(io, &[], Ended::Late, &config.limits).await;
        }
    }
}

/// The peer's faults are for whoever looks for them; ours are for the log.
fn report(slot: &Slot, ended: &Ended) {
    let peer = slot.peer;
    match ended {
        Ended::Done | Ended::Cut => {}
        Ended::Panicked(text) => {
            slot.site.log.log(Level::Error, format!("a panic closed the connection with {peer}: {text}"));
        }
        Ended::Broken(error) => tracing::debug!(%peer, %error, "connection broken"),
        Ended::Late => tracing::debug!(%peer, "the head of a request was not sent in time"),
        Ended::Stalled => tracing::debug!(%peer, "the peer did not move in time"),
        Ended::HalfClosed => {
            tracing::debug!(%peer, "the peer ended its side before its answer, and got none in time");
        }
        Ended::Silent => tracing::debug!(%peer, "the peer did not say goodbye in time"),
    }
}

/// What is answered without the service, and so without a request, belongs in the access log too.
fn note_refusal(slot: &Slot, ended: &Ended, config: &Config) {
    let status = match ended {
        Ended::Late => Some(StatusCode::REQUEST_TIMEOUT),
        Ended::Broken(error) => status_of(error),
        _ => None,
    };
    if let Some(status) = status.filter(|_| config.access_log) {
        access::refused(&slot.site.access, slot.peer, status);
    }
}

/// What hyper has answered by itself, by the error that it gives afterwards.
fn status_of(error: &hyper::Error) -> Option<StatusCode> {
    if !error.is_parse() || error.is_parse_version_h2() {
        return None;
    }
    Some(match error.is_parse_too_large() {
        // hyper has no question that tells the two apart.
        true if error.to_string().starts_with("URI") => StatusCode::URI_TOO_LONG,
        true => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        false => StatusCode::BAD_REQUEST,
    })
}

type Http1<S> = http1::UpgradeableConnection<TokioIo<Io>, Ask<S>>;
type Http2<S> = http2::Connection<TokioIo<Io>, Ask<S>, TokioExecutor>;

impl<S: HttpService> Protocol for Http1<S> {
    const BYTES_ARE_A_HEAD: bool = true;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Future::poll(self, cx)
    }

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S: HttpService> Protocol for Http2<S> {
    const BYTES_ARE_A_HEAD: bool = false;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Future::poll(self, cx)
    }

    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
