//! From a request to its answer: the service is asked, and nothing that it does can hurt the server.

use crate::access::Line;
use crate::slot::{FINISH, Flight, Slot};
use crate::{Body, BodyError, BoxError};
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use sitebus_bus::Level;
use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

pin_project! {
    /// One request in progress. Never fails: what goes wrong is logged and answered.
    pub(crate) struct Answer<S: Service<Request<Body>>> {
        #[pin]
        state: State<S, S::Future>,
        told: Option<Told>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F> {
        /// The service is not ready yet.
        Waiting { service: S, request: Option<Request<Body>> },
        Answering { #[pin] future: F },
        Refused { status: StatusCode },
        Over,
    }
}

/// What goes with a request to the end of its answer.
pub(crate) struct Told {
    pub(crate) flight: Flight,
    line: Option<Box<Line>>,
    version: Version,
    connects: bool,
}

impl Told {
    pub(crate) fn of<B>(request: &Request<B>, flight: Flight, line: Option<Box<Line>>) -> Told {
        Told { flight, line, version: request.version(), connects: request.method() == Method::CONNECT }
    }

    fn slot(&self) -> &Slot {
        &self.flight.slot
    }

    #[cold]
    fn log(&self, what: &str) {
        self.slot().site.log.log(Level::Error, what);
    }
}

impl<S: Service<Request<Body>>> Answer<S> {
    pub(crate) fn ask(service: S, request: Request<Body>, told: Told) -> Answer<S> {
        Answer { state: State::Waiting { service, request: Some(request) }, told: Some(told) }
    }

    pub(crate) fn refuse(status: StatusCode, told: Told) -> Answer<S> {
        Answer { state: State::Refused { status }, told: Some(told) }
    }
}

impl<S, B> Future for Answer<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<Answered<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let outcome = match this.state.as_mut().project() {
                StateProjection::Waiting { service, request } => match ready_and_call(service, request, cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(future)) => {
                        this.state.set(State::Answering { future });
                        continue;
                    }
                    Poll::Ready(Err(fault)) => Err(fault),
                },
                StateProjection::Answering { future } => match guarded(|| future.poll(cx)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(result)) => result.map_err(|error| Fault::Failed(error.into())),
                    Err(panic) => Err(panic),
                },
                StateProjection::Refused { status } => Err(Fault::Refused(*status)),
                StateProjection::Over => return Poll::Pending,
            };
            let Some(told) = this.told.take() else { return Poll::Pending };
            let response = match outcome {
                Ok(response) => response.map(Some),
                Err(fault) => fault.answer(&told),
            };
            this.state.set(State::Over);
            return Poll::Ready(Ok(finish(response, told)));
        }
    }
}

/// A service is called only when it has said that it is ready (the contract of tower's `Service`).
fn ready_and_call<S>(
    service: &mut S,
    request: &mut Option<Request<Body>>,
    cx: &mut Context<'_>,
) -> Poll<Result<S::Future, Fault>>
where
    S: Service<Request<Body>>,
    S::Error: Into<BoxError>,
{
    let called = guarded(|| match service.poll_ready(cx) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Err(error)) => Poll::Ready(Err(Fault::Failed(error.into()))),
        Poll::Ready(Ok(())) => match request.take() {
            Some(request) => Poll::Ready(Ok(service.call(request))),
            None => Poll::Pending,
        },
    });
    called.unwrap_or_else(|panic| Poll::Ready(Err(panic)))
}

fn finish<B>(mut response: Response<Option<B>>, mut told: Told) -> Response<Answered<B>> {
    let status = response.status();
    if let Some(line) = &mut told.line {
        line.status = Some(status);
    }
    if told.version >= Version::HTTP_2 {
        return response.map(|body| Answered { body, told });
    }
    if status == StatusCode::SWITCHING_PROTOCOLS || told.connects && status.is_success() {
        told.slot().upgrade();
    } else if told.slot().is_told(FINISH) {
        // The order may have come after hyper took the request, so it would not say so by itself.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| Answered { body, told })
}

/// What went wrong instead of an answer.
enum Fault {
    Panicked(String),
    Failed(BoxError),
    Refused(StatusCode),
}

impl Fault {
    #[cold]
    fn answer<B>(self, told: &Told) -> Response<Option<B>> {
        let mut response = Response::new(None);
        *response.status_mut() = match self {
            Fault::Panicked(text) => {
                told.log(&format!("a handler panicked: {text}; answered with 500"));
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Fault::Failed(error) if is_too_large(&*error) => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::Failed(error) => {
                told.log(&format!("a handler failed: {}; answered with 500", chain(&*error)));
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Fault::Refused(status) => status,
        };
        if response.status() == StatusCode::PAYLOAD_TOO_LARGE && told.version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|error| match error.downcast_ref() {
        Some(BodyError::TooLarge { .. }) => true,
        Some(BodyError::Failed(wrapped)) => is_too_large(&**wrapped),
        _ => false,
    })
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = error.to_string();
    for cause in std::iter::successors(error.source(), |&error| error.source()) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    said
}

/// Calls foreign code; a panic is a fault.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Fault::Panicked(text_of(panic)))
}

#[cold]
pub(crate) fn text_of(panic: Box<dyn Any + Send>) -> String {
    let panic = match panic.downcast::<String>() {
        Ok(text) => return *text,
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<&str>().map_or("a panic without a text", |text| text).to_owned();
    // What was thrown may panic in turn when it is dropped.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    text
}

pin_project! {
    /// The body of an answer, on its way out. When it is dropped, the request is over.
    pub(crate) struct Answered<B> {
        #[pin]
        body: Option<B>,
        told: Told,
    }
}

impl<B> http_body::Body for Answered<B>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        match guarded(|| body.poll_frame(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                if let (Some(line), Some(data)) = (&mut this.told.line, frame.data_ref()) {
                    line.bytes += bytes::Buf::remaining(data) as u64;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Ok(Poll::Ready(Some(Err(error)))) => {
                let error = error.into();
                this.told
                    .log(&format!("the body of an answer failed: {}; connection closed", chain(&*error)));
                Poll::Ready(Some(Err(error)))
            }
            Ok(Poll::Ready(None)) => Poll::Ready(None),
            Err(Fault::Panicked(text)) => {
                let said = format!("the body of an answer panicked: {text}; connection closed");
                this.told.log(&said);
                Poll::Ready(Some(Err(said.into())))
            }
            Err(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}
