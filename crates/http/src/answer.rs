//! From a request to its answer: the service is asked, and nothing that it does can hurt the server.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Buf;
use http::header::CONNECTION;
use http::response::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::access::Line;
use crate::slot::{FINISH, Flight, Slot};
use crate::{Body, BodyError, BoxError, HttpService};
use sitebus_bus::Level;

pin_project! {
    /// One request in progress. Never fails: what goes wrong is logged and answered.
    pub(crate) struct Answer<S: HttpService> {
        #[pin]
        state: State<S, S::Future>,
        told: Option<Told>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F> {
        /// The service is not ready yet. On the heap, since that is rare and the rest is moved with every request.
        Waiting { waiting: Box<Waiting<S>> },
        Answering { #[pin] future: F },
        Wrong { fault: Option<Fault> },
        Over,
    }
}

struct Waiting<S> {
    service: S,
    request: Option<Request<Body>>,
}

type Polled<D> = Poll<Option<Result<Frame<D>, BoxError>>>;

/// What goes with a request to the end of its answer.
pub(crate) struct Told {
    pub(crate) flight: Flight,
    pub(crate) line: Option<Box<Line>>,
    pub(crate) connects: bool,
}

impl Told {
    fn slot(&self) -> &Slot {
        self.flight.slot()
    }

    /// What the body comes to, for the logs.
    fn note<D: Buf>(&mut self, polled: Polled<D>) -> Polled<D> {
        match (&polled, &mut self.line) {
            (Poll::Ready(Some(Err(error))), _) => {
                self.log(&format!("the body of an answer failed: {}; connection closed", chain(&**error)));
            }
            (Poll::Ready(Some(Ok(frame))), Some(line)) => {
                line.bytes += frame.data_ref().map_or(0, |data| data.remaining() as u64);
            }
            _ => {}
        }
        polled
    }

    #[cold]
    fn log(&self, what: &str) {
        self.slot().site.log.log(Level::Error, what);
    }
}

impl<S: HttpService> Answer<S> {
    /// Calls the service at once if it is ready: a request that waits is one more thing to move, and keeps hyper from using
    /// its buffer again.
    pub(crate) fn ask(service: &mut S, request: Request<Body>, told: Told) -> Answer<S> {
        let mut nobody = Context::from_waker(Waker::noop());
        let state = match guarded(|| service.poll_ready(&mut nobody)) {
            Ok(Poll::Ready(Ok(()))) => call(service, request),
            Ok(Poll::Ready(Err(error))) => State::wrong(Fault::Failed(error.into())),
            Ok(Poll::Pending) => {
                // It may have queued up for its turn, so it must be this one that goes on asking, and not a clone.
                let next = service.clone();
                let service = std::mem::replace(service, next);
                State::Waiting { waiting: Box::new(Waiting { service, request: Some(request) }) }
            }
            Err(panic) => State::wrong(panic),
        };
        Answer { state, told: Some(told) }
    }

    pub(crate) fn refuse(status: StatusCode, told: Told) -> Answer<S> {
        Answer { state: State::wrong(Fault::Refused(status)), told: Some(told) }
    }
}

impl<S: HttpService> Future for Answer<S> {
    type Output = Result<Response<Answered<S::ResponseBody>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let outcome = match this.state.as_mut().project() {
                StateProjection::Waiting { waiting } => {
                    let Poll::Ready(next) = waiting.poll(cx) else { return Poll::Pending };
                    this.state.set(next);
                    continue;
                }
                StateProjection::Answering { future } => match guarded(|| future.poll(cx)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(result)) => result.map_err(|error| Fault::Failed(error.into())),
                    Err(panic) => Err(panic),
                },
                StateProjection::Wrong { fault } => match fault.take() {
                    Some(fault) => Err(fault),
                    None => return Poll::Pending,
                },
                StateProjection::Over => return Poll::Pending,
            };
            let Some(told) = this.told.take() else { return Poll::Pending };
            let (head, body) = match outcome {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    (head, Some(body))
                }
                Err(fault) => (fault.answer(&told), None),
            };
            this.state.set(State::Over);
            return Poll::Ready(Ok(finish(head, body, told)));
        }
    }
}

fn call<S: HttpService>(service: &mut S, request: Request<Body>) -> State<S, S::Future> {
    match guarded(|| service.call(request)) {
        Ok(future) => State::Answering { future },
        Err(panic) => State::wrong(panic),
    }
}

impl<S, F> State<S, F> {
    #[cold]
    fn wrong(fault: Fault) -> State<S, F> {
        State::Wrong { fault: Some(fault) }
    }
}

/// A service is called only when it has said that it is ready (the contract of tower's `Service`).
impl<S: HttpService> Waiting<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<State<S, S::Future>> {
        Poll::Ready(match guarded(|| self.service.poll_ready(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Err(error))) => State::wrong(Fault::Failed(error.into())),
            Ok(Poll::Ready(Ok(()))) => match self.request.take() {
                Some(request) => call(&mut self.service, request),
                None => State::Over,
            },
            Err(panic) => State::wrong(panic),
        })
    }
}

fn finish<B>(mut head: Parts, body: Option<B>, mut told: Told) -> Response<Answered<B>> {
    if let Some(line) = &mut told.line {
        line.status = Some(head.status);
    }
    if told.flight.is_http1() {
        if head.status == StatusCode::SWITCHING_PROTOCOLS || told.connects && head.status.is_success() {
            told.slot().upgrade();
        } else if told.slot().is_told(FINISH) {
            // The order may have come after hyper took the request, so it would not say so by itself.
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    Response::from_parts(head, Answered { body, told })
}

/// What went wrong instead of an answer.
enum Fault {
    Panicked(String),
    Failed(BoxError),
    Refused(StatusCode),
}

impl Fault {
    #[cold]
    fn answer(self, told: &Told) -> Parts {
        let (mut head, ()) = Response::new(()).into_parts();
        let mut closes = matches!(self, Fault::Refused(_));
        head.status = match self {
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
        closes |= head.status == StatusCode::PAYLOAD_TOO_LARGE;
        if closes && told.flight.is_http1() {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        head
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

impl From<Fault> for BoxError {
    fn from(fault: Fault) -> BoxError {
        match fault {
            Fault::Panicked(text) => format!("it panicked: {text}").into(),
            Fault::Failed(error) => error,
            Fault::Refused(status) => status.to_string().into(),
        }
    }
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
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        if this.told.flight.is_http1() {
            // A panic here is caught where the connection is driven.
            return this.told.note(body.poll_frame(cx).map_err(Into::into));
        }
        let polled = guarded(|| body.poll_frame(cx).map_err(Into::into));
        this.told.note(polled.unwrap_or_else(|fault| Poll::Ready(Some(Err(fault.into())))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}
