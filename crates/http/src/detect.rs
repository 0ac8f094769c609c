//! Which protocol a client speaks, by its first bytes.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;

use crate::alarm::{Alarm, nanos};
use crate::io::Io;
use crate::settings::Limits;
use crate::slot::{CUT, FINISH, YIELD};

/// What a client of HTTP/2 sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Most heads fit; what does not is read by hyper.
const FIRST_READ: usize = 2048;

/// A client that has just connected may be about to send, even if we are about to stop.
const JUST_CONNECTED: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Why it was not found out.
#[derive(Debug)]
pub(crate) enum Nothing {
    /// The peer went away, or was asked to while it had not said anything.
    Gone,
    /// It began to say something and did not go on.
    Late,
}

/// Reads until it is clear which protocol it is; what was read will be read again.
pub(crate) async fn detect(
    io: &mut Io,
    limits: &Limits,
    http2: bool,
    alarm: &mut Alarm,
) -> Result<Protocol, Nothing> {
    let mut ahead = BytesMut::with_capacity(FIRST_READ);
    loop {
        let read = std::future::poll_fn(|cx| poll_more(io, &mut ahead, limits, alarm, cx)).await?;
        let said = &ahead[..ahead.len().min(PREFACE.len())];
        let protocol = if !http2 || !PREFACE.starts_with(said) {
            Protocol::Http1
        } else if said.len() == PREFACE.len() {
            Protocol::Http2
        } else if read == 0 {
            return Err(Nothing::Gone);
        } else {
            continue;
        };
        if ahead.is_empty() {
            return Err(Nothing::Gone);
        }
        io.rewind(ahead.freeze());
        return Ok(protocol);
    }
}

fn poll_more(
    io: &mut Io,
    ahead: &mut BytesMut,
    limits: &Limits,
    alarm: &mut Alarm,
    cx: &mut Context<'_>,
) -> Poll<Result<usize, Nothing>> {
    let read: Poll<io::Result<usize>> = pin!(io.read_buf(ahead)).poll(cx);
    match read {
        Poll::Ready(Ok(read)) => return Poll::Ready(Ok(read)),
        Poll::Ready(Err(_)) => return Poll::Ready(Err(Nothing::Gone)),
        Poll::Pending => {}
    }
    let slot = io.slot();
    slot.register(cx.waker());
    if !ahead.is_empty() {
        slot.is_not_idle();
    }
    let (now, orders) = (slot.age(), slot.orders());
    let mut due = nanos(limits.header_time);
    if orders & CUT != 0 || orders & YIELD != 0 && ahead.is_empty() {
        return Poll::Ready(Err(Nothing::Gone));
    }
    if orders & FINISH != 0 && ahead.is_empty() {
        due = due.min(nanos(JUST_CONNECTED));
    }
    if now >= due {
        return Poll::Ready(Err(if ahead.is_empty() { Nothing::Gone } else { Nothing::Late }));
    }
    alarm.wake_by(slot.opened, due, now, cx);
    Poll::Pending
}
