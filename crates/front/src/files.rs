//! A folder of files.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, IF_RANGE, RANGE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use tower_http::services::ServeDir;
use tower_http::services::fs::{DefaultServeDirFallback, ServeFileSystemResponseFuture};

use crate::answer::{Asked, method_not_allowed, moved, page};
use crate::disk::{CHUNK, Disk};
use crate::error::Fault;
use crate::{Body, path};

const ALLOWED: &str = "GET, HEAD";
/// The one hidden name that the web itself gave a meaning (RFC 8615).
const WELL_KNOWN: &[u8] = b".well-known";

/// Settings of a route that serves the files of a folder.
///
/// Types come from the names of the files; text is announced as UTF-8. Ranges, conditional requests, `ETag` and
/// `Last-Modified` work as RFC 9110 says, except that a request for several ranges at once, or one with `If-Range`,
/// gets the whole file. A folder answers with its `index.html`; asked for without its last slash, it is redirected
/// there. GET and HEAD are allowed.
///
/// Symbolic links are followed, also out of the folder: who may write to the folder decides what is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    folder: PathBuf,
    hidden: bool,
}

impl Files {
    /// Serves this folder. A relative path counts from the working directory at the moment of
    /// [`build`](crate::Routes::build); the program may change its directory after that.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Files {
        Files { folder: folder.into(), hidden: false }
    }

    /// Whether files and folders whose name begins with a dot are served. By default they are as good as absent,
    /// except `.well-known`.
    #[must_use]
    pub fn hidden(self, hidden: bool) -> Files {
        Files { hidden, ..self }
    }

    /// The folder, as it was given.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder is there, is a folder, and may be read.
    pub(crate) fn check(&self) -> Result<PathBuf, Fault> {
        let fault = |source: io::Error| Fault::Folder { folder: self.folder.clone(), source };
        let folder = std::path::absolute(&self.folder).map_err(fault)?;
        std::fs::read_dir(&folder).map_err(fault)?;
        Ok(folder)
    }
}

/// A folder that is being served below a path.
#[derive(Clone, Debug)]
pub(crate) struct FileServer {
    dir: ServeDir<DefaultServeDirFallback, Disk>,
    hidden: bool,
}

impl FileServer {
    /// `mount` is the route's path as it stands in a URI, without a slash at its end.
    pub(crate) fn new(folder: &Path, files: &Files, mount: &str) -> FileServer {
        let dir = ServeDir::with_backend(folder, Disk)
            .redirect_path_prefix(mount)
            .ignore_multi_range_requests(true)
            .with_buf_chunk_size(CHUNK as usize);
        FileServer { dir, hidden: files.hidden }
    }

    /// `below` is the plain path after the mount: empty, or begins with a slash.
    pub(crate) fn serve<B>(&self, below: &[u8], asked: Asked, request: Request<B>) -> FileAnswer {
        let (mut parts, _body) = request.into_parts();
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return FileAnswer::Ready(Some(method_not_allowed(asked, ALLOWED)));
        }
        if below.is_empty() {
            return FileAnswer::Ready(Some(with_slash(asked, &parts.uri)));
        }
        if !self.may_serve(below) {
            return FileAnswer::Ready(Some(page(asked, StatusCode::NOT_FOUND)));
        }
        let Some(uri) = uri_below(below, parts.uri.query()) else {
            return FileAnswer::Ready(Some(page(asked, StatusCode::NOT_FOUND)));
        };
        parts.uri = uri;
        keep_simple_ranges(&mut parts.headers);
        let request = Request::from_parts(parts, Empty::new());
        FileAnswer::Reading { asked, future: Box::new(self.dir.clone().try_call(request)) }
    }

    fn may_serve(&self, below: &[u8]) -> bool {
        // An encoded slash, a backslash and a zero byte are in no name of a file; refusing them here keeps one
        // request from meaning two files.
        let odd = below.windows(3).any(|part| part == b"%2F") || below.iter().any(|b| matches!(b, b'\\' | 0));
        let hidden = |name: &[u8]| name.starts_with(b".") && name != WELL_KNOWN;
        !odd && (self.hidden || !below.split(|byte| *byte == b'/').any(hidden))
    }
}

fn uri_below(below: &[u8], query: Option<&str>) -> Option<Uri> {
    let path = path::encoded(below);
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    PathAndQuery::from_maybe_shared(Bytes::from(text)).ok().map(Uri::from)
}

/// The mount itself, asked for without its slash: relative links in its index would miss.
fn with_slash(asked: Asked, uri: &Uri) -> Response<Body> {
    let Ok(plain) = path::plain(uri.path()) else { return page(asked, StatusCode::BAD_REQUEST) };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    match HeaderValue::try_from(format!("{}/{query}", path::encoded(&plain))) {
        Ok(location) => moved(asked, StatusCode::TEMPORARY_REDIRECT, location),
        Err(_) => page(asked, StatusCode::NOT_FOUND),
    }
}

/// A server may ignore ranges (RFC 9110, section 14.2). Ignored are those in units nobody knows, and those on
/// condition: whether a range still fits the client's copy is not checked below here, the whole file always fits.
fn keep_simple_ranges(headers: &mut HeaderMap) {
    let bytes = |range: &HeaderValue| range.as_bytes().starts_with(b"bytes=");
    if headers.contains_key(IF_RANGE) || !headers.get(RANGE).is_some_and(bytes) {
        headers.remove(RANGE);
    }
}

type Reading = ServeFileSystemResponseFuture<Empty<Bytes>, DefaultServeDirFallback>;

pub(crate) enum FileAnswer {
    Ready(Option<Response<Body>>),
    Reading { asked: Asked, future: Box<Reading> },
}

impl Future for FileAnswer {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        match &mut *self {
            FileAnswer::Ready(response) => Poll::Ready(response.take().unwrap_or_default()),
            FileAnswer::Reading { asked, future } => {
                Pin::new(future.as_mut()).poll(cx).map(|result| match result {
                    Ok(response) => finish(*asked, response.map(Body::file)),
                    Err(error) => page(*asked, status_of(&error)),
                })
            }
        }
    }
}

fn finish(asked: Asked, mut response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::NOT_FOUND {
        return page(asked, StatusCode::NOT_FOUND);
    }
    if let Some(kind) = response.headers_mut().get_mut(CONTENT_TYPE)
        && kind.as_bytes().starts_with(b"text/")
        && !kind.as_bytes().contains(&b';')
        && let Ok(named) = HeaderValue::from_maybe_shared(Bytes::from([kind.as_bytes(), UTF_8].concat()))
    {
        *kind = named;
    }
    response
}

const UTF_8: &[u8] = b"; charset=utf-8";

fn status_of(error: &io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => StatusCode::NOT_FOUND,
        _ => {
            tracing::error!(%error, "a file could not be read");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
