//! The socket as hyper sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::slot::{CUT, FINISH, Slot, YIELD};
use sitebus_serve::{Entry, Stream};

/// A head and a body that are as small as this together are cheaper to copy than to have gathered by the kernel.
const SMALL: usize = 1024;

/// A socket with its place in the table, which lasts as long as the socket does, upgraded or not.
///
/// Bytes that were read to find out the protocol are read once more by hyper. With HTTP/1 its shutdown does nothing, so
/// that the socket can be taken back when hyper is done with it.
pub(crate) struct Io {
    stream: Stream,
    ahead: Bytes,
    entry: Entry<Slot>,
    shuts_down: bool,
}

impl Io {
    pub(crate) fn new(stream: Stream, entry: Entry<Slot>) -> Io {
        Io { stream, ahead: Bytes::new(), entry, shuts_down: false }
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

    /// From now on a shutdown shuts down.
    pub(crate) fn shutting_down(mut self) -> Io {
        self.shuts_down = true;
        self
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
