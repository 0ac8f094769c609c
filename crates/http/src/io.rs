//! The socket as hyper sees it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::slot::{CUT, FINISH, Slot, YIELD};
use sitebus_serve::{Entry, Stream};

/// A head and a body that are as small as this together are cheaper to copy than to have gathered by the kernel.
const SMALL: usize = 1024;

/// What a client sends while it waits for an answer is kept up to here; beyond that nobody looks whether it is still there.
const MOST_AHEAD: usize = 16 * 1024;

/// Resolves when the peer is gone.
type Gone = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A socket with its place in the table, which lasts as long as the socket does, upgraded or not.
///
/// Bytes that were read to find out the protocol are read once more by hyper. While a request of HTTP/1 is being answered
/// hyper reads nothing, so whether the peer is still there is watched here: see [`Io::watch`]. With HTTP/1 its shutdown does nothing, so
/// that the socket can be taken back when hyper is done with it.
pub(crate) struct Io {
    stream: Stream,
    ahead: Bytes,
    /// Of a peer that has ended its side while a request was being answered.
    gone: Option<Gone>,
    entry: Entry<Slot>,
    shuts_down: bool,
}

impl Io {
    pub(crate) fn new(stream: Stream, entry: Entry<Slot>) -> Io {
        Io { stream, ahead: Bytes::new(), gone: None, entry, shuts_down: false }
    }

    pub(crate) fn slot(&self) -> &Arc<Slot> {
        self.entry.shared()
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(crate) fn into_stream(self) -> (Stream, Entry<Slot>) {
        (self.stream, self.entry)
    }

    /// To be read again, before what comes next.
    pub(crate) fn rewind(&mut self, ahead: Bytes) {
        self.ahead = ahead;
    }

    /// Whether there are bytes of the peer that hyper has not got.
    pub(crate) fn has_ahead(&self) -> bool {
        self.ahead.has_remaining()
    }

    /// From now on a shutdown shuts down.
    pub(crate) fn shutting_down(mut self) -> Io {
        self.shuts_down = true;
        self
    }

    /// Finds out whether the peer is gone, while it is our turn to speak. A reset is an error, and so the end of the handler;
    /// an end of the peer's side is noted, for the driver to bear with it for a while.
    fn watch(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut room = [MaybeUninit::uninit(); 2048];
        while !self.slot().peer_has_ended() && self.ahead.len() < MOST_AHEAD {
            let mut into = ReadBuf::uninit(&mut room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut into) {
                Poll::Pending => return Ok(()),
                Poll::Ready(read) => read?,
            }
            self.slot().has_read(into.filled().len());
            self.keep(into.filled());
        }
        if self.slot().peer_has_ended() { self.watch_half_closed(cx) } else { Ok(()) }
    }

    /// A request that came before its turn.
    fn keep(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut ahead = BytesMut::from(std::mem::take(&mut self.ahead));
            ahead.extend_from_slice(bytes);
            self.ahead = ahead.freeze();
        }
    }

    #[cold]
    fn watch_half_closed(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.gone.is_none() {
            // Without a descriptor for it, a reset is found when something is sent, or the driver's patience ends.
            let gone: Gone = match self.stream.peer_is_gone() {
                Ok(gone) => Box::pin(gone),
                Err(_) => Box::pin(std::future::pending()),
            };
            self.gone = Some(gone);
        }
        match self.gone.as_mut().map(|gone| gone.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Err(io::ErrorKind::ConnectionReset.into()),
            Some(Poll::Pending) | None => Ok(()),
        }
    }

    /// Nothing has come; but an order to close may be waiting for exactly that, so look closely.
    #[cold]
    fn last_look(&self, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let slot = self.slot();
        if slot.is_upgraded() {
            slot.register(cx.waker());
            self.unless_cut()?;
        }
        if !slot.is_told(FINISH | YIELD) {
            return Poll::Pending;
        }
        let mut bytes = [0; 4096];
        let room = into.remaining().min(bytes.len());
        match self.stream.read_now(&mut bytes[..room]) {
            Ok(read) => {
                slot.has_read(read);
                into.put_slice(&bytes[..read]);
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn unless_cut(&self) -> io::Result<()> {
        if self.slot().is_told(CUT) && self.slot().is_upgraded() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server has stopped"));
        }
        Ok(())
    }
}

impl AsyncRead for Io {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.has_remaining() {
            let fits = self.ahead.len().min(into.remaining());
            let first = self.ahead.split_to(fits);
            into.put_slice(&first);
            self.slot().hears();
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, into) {
            Poll::Ready(Ok(())) => {
                self.slot().has_read(into.filled().len() - before);
                Poll::Ready(Ok(()))
            }
            Poll::Pending if self.slot().orders() != 0 || self.slot().is_upgraded() => {
                self.last_look(cx, into)
            }
            other => other,
        }
    }
}

impl AsyncWrite for Io {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.unless_cut()?;
        let written = Pin::new(&mut self.stream).poll_write(cx, from);
        self.note(written)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unless_cut()?;
        let total: usize = from.iter().map(|part| part.len()).sum();
        if total > SMALL {
            let written = Pin::new(&mut self.stream).poll_write_vectored(cx, from);
            return self.note(written);
        }
        let mut whole = [0; SMALL];
        let mut end = 0;
        for part in from {
            whole[end..end + part.len()].copy_from_slice(part);
            end += part.len();
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, &whole[..end]);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes whenever it has been polled, also if there is nothing to send.
        if !self.shuts_down && self.slot().is_answering() {
            self.watch(cx)?;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.shuts_down || self.slot().is_upgraded() {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }
}

impl Io {
    #[inline]
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.slot().cannot_write(),
            Poll::Ready(_) => self.slot().has_written(),
        }
        written
    }
}
