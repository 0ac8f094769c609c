//! Closing a listener without losing the connections that the kernel has already made.
//!
//! Whoever has connected but was not accepted gets a reset when the listener closes. So everything that is ready is
//! taken first; and meanwhile, on Linux, the socket is deaf to new handshakes, which clients simply repeat: a second
//! later they find either the next listener or nobody.

use crate::accept::Host;
use crate::listener::Bare;
use crate::{Peer, Stream};
use std::io;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

/// Handshakes that were half done when the socket became deaf have so long to end.
const HALF_DONE: Duration = Duration::from_millis(10);
/// When descriptors are short: how often it is tried again, and how long to wait each time.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Takes all connections that are ready, closes the listener, and says how many there were.
///
/// A socket that is not `ours` may be somebody else's as well, so it is not made deaf.
pub(crate) async fn empty<H: Host>(socket: Bare, ours: bool, host: &mut H) -> usize {
    let deaf = ours && matches!(socket, Bare::Tcp(_)) && deafen(&socket);
    let mut taken = take_ready(&socket, host).await;
    if deaf {
        tokio::time::sleep(HALF_DONE).await; // sleep-is-meant: the kernel does not tell when they are done
        taken += take_ready(&socket, host).await;
    }
    taken
}

async fn take_ready<H: Host>(socket: &Bare, host: &mut H) -> usize {
    let (mut taken, mut tries) = (0, TRIES);
    loop {
        match accept_now(socket) {
            Ok((stream, peer)) => {
                taken += 1;
                host.accepted(stream, peer).await;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return taken,
            Err(_) if tries > 0 => {
                tries -= 1;
                tokio::time::sleep(PAUSE).await; // sleep-is-meant: nobody tells when a descriptor is free
            }
            Err(_) => return taken,
        }
    }
}

fn accept_now(socket: &Bare) -> io::Result<(Stream, Peer)> {
    match socket {
        Bare::Tcp(socket) => {
            let (stream, peer) = socket.accept()?;
            stream.set_nonblocking(true)?;
            Ok((Stream::tcp(TcpStream::from_std(stream)?), Peer::Tcp(peer)))
        }
        Bare::Unix(socket) => {
            let (stream, _) = socket.accept()?;
            stream.set_nonblocking(true)?;
            Ok((Stream::unix(UnixStream::from_std(stream)?), Peer::Unix))
        }
    }
}

/// Drops packets that open a connection: `SYN` without `ACK`, in byte 13 of the TCP header (RFC 9293, 3.1).
#[cfg(target_os = "linux")]
fn deafen(socket: &Bare) -> bool {
    use socket2::SockFilter;
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const SKIP_UNLESS_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const SYN: u32 = 0x02;
    const SYN_AND_ACK: u32 = 0x12;
    socket
        .reference()
        .attach_filter(&[
            SockFilter::new(LOAD_BYTE, 0, 0, 13),
            SockFilter::new(AND, 0, 0, SYN_AND_ACK),
            SockFilter::new(SKIP_UNLESS_EQUAL, 0, 1, SYN),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ])
        .is_ok()
}

#[cfg(not(target_os = "linux"))]
fn deafen(_: &Bare) -> bool {
    false
}
