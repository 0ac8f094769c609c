//! A connection, whatever kind of listener it came from.

use std::io::{self, IoSlice, Read as _};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

/// A connection that was accepted: bytes in both directions, through tokio's traits.
#[derive(Debug)]
pub struct Stream {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub(crate) fn tcp(stream: TcpStream) -> Stream {
        Stream { inner: Inner::Tcp(stream) }
    }

    pub(crate) fn unix(stream: UnixStream) -> Stream {
        Stream { inner: Inner::Unix(stream) }
    }

    /// Reads what the kernel has at this moment, even if the runtime has not noticed yet that something came.
    ///
    /// For the last look before an idle connection is closed: an ordinary read may say "nothing yet" although a request
    /// lies there.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; 0 bytes are the peer's end of the conversation.
    pub fn read_now(&self, into: &mut [u8]) -> io::Result<usize> {
        (&*self.socket()).read(into)
    }

    /// Tells the peer that nothing more will come, and goes on reading (shutdown(2)).
    ///
    /// # Errors
    /// `NotConnected` if the peer is gone.
    pub fn end_writing(&self) -> io::Result<()> {
        self.socket().shutdown(Shutdown::Write)
    }

    /// Resolves when the peer is known to be gone: it has reset the connection or, at a Unix socket, has closed it already.
    /// That it has said its last word is not enough, since it may still be waiting for ours.
    ///
    /// For a connection whose end was read. Watching needs a descriptor of its own, and a tokio runtime with network.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub fn peer_is_gone(&self) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        // The readiness of the connection's own descriptor tells of the end for ever, so nobody could be woken by more.
        let again = self.socket().try_clone()?;
        let watched = match &self.inner {
            Inner::Tcp(_) => Inner::Tcp(TcpStream::from_std(again.into())?),
            Inner::Unix(_) => Inner::Unix(UnixStream::from_std(again.into())?),
        };
        Ok(async move {
            let now = watched.ready(Interest::READABLE | Interest::WRITABLE).await;
            if now.is_ok_and(|now| !now.is_write_closed()) {
                let _ = watched.ready(Interest::ERROR).await; // an error says that the runtime ends
            }
        })
    }

    /// Closes with a reset instead of an orderly end, so that the peer cannot take what it got for the whole.
    pub fn abort(self) {
        // Closing with a linger time of zero resets (socket(7), SO_LINGER). If that fails, the end is an orderly one.
        let _ = self.socket().set_linger(Some(Duration::ZERO));
    }

    fn socket(&self) -> SockRef<'_> {
        match &self.inner {
            Inner::Tcp(stream) => SockRef::from(stream),
            Inner::Unix(stream) => SockRef::from(stream),
        }
    }
}

impl Inner {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Inner::Tcp(stream) => stream.ready(interest).await,
            Inner::Unix(stream) => stream.ready(interest).await,
        }
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            Inner::Unix(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_write(cx, from),
            Inner::Unix(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, from),
            Inner::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, from),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // nothing is kept back here
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
