//! What hyper calls for each request.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;

use http::header::CONNECTION;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::access::Line;
use crate::answer::{Answer, Answered, Told};
use crate::config::Config;
use crate::slot::{Flight, Slot};
use crate::{Body, HttpService, host};

/// The user's service on one connection.
pub(crate) struct Ask<S> {
    /// Called by the task of the connection only.
    service: RefCell<S>,
    slot: Arc<Slot>,
    config: Arc<Config>,
    http1: bool,
}

impl<S> Ask<S> {
    pub(crate) fn new(service: S, slot: Arc<Slot>, config: Arc<Config>, http1: bool) -> Ask<S> {
        Ask { service: RefCell::new(service), slot, config, http1 }
    }
}

impl<S: HttpService> hyper::service::Service<Request<Incoming>> for Ask<S> {
    type Response = Response<Answered<S::ResponseBody>>;
    type Error = Infallible;
    type Future = Answer<S>;

    fn call(&self, request: Request<Incoming>) -> Answer<S> {
        let has_body = !http_body::Body::is_end_stream(request.body());
        let flight = Flight::begin(&self.slot, self.http1, has_body);
        let line =
            self.config.access_log.then(|| Line::begin(&self.slot.site.access, self.slot.peer, &request));
        let told = Told { flight, line, connects: request.method() == Method::CONNECT };
        let (head, incoming) = request.into_parts();
        if self.http1 && !has_body && self.slot.calls() == 1 && is_the_last(&head.headers) {
            self.slot.peer_says_close();
        }
        if !host::is_proper(head.version, &head.headers) {
            return Answer::refuse(StatusCode::BAD_REQUEST, told);
        }
        match Body::received(incoming, self.config.limits.body_bytes, &self.slot, self.http1) {
            Some(body) => Answer::ask(&mut self.service.borrow_mut(), Request::from_parts(head, body), told),
            None => Answer::refuse(StatusCode::PAYLOAD_TOO_LARGE, told),
        }
    }
}

/// Looked for in first requests only: who keeps a connection for a second one does not often say goodbye, and it would cost
/// every request.
fn is_the_last(headers: &HeaderMap) -> bool {
    headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}
