//! What can answer requests.

use http::{Request, Response};
use tower_service::Service;

use crate::{Body, BoxError};

/// What a server can answer with: any tower service of requests with a [`Body`], such as an axum router.
///
/// Whatever fits has this trait; nobody writes it for a type of their own. To fit, a type is
/// * a `tower_service::Service<Request<Body>>` that responds with a `Response` of any `http_body::Body`,
/// * `Clone + Send + 'static`, since every connection gets a clone,
/// * with a future that is `Send + 'static`, and errors that become a [`BoxError`].
///
/// ```
/// use sitebus_http::HttpService;
///
/// fn fits(_: &impl HttpService) {}
///
/// fits(&axum::Router::<()>::new());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer HTTP requests",
    label = "not a service of `Request<Body>` that can be cloned and sent to other threads",
    note = "it must be a `tower_service::Service<http::Request<sitebus_http::Body>>` that responds with an \
            `http::Response<impl http_body::Body>`, and `Clone + Send + 'static`; its future must be `Send + 'static`, its \
            error one that becomes a `BoxError`",
    note = "an axum router fits once it has its state (`.with_state(…)`); a closure goes to `Http::handler` if it is \
            async, and otherwise to `Http::answer`",
    note = "`Unanswered` is what a server has that was given none of these; that comes before `subscribe`"
)]
pub trait HttpService:
    Service<
        Request<Body>,
        Response = Response<<Self as HttpService>::ResponseBody>,
        Error: Into<BoxError>,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
    /// The body of its responses.
    type ResponseBody: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static;
}

#[diagnostic::do_not_recommend]
impl<S, B> HttpService for S
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type ResponseBody = B;
}
