//! Services that the program mounts, behind one type.

use std::fmt;
use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};

use crate::answer::{Asked, page};
use crate::path;
use crate::{AppService, Body, BoxError};

pub(crate) type AppFuture = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A service of the user's own (an axum router, any tower service), ready to be mounted.
///
/// Cheap to clone; every request is served by a fresh clone of the service, called once it says that it is ready.
/// An error of the service becomes a 500 and an event in the log. It may be mounted on several paths.
#[derive(Clone)]
pub struct App(Arc<dyn Erased>);

impl App {
    /// Takes a service: see [`AppService`] for what fits.
    #[must_use]
    pub fn new(service: impl AppService) -> App {
        App(Arc::new(Mounted(service)))
    }

    /// A service that answers 404 to everything. It stands for an application while routes are only checked.
    #[must_use]
    pub fn absent() -> App {
        App(Arc::new(Absent))
    }

    pub(crate) fn call(&self, request: Request<Body>) -> AppFuture {
        self.0.call(request)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}

/// The URI as the client sent it, in the extensions of a request whose path was shortened for a mounted service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalUri(pub Uri);

/// Shortens the path by the segments of the mount: mounted on `/api`, a service sees `/users` for `/api/users`,
/// and `/` for `/api`. The rest stays as the client wrote it, encoding included.
pub(crate) fn strip<B>(request: &mut Request<B>, segments: usize) {
    if segments == 0 {
        return;
    }
    let uri = request.uri();
    let rest = path::after_segments(uri.path(), segments);
    let rest = if rest.is_empty() { "/" } else { rest };
    let short = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    // A piece of a valid path, begun with a slash, is a valid path.
    parts.path_and_query = PathAndQuery::from_maybe_shared(Bytes::from(short)).ok();
    if let Ok(short) = Uri::from_parts(parts) {
        let original = std::mem::replace(request.uri_mut(), short);
        request.extensions_mut().insert(OriginalUri(original));
    }
}

trait Erased: Send + Sync {
    fn call(&self, request: Request<Body>) -> AppFuture;
}

struct Absent;

impl Erased for Absent {
    fn call(&self, request: Request<Body>) -> AppFuture {
        let asked = Asked::new(request.method(), request.headers());
        Box::pin(ready(page(asked, StatusCode::NOT_FOUND)))
    }
}

struct Mounted<S>(S);

impl<S: AppService> Erased for Mounted<S> {
    fn call(&self, request: Request<Body>) -> AppFuture {
        let mut service = self.0.clone();
        Box::pin(async move {
            let asked = Asked::new(request.method(), request.headers());
            if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
                return failed(asked, error.into());
            }
            match service.call(request).await {
                Ok(response) => response.map(Body::new),
                Err(error) => failed(asked, error.into()),
            }
        })
    }
}

fn failed(asked: Asked, error: BoxError) -> Response<Body> {
    tracing::error!(error = %error, "a mounted service failed; it should answer its errors itself");
    page(asked, StatusCode::INTERNAL_SERVER_ERROR)
}
