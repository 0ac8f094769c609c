//! The service.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::answer::{Asked, page};
use crate::app::{self, AppFuture};
use crate::files::FileAnswer;
use crate::path;
use crate::table::{Table, Target};
use crate::{Body, BoxError};

/// The routes of a site as a service: cheap to clone, always ready, never failing.
///
/// Made by [`Routes::build`](crate::Routes::build). Files are read on Tokio's blocking threads, so requests for files
/// must be polled in a Tokio runtime.
#[derive(Clone)]
pub struct Front(pub(crate) Arc<Table>);

impl Front {
    pub(crate) fn new(table: Table) -> Front {
        Front(Arc::new(table))
    }

    /// Answers a request, without a `&mut`.
    pub fn serve<B>(&self, request: Request<B>) -> ResponseFuture
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        serve(&self.0, request)
    }
}

pub(crate) fn serve<B>(table: &Table, mut request: Request<B>) -> ResponseFuture
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let asked = Asked::new(request.method(), request.headers());
    let uri = request.uri().clone();
    // `OPTIONS *` and CONNECT ask for no path (RFC 9112, section 3.2).
    if !uri.path().starts_with('/') {
        return ResponseFuture::ready(page(asked, StatusCode::NOT_FOUND));
    }
    let Ok(plain) = path::plain(uri.path()) else {
        return ResponseFuture::ready(page(asked, StatusCode::BAD_REQUEST));
    };
    let Some(entry) = table.find(&plain) else {
        return ResponseFuture::ready(page(asked, StatusCode::NOT_FOUND));
    };
    let below = entry.place.below(&plain);
    match &entry.target {
        Target::Files(files) => ResponseFuture(Inner::Files(files.serve(below, asked, request))),
        Target::Respond(answer) => ResponseFuture::ready(answer.response(asked)),
        Target::Redirect(away) => ResponseFuture::ready(away.response(asked, below, uri.query())),
        Target::App(app) => {
            app::strip(&mut request, entry.place.segments());
            ResponseFuture(Inner::App(app.call(request.map(Body::new))))
        }
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Front").field(&self.0).finish()
    }
}

/// The answer of a [`Front`] on its way. It holds what it needs of the routes, so they may be replaced meanwhile.
#[must_use = "a future does nothing until it is polled"]
pub struct ResponseFuture(Inner);

enum Inner {
    Ready(Option<Response<Body>>),
    Files(FileAnswer),
    App(AppFuture),
}

impl ResponseFuture {
    fn ready(response: Response<Body>) -> ResponseFuture {
        ResponseFuture(Inner::Ready(Some(response)))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Ready(response) => Poll::Ready(Ok(response.take().unwrap_or_default())),
            Inner::Files(answer) => Pin::new(answer).poll(cx).map(Ok),
            Inner::App(answer) => answer.as_mut().poll(cx).map(Ok),
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
