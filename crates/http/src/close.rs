//! The orderly end of a connection of HTTP/1.
//!
//! A socket that is closed while bytes of the peer lie unread, or come later, resets the connection, and the reset can
//! overtake our last answer. So we stop writing first and go on reading for a while.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

use crate::drive::Ended;
use crate::io::Io;
use crate::settings::Limits;
use crate::slot::{CUT, FINISH, Phase, YIELD};

/// What a peer is told that did not finish its request (RFC 9110, 15.5.9).
const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Nobody lingers for longer, whatever is set.
const LONGEST: Duration = Duration::from_secs(3600);

/// After so much time an answer has arrived, or never will. While the server stops, nobody lingers for longer.
const SETTLED: Duration = Duration::from_millis(200);

pub(crate) async fn close(mut io: Io, unread: &[u8], ended: Ended, limits: &Limits) {
    io.slot().closes();
    match ended {
        Ended::Cut | Ended::Stalled | Ended::HalfClosed | Ended::Silent | Ended::Panicked(_) => {
            // An answer may be half written, and must not look like a whole one.
            io.into_stream().0.abort();
            return;
        }
        Ended::Late => say_once(&mut io, TOO_LATE).await,
        Ended::Broken(_) | Ended::Done => {}
    }
    if !needs_lingering(&io, unread, limits) || io.stream().end_writing().is_err() {
        return;
    }
    let began = io.slot().idle_since().unwrap_or_else(Instant::now);
    let (settled, until) = (began + SETTLED, Instant::now() + limits.linger.min(LONGEST));
    loop {
        let now = Instant::now();
        if now >= until || io.slot().is_told(FINISH) && now >= settled {
            return;
        }
        let step = if now < settled { settled.min(until) } else { until.min(now + SETTLED) };
        if tokio::time::timeout_at(step.into(), discard(&mut io)).await.is_ok() {
            return;
        }
    }
}

/// As much as the kernel takes at once.
async fn say_once(io: &mut Io, what: &[u8]) {
    poll_fn(|cx| {
        let _ = Pin::new(&mut *io).poll_write(cx, what);
        Poll::Ready(())
    })
    .await;
}

fn needs_lingering(io: &Io, unread: &[u8], limits: &Limits) -> bool {
    let slot = io.slot();
    if slot.is_told(YIELD) {
        return false; // its place is needed
    }
    let long_idle = slot.idle_since().is_some_and(|since| since.elapsed() >= SETTLED.min(limits.linger));
    let nothing_pending = slot.phase() == Phase::Idle && unread.is_empty() && !io.has_ahead();
    // After `Connection: close` a client must not send anything (RFC 9112, 9.6).
    let nothing_comes = slot.peer_has_ended() || slot.peer_has_said_close() || long_idle;
    !(nothing_pending && nothing_comes)
}

/// Until the peer ends, or an order comes.
async fn discard(io: &mut Io) {
    poll_fn(|cx| {
        let mut waste = [0; 1024]; // here, and so not for the whole life of every connection
        io.slot().register(cx.waker());
        loop {
            if io.slot().is_told(CUT | YIELD) {
                return Poll::Ready(());
            }
            match pin!(io.read(&mut waste)).poll(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}
