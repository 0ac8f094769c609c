//! Closures as services.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::{Body, BoxError};

/// What a handler may come to: a response, or a result of one.
///
/// An error is logged and answered with 500.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer to an HTTP request",
    label = "not a `Response<Body>`, nor a `Result` of one",
    note = "return a `Response<sitebus_http::Body>`: `Response::new(\"hello\".into())`, or `response.map(Body::new)` for \
            one with another body; or a `Result` of one, with any error that becomes a `BoxError`"
)]
pub trait Outcome {
    /// As a result.
    ///
    /// # Errors
    /// The handler's own.
    fn outcome(self) -> Result<Response<Body>, BoxError>;
}

impl Outcome for Response<Body> {
    fn outcome(self) -> Result<Response<Body>, BoxError> {
        Ok(self)
    }
}

impl<E: Into<BoxError>> Outcome for Result<Response<Body>, E> {
    fn outcome(self) -> Result<Response<Body>, BoxError> {
        self.map_err(Into::into)
    }
}

/// An async closure as a service; see [`Http::handler`](crate::Http::handler).
pub struct Handler<F> {
    closure: Arc<F>,
}

/// A plain closure as a service; see [`Http::answer`](crate::Http::answer).
pub struct Plain<F> {
    closure: Arc<F>,
}

impl<F> Handler<F> {
    pub(crate) fn new(closure: F) -> Handler<F> {
        Handler { closure: Arc::new(closure) }
    }
}

impl<F> Plain<F> {
    pub(crate) fn new(closure: F) -> Plain<F> {
        Plain { closure: Arc::new(closure) }
    }
}

impl<F, R> Service<Request<Body>> for Handler<F>
where
    F: Fn(Request<Body>) -> R,
    R: Future,
    R::Output: Outcome,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = HandlerFuture<R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> HandlerFuture<R> {
        HandlerFuture { future: (self.closure)(request) }
    }
}

pin_project_lite::pin_project! {
    /// What a [`Handler`] is doing.
    pub struct HandlerFuture<R> {
        #[pin]
        future: R,
    }
}

impl<R: Future> Future for HandlerFuture<R>
where
    R::Output: Outcome,
{
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Outcome::outcome)
    }
}

impl<F> Service<Request<Body>> for Plain<F>
where
    F: Fn(Request<Body>) -> Response<Body>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ready(Ok((self.closure)(request)))
    }
}

impl<F> Clone for Handler<F> {
    fn clone(&self) -> Handler<F> {
        Handler { closure: Arc::clone(&self.closure) }
    }
}

impl<F> Clone for Plain<F> {
    fn clone(&self) -> Plain<F> {
        Plain { closure: Arc::clone(&self.closure) }
    }
}

impl<F> fmt::Debug for Handler<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}

impl<F> fmt::Debug for Plain<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }
}
