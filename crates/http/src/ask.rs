//! What hyper calls for each request.

use crate::access::Line;
use crate::answer::{Answer, Answered, Told};
use crate::config::Config;
use crate::slot::{Flight, Slot};
use crate::{Body, BoxError};
use http::header::CONNECTION;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::sync::Arc;
use tower_service::Service;

/// The user's service on one connection.
pub(crate) struct Ask<S> {
    service: S,
    slot: Arc<Slot>,
    config: Arc<Config>,
    http2: bool,
}

impl<S> Ask<S> {
    pub(crate) fn new(service: S, slot: Arc<Slot>, config: Arc<Config>, http2: bool) -> Ask<S> {
        Ask { service, slot, config, http2 }
    }

    fn asks_to_close(&self, version: Version, headers: &HeaderMap) -> bool {
        !self.http2 && (version < Version::HTTP_11 || says_close(headers))
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Ask<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<Answered<B>>;
    type Error = Infallible;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Answer<S> {
        self.slot.begins(self.asks_to_close(request.version(), request.headers()));
        let flight = Flight { slot: Arc::clone(&self.slot), wakes: self.http2 };
        let line =
            self.config.access_log.then(|| Line::begin(&self.slot.site.access, self.slot.peer, &request));
        let told = Told::of(&request, flight, line);
        let (head, incoming) = request.into_parts();
        match Body::received(incoming, self.config.limits.body_bytes, &self.slot) {
            Some(body) => Answer::ask(self.service.clone(), Request::from_parts(head, body), told),
            None => Answer::refuse(StatusCode::PAYLOAD_TOO_LARGE, told),
        }
    }
}

/// RFC 9110, 7.6.1: a list of names, in any case.
fn says_close(headers: &HeaderMap) -> bool {
    headers.get(CONNECTION).is_some_and(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|name| name.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}
