//! Mounted services, and routes that are replaced while requests run.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Path;
use axum::routing::{get as on_get, post};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower_service::Service;

use common::{ask, get, request};
use sitebus_front::{Body, BoxError, OriginalUri, Respond, Routes, Swap};

/// Says what it was asked for.
#[derive(Clone)]
struct Echo;

impl Service<Request<Body>> for Echo {
    type Response = Response<Full<bytes::Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let original = request.extensions().get::<OriginalUri>().map(|uri| format!(" of {}", uri.0));
        let text = format!("{} {}{}", request.method(), request.uri(), original.unwrap_or_default());
        std::future::ready(Ok(Response::new(Full::from(text))))
    }
}

#[tokio::test]
async fn a_mounted_service_sees_the_path_without_its_mount() {
    let below = Routes::new().service("/api/v1", Echo).build().unwrap();
    for (path, seen) in [
        ("/api/v1/users?id=1", "GET /users?id=1 of /api/v1/users?id=1"),
        ("/api/v1", "GET / of /api/v1"),
        ("/api/v1?x", "GET /?x of /api/v1?x"),
        ("/api/v1/", "GET / of /api/v1/"),
        ("/api/v1/a%2Fb/%20", "GET /a%2Fb/%20 of /api/v1/a%2Fb/%20"),
        ("//api//v1//x", "GET /x of //api//v1//x"),
        ("/%61pi/v1/x", "GET /x of /%61pi/v1/x"),
        ("http://a.example/api/v1/x", "GET http://a.example/x of http://a.example/api/v1/x"),
    ] {
        assert_eq!(get(&below, path).await.text(), seen, "{path}");
    }
    assert_eq!(get(&below, "/api/v10").await.status.as_u16(), 404);
    let absent = Routes::new().route("/", sitebus_front::App::absent()).build().unwrap();
    assert_eq!(get(&absent, "/").await.status.as_u16(), 404);
    let root = Routes::new().service("/", Echo).build().unwrap();
    assert_eq!(get(&root, "/a/b?c").await.text(), "GET /a/b?c");
    assert_eq!(ask(&root, request("DELETE", "/a", &[])).await.text(), "DELETE /a");
}

#[tokio::test]
async fn an_axum_router_is_mounted_as_it_is_and_gets_bodies() {
    let router = Router::new()
        .route("/hello/{name}", on_get(|Path(name): Path<String>| async move { format!("hello {name}") }))
        .route("/echo", post(|body: String| async move { body }));
    let front = Routes::new().service("/api", router).build().unwrap();
    assert_eq!(get(&front, "/api/hello/a%20b").await.text(), "hello a b");
    let posted = Request::builder().method("POST").uri("/api/echo").body(Full::from("payload")).unwrap();
    let body = front.serve(posted).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "payload");
    assert_eq!(get(&front, "/api/none").await.status.as_u16(), 404);
}

/// Is ready at the second try, and then fails.
#[derive(Clone, Default)]
struct Broken(Arc<AtomicUsize>);

impl Service<Request<Body>> for Broken {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        Box::pin(async { Err("no database".into()) })
    }
}

#[tokio::test]
async fn a_service_is_called_once_it_is_ready_and_its_error_is_a_500_that_tells_nothing() {
    let broken = Broken::default();
    let front = Routes::new().service("/", broken.clone()).build().unwrap();
    let said = get(&front, "/").await;
    assert_eq!((said.status.as_u16(), said.text()), (500, "500 Internal Server Error\n"));
    assert_eq!(broken.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_request_that_has_begun_ends_on_the_old_routes() {
    let (release, held) = tokio::sync::watch::channel(false);
    let slow = Router::new().route(
        "/",
        on_get(move || {
            let mut held = held.clone();
            async move {
                held.wait_for(|released| *released).await.unwrap();
                "old"
            }
        }),
    );
    let site = Swap::new(Routes::new().service("/", slow).build().unwrap());
    let served = site.clone();
    let begun = tokio::spawn(served.serve(request("GET", "/", &[])));
    tokio::task::yield_now().await;

    let old = site.replace(Routes::new().respond("/", Respond::new("new")).build().unwrap());
    drop(old);
    assert_eq!(get(&served.current(), "/").await.text(), "new");
    release.send(true).unwrap();
    let body = begun.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "old");
}

#[test]
fn fronts_can_be_shared_between_threads_and_answers_can_move() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn moved<T: Send + 'static>() {}
    shared::<sitebus_front::Front>();
    shared::<Swap>();
    shared::<Routes>();
    shared::<sitebus_front::App>();
    moved::<sitebus_front::ResponseFuture>();
    moved::<Body>();
    moved::<sitebus_front::RouteErrors>();
}
