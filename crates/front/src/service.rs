//! What can be mounted, and what the front is itself.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use crate::{Body, BoxError, Front, ResponseFuture, Swap};

/// What can be mounted: any tower service of requests with a [`Body`], such as an axum router.
///
/// Whatever fits has this trait; nobody writes it for a type of their own. To fit, a type is
/// * a `tower_service::Service<Request<Body>>` that responds with a `Response` of any `http_body::Body` of `Bytes`,
/// * `Clone + Send + Sync + 'static`, since every request gets a clone on whatever thread it runs,
/// * with a future that is `Send + 'static`, and errors that become a [`BoxError`].
///
/// ```
/// use sitebus_front::AppService;
///
/// fn fits(_: &impl AppService) {}
///
/// fits(&axum::Router::<()>::new());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be mounted as an application",
    label = "not a service of `Request<Body>` that can be cloned and shared between threads",
    note = "it must be a `tower_service::Service<http::Request<sitebus_front::Body>>` that responds with an \
            `http::Response<impl http_body::Body<Data = Bytes>>`, and `Clone + Send + Sync + 'static`; its future must be \
            `Send + 'static`, its error one that becomes a `BoxError`",
    note = "an axum router fits once it has its state (`.with_state(…)`)"
)]
pub trait AppService:
    Service<
        Request<Body>,
        Response = Response<<Self as AppService>::ResponseBody>,
        Error: Into<BoxError>,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of its responses.
    type ResponseBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
}

#[diagnostic::do_not_recommend]
impl<S, B> AppService for S
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type ResponseBody = B;
}

/// Both answer by their `serve`, are always ready and never fail.
macro_rules! served_by_itself {
    ($($served:ty),*) => {$(
        impl<B> Service<Request<B>> for $served
        where
            B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
        {
            type Response = Response<Body>;
            type Error = Infallible;
            type Future = ResponseFuture;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: Request<B>) -> ResponseFuture {
                self.serve(request)
            }
        }
    )*};
}

served_by_itself!(Front, Swap);
