//! The body of a request, and of an answer.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use crate::BoxError;
use crate::slot::Slot;
use sitebus_serve::{Address, Peer};

/// The body that a handler receives, and that it may answer with.
///
/// As a request's body it keeps to [`Limits::body_bytes`](crate::Limits::body_bytes) and knows the connection it came on.
/// As an answer's it is made from a string or bytes, or from any other body with [`Body::new`].
#[derive(Default)]
pub struct Body {
    inner: Inner,
    /// Of a request that came on a connection.
    origin: Option<Arc<Slot>>,
}

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Once(Bytes),
    /// On the heap, since most requests have no body, and every answer would have to be as large.
    Received(Box<Received>),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

struct Received {
    incoming: Incoming,
    left: u64,
    limit: u64,
    /// Whether the connection is to be cut if the peer does not go on; with HTTP/2 it has other requests as well.
    watched: Option<Arc<Slot>>,
}

/// Why a body cannot be read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is longer than allowed.
    #[error("the body of the request is longer than the {limit} bytes that are allowed (Limits::body_bytes)")]
    TooLarge {
        /// What is allowed, in bytes.
        limit: u64,
    },
    /// The peer went away, or broke the protocol.
    #[error("the body of the request was not received to its end: {0}")]
    Broken(BoxError),
    /// The body that was wrapped by [`Body::new`] said so.
    #[error(transparent)]
    Failed(BoxError),
}

impl Body {
    /// No bytes.
    #[must_use]
    pub fn empty() -> Body {
        Body::default()
    }

    /// Wraps any other body, at the price of one allocation.
    pub fn new<B>(body: B) -> Body
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Body { inner: Inner::Boxed(body.map_err(Into::into).boxed_unsync()), origin: None }
    }

    /// `None` if more is announced than allowed.
    #[inline]
    pub(crate) fn received(incoming: Incoming, limit: u64, origin: &Arc<Slot>, http1: bool) -> Option<Body> {
        use http_body::Body as _;
        if incoming.is_end_stream() {
            return Some(Body { inner: Inner::Empty, origin: Some(Arc::clone(origin)) });
        }
        if incoming.size_hint().lower() > limit {
            return None;
        }
        if http1 {
            origin.body_begins();
        }
        let inner = Inner::Received(Box::new(Received {
            incoming,
            left: limit,
            limit,
            watched: http1.then(|| Arc::clone(origin)),
        }));
        Some(Body { inner, origin: Some(Arc::clone(origin)) })
    }

    /// Who sent the request; `None` if it did not come from a connection.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.origin.as_ref().map(|slot| slot.peer)
    }

    /// The address at which the server accepted the connection; `None` if there was none.
    #[must_use]
    pub fn local(&self) -> Option<&Address> {
        self.origin.as_ref().map(|slot| &*slot.local)
    }

    /// Resolves when the server begins to stop: an answer that has no end of its own, such as a stream of events, should
    /// end then, or it will be cut at the stop's deadline. Never resolves for a body that did not come from a connection.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let stopping = self.origin.as_ref().map(|slot| slot.stopping());
        async move {
            match stopping {
                Some(stopping) => stopping.await,
                None => std::future::pending().await,
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    #[inline]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.inner {
            Inner::Empty => return Poll::Ready(None),
            Inner::Once(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Inner::Boxed(body) => return Pin::new(body).poll_frame(cx).map_err(BodyError::Failed),
            Inner::Received(received) => match received.poll_frame(cx) {
                Poll::Ready(end @ (None | Some(Err(_)))) => end,
                going_on => return going_on,
            },
        };
        self.inner = Inner::Empty;
        Poll::Ready(frame)
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Empty => true,
            Inner::Once(bytes) => bytes.is_empty(),
            Inner::Received(received) => received.incoming.is_end_stream(),
            Inner::Boxed(body) => body.is_end_stream(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Empty => SizeHint::with_exact(0),
            Inner::Once(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Received(received) => received.incoming.size_hint(),
            Inner::Boxed(body) => body.size_hint(),
        }
    }
}

impl Received {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        use http_body::Body as _;
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        self.waits(polled.is_pending());
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.incoming.is_end_stream() {
            self.ends(cx);
        }
        polled.map(|frame| {
            frame.map(|frame| {
                frame.map_err(|error| BodyError::Broken(error.into())).and_then(|frame| self.spend(frame))
            })
        })
    }

    fn waits(&self, waits: bool) {
        if let Some(slot) = &self.watched {
            slot.wants_body(waits);
        }
    }

    /// Whoever reads the body may be another task, and that of the connection must know that it may watch the peer.
    fn ends(&self, cx: &Context<'_>) {
        if let Some(slot) = &self.watched {
            slot.body_ends();
            slot.wake_from(cx.waker());
        }
    }

    fn spend(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self.left.checked_sub(bytes).ok_or(BodyError::TooLarge { limit: self.limit })?;
        Ok(frame)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(slot) = &self.watched {
            slot.wants_body(false); // nobody waits for the rest any more
            slot.body_ends();
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body { inner: Inner::Once(bytes), origin: None }
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Body {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Body {
        Bytes::from_static(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Bytes::from(bytes).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.inner {
            Inner::Empty => "empty",
            Inner::Once(_) => "bytes",
            Inner::Received(_) => "received",
            Inner::Boxed(_) => "boxed",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}
