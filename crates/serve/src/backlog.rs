//! Closing a listener without losing the connections that the kernel has already made.
//!
//! Whoever has connected but was not accepted gets a reset when the listener closes. So everything that is ready is
//! taken first; and meanwhile, on Linux, the socket is deaf to new handshakes, which clients simply repeat: a second
//! later they find either the next listener or nobody.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};

use crate::accept::Host;
use crate::backoff::concerns_one_connection;
use crate::listener::Bare;
use crate::{Peer, Stream};

/// Handshakes that were half done when the socket became deaf have so long to end.
const HALF_DONE: Duration = Duration::from_millis(10);
/// When descriptors are short: how often it is tried again, and how long to wait each time.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// From a socket that others can still connect to while it closes, no more than this is taken: what the kernel can have
/// kept ready at most, unless that was raised.
const MOST: usize = 4096;

/// Takes all connections that are ready, closes the listener, and says how many there were.
///
/// A socket that is not `ours` may be somebody else's as well, so it is not made deaf. Then, as with Unix sockets, clients
/// may come as fast as they are taken, so there is an end to it.
pub(crate) async fn empty<H: Host>(socket: Bare, ours: bool, host: &mut H) -> usize {
    let deaf = matches!(socket, Bare::Tcp(_)) && deafen(socket.reference(), ours);
    if !deaf {
        return take_ready(|| accept_now(&socket), MOST, host).await;
    }
    let taken = take_ready(|| accept_now(&socket), usize::MAX, host).await;
    tokio::time::sleep(HALF_DONE).await; // sleep-is-meant: the kernel does not tell when they are done
    taken + take_ready(|| accept_now(&socket), usize::MAX, host).await
}

async fn take_ready<H: Host>(
    mut accept: impl FnMut() -> io::Result<(Stream, Peer)> + Send,
    most: usize,
    host: &mut H,
) -> usize {
    let (mut taken, mut given_up, mut tries) = (0, 0, TRIES);
    while taken < most {
        match accept() {
            Ok((stream, peer)) => {
                taken += 1;
                host.accepted(stream, peer).await;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if concerns_one_connection(&error) && given_up < MOST => given_up += 1,
            Err(_) if tries > 0 => {
                tries -= 1;
                host.make_room();
                tokio::time::sleep(PAUSE).await; // sleep-is-meant: nobody tells when a descriptor is free
            }
            Err(_) => break,
        }
    }
    taken
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

/// Drops packets that open a connection: `SYN` without `ACK`, in byte 13 of the TCP header (RFC 9293, 3.1). Says whether it
/// does.
#[cfg(target_os = "linux")]
pub(crate) fn deafen(socket: SockRef<'_>, ours: bool) -> bool {
    use socket2::SockFilter;
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const SKIP_UNLESS_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const SYN: u32 = 0x02;
    const SYN_AND_ACK: u32 = 0x12;
    ours && socket
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
pub(crate) fn deafen(_: SockRef<'_>, _: bool) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use std::os::unix::net;

    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::Event;

    /// A client that comes back as soon as it is taken.
    struct Restless {
        path: std::path::PathBuf,
        client: net::UnixStream,
    }

    impl Host for Restless {
        async fn accepted(&mut self, _: Stream, _: Peer) {
            self.client = net::UnixStream::connect(&self.path).unwrap();
        }

        fn report(&mut self, _: Event<'_>) {}
    }

    fn restless() -> (tempfile::TempDir, Bare, Restless) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = net::UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let client = net::UnixStream::connect(&path).unwrap();
        (folder, Bare::Unix(listener), Restless { path, client })
    }

    /// Without a timer, so a pause would be a panic.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(future)
    }

    #[test]
    fn closing_ends_although_clients_come_as_fast_as_they_are_taken() {
        let (_folder, socket, mut host) = restless();
        assert_eq!(block_on(empty(socket, true, &mut host)), MOST);
    }

    /// Has a descriptor to spare once it is asked for one.
    struct Thrifty(Arc<AtomicBool>);

    impl Host for Thrifty {
        async fn accepted(&mut self, _: Stream, _: Peer) {}

        fn make_room(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }

        fn report(&mut self, _: Event<'_>) {}
    }

    #[test]
    fn a_host_may_free_the_descriptors_that_the_last_connections_need() {
        let (_folder, socket, _restless) = restless();
        let freed = Arc::new(AtomicBool::new(false));
        let mut host = Thrifty(Arc::clone(&freed));
        let accept = || {
            if freed.load(Ordering::SeqCst) { accept_now(&socket) } else { Err(io::ErrorKind::Other.into()) }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(take_ready(accept, 1, &mut host)), 1);
    }

    #[test]
    fn a_connection_that_gave_up_costs_closing_no_pause() {
        let (_folder, socket, mut host) = restless();
        let mut aborted = 100;
        let accept = || {
            if aborted > 0 {
                aborted -= 1;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            accept_now(&socket)
        };
        assert_eq!(block_on(take_ready(accept, 1, &mut host)), 1);
        assert_eq!(aborted, 0);
    }
}
