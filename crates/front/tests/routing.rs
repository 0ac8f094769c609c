//! Which route answers, and with what.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use http::StatusCode;

use common::{ask, get, get_with, request, write};
use sitebus_front::{Fault, Front, Moved, Redirect, Respond, Routes};

fn named(routes: &[(&str, &'static str)]) -> Front {
    let add =
        |routes: Routes, (path, text): &(&str, &'static str)| routes.respond(*path, Respond::new(*text));
    routes.iter().fold(Routes::new(), add).build().unwrap()
}

#[tokio::test]
async fn the_longest_path_wins_on_whole_segments() {
    let front = named(&[
        ("/", "root"),
        ("/a/", "a"),
        ("/a/b", "exact b"),
        ("/a/b/", "b"),
        ("/x", "exact x"),
        ("/é/", "e"),
    ]);
    for (path, answer) in [
        ("/", "root"),
        ("/b", "root"),
        ("/a", "a"),
        ("/a/", "a"),
        ("/a/c", "a"),
        ("/ab", "root"),
        ("/a/b", "exact b"),
        ("/a/b/", "b"),
        ("/a/b/c/d", "b"),
        ("/a/bc", "a"),
        ("/x", "exact x"),
        ("/x/", "root"),
        ("/x/y", "root"),
        ("/x?y=/a/b", "exact x"),
        ("/%C3%A9/1", "e"),
        ("//a//b//c", "b"),
        ("/%61/%62", "exact b"),
        ("/a%2Fb", "root"),
        ("http://example.com/a/b/", "b"),
    ] {
        assert_eq!(get(&front, path).await.text(), answer, "{path}");
    }
}

#[tokio::test]
async fn a_guarded_folder_cannot_be_reached_by_another_spelling() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "secret/x.txt", "secret");
    let front =
        Routes::new().files("/", folder.path()).respond("/secret/", Respond::status(403)).build().unwrap();
    for path in [
        "/secret/x.txt",
        "//secret/x.txt",
        "/%73ecret/x.txt",
        "/secret%2Fx.txt",
        "/secret%2fx.txt",
        "/./secret/x.txt",
        "/%2e/secret/x.txt",
        "/a/../secret/x.txt",
        "/secret\\x.txt",
        "/%252e%252e/secret/x.txt",
    ] {
        let said = get(&front, path).await;
        assert!(matches!(said.status.as_u16(), 400 | 403 | 404), "{path}: {}", said.status);
        assert!(!said.text().contains("secret"), "{path}");
    }
}

#[tokio::test]
async fn what_no_route_answers_is_not_found_in_the_language_of_the_client() {
    let front = named(&[("/a", "a")]);
    let text = get(&front, "/b").await;
    assert_eq!((text.status, text.text()), (StatusCode::NOT_FOUND, "404 Not Found\n"));
    let html = get_with(&front, "/b", &[("accept", "application/xml, Text/HTML;q=0.9")]).await;
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
    assert!(html.text().contains("<h1>404 Not Found</h1>"));
    assert_eq!(get(&front, "/a/../b").await.text(), "400 Bad Request\n");
    assert_eq!(ask(&front, request("OPTIONS", "*", &[])).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_response_answers_every_method_and_head_without_its_body() {
    let json = Respond::status(503).content_type("application/json").body("{}");
    let front = Routes::new().respond("/", json).build().unwrap();
    for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
        let said = ask(&front, request(method, "/any", &[])).await;
        assert_eq!((said.status.as_u16(), said.text()), (503, "{}"), "{method}");
        assert_eq!(said.header("content-type"), "application/json");
    }
    let head = ask(&front, request("HEAD", "/any", &[])).await;
    assert_eq!((head.header("content-length"), head.text()), ("2", ""));
}

#[tokio::test]
async fn a_response_without_a_body_says_its_status_or_nothing() {
    let front = Routes::new()
        .respond("/teapot", Respond::status(418))
        .respond("/none", Respond::status(204))
        .respond("/empty", Respond::new(""))
        .build()
        .unwrap();
    assert_eq!(get(&front, "/teapot").await.text(), "418 I'm a teapot\n");
    let none = get(&front, "/none").await;
    assert_eq!((none.status.as_u16(), none.headers.len(), none.text()), (204, 0, ""));
    let empty = get(&front, "/empty").await;
    assert_eq!((empty.header("content-length"), empty.text()), ("0", ""));
}

#[tokio::test]
async fn redirects_keep_the_query_and_below_a_subtree_the_rest_of_the_path() {
    let front = Routes::new()
        .redirect("/old", Redirect::to("/new"))
        .redirect("/docs/", Redirect::to("https://docs.example.com/").moved(Moved::Permanently))
        .redirect("/all/", Redirect::to("/one").moved(Moved::SeeOther))
        .build()
        .unwrap();
    for (path, status, to) in [
        ("/old", 307, "/new"),
        ("/old?a=b", 307, "/new?a=b"),
        ("/docs", 308, "https://docs.example.com/"),
        ("/docs/a%20b/c?d", 308, "https://docs.example.com/a%20b/c?d"),
        ("/docs//evil.example", 308, "https://docs.example.com/evil.example"),
        ("/docs/%2Fx", 308, "https://docs.example.com/%2Fx"),
        ("/docs/%0d%0aSet-Cookie:x", 308, "https://docs.example.com/%0D%0ASet-Cookie:x"),
        ("/all/a/b", 303, "/one"),
    ] {
        let said = get(&front, path).await;
        assert_eq!((said.status.as_u16(), said.header("location")), (status, to), "{path}");
    }
    assert_eq!(get(&front, "/old/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_redirect_never_names_a_host_that_the_request_chose() {
    let front = Routes::new().redirect("/old/", Redirect::to("/")).build().unwrap();
    for path in ["/old//evil.example", "/old///evil.example/x", "//old//evil.example", "/old/%2Fevil.example"]
    {
        let to = get(&front, path).await.header("location").to_owned();
        assert!(to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\"), "{path}: {to}");
    }
    let backslash = get(&front, "/old/%5Cevil.example").await;
    assert_eq!(backslash.header("location"), "/%5Cevil.example");
}

#[test]
fn everything_that_is_wrong_is_reported_at_once_with_path_and_cure() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "file.txt", "");
    let errors = Routes::new()
        .files("/gone", folder.path().join("gone"))
        .files("/file", folder.path().join("file.txt"))
        .respond("docs", Respond::new(""))
        .respond("/a", Respond::new(""))
        .respond("/%61", Respond::new(""))
        .respond("/b", Respond::status(101))
        .respond("/c", Respond::status(301))
        .respond("/d", Respond::status(204).body("x"))
        .respond("/e", Respond::new("").content_type("html"))
        .redirect("/f", Redirect::to("elsewhere"))
        .redirect("/g/", Redirect::to("/g/x"))
        .redirect("/h", Redirect::to("/i"))
        .redirect("/i", Redirect::to("/h"))
        .respond("/j*", Respond::new(""))
        .respond("/k/*", Respond::new(""))
        .build()
        .unwrap_err();
    let said = errors.to_string().replace(folder.path().to_str().unwrap(), "FOLDER");
    assert_eq!(
        said,
        r#"route "/gone": the folder "FOLDER/gone" cannot be served: there is no such folder; create it, or correct the name
route "/file": the folder "FOLDER/file.txt" cannot be served: it is a file; give the folder that holds the file
route "docs": the path does not begin with `/`; put a `/` before it
route "/%61": the path is taken by route "/a", number 4 of the list; remove one of the two, or give it another path
route "/b": 101 is no status that a response can end with; choose one from 200 to 599
route "/c": 301 is the status of a redirect; make the route a redirect
route "/d": a response of status 204 has no body; remove the body, or use status 200
route "/e": "html" is no media type; write it like `text/html; charset=utf-8`
route "/f": the target "elsewhere" is neither a path nor an address; begin it with `/`, `http://` or `https://`
route "/g/": the redirect to "/g/x" comes back to this route; send it to a path that another route answers
route "/h": the redirect to "/i" comes back to this route; send it to a path that another route answers
route "/i": the redirect to "/h" comes back to this route; send it to a path that another route answers
route "/k/*": the path has a pattern, and routes are plain paths; end the path with `/` to match all below it"#
    );
}

#[test]
fn two_subtrees_on_one_path_clash_and_an_exact_route_beside_a_subtree_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let clash = Routes::new().files("/docs", folder.path()).respond("/docs/", Respond::new("")).build();
    assert!(matches!(
        clash.unwrap_err().list(),
        [error] if error.index() == 1 && matches!(error.fault(), Fault::Twice { first: 0, .. })
    ));
    let both = Routes::new().files("/docs/", folder.path()).respond("/docs", Respond::new("")).build();
    assert!(both.is_ok());
}

#[tokio::test]
async fn a_front_without_routes_answers_not_found() {
    assert_eq!(get(&Routes::new().build().unwrap(), "/").await.status, StatusCode::NOT_FOUND);
}

proptest::proptest! {
    #[test]
    fn no_request_path_panics_or_escapes(path in "/[ -~äß/.%2eF\\\\]{0,60}") {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "outside.txt", "outside");
        write(folder.path(), "inside/a.txt", "inside");
        let front = Routes::new()
            .files("/", folder.path().join("inside"))
            .redirect("/old/", Redirect::to("/"))
            .build()
            .unwrap();
        if let Ok(asked) = http::Request::get(path.as_str()).body(http_body_util::Empty::<bytes::Bytes>::new()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let said = runtime.block_on(ask(&front, asked));
            proptest::prop_assert!(!said.text().contains("outside"));
            proptest::prop_assert!(!said.header("location").starts_with("//"));
        }
    }
}
