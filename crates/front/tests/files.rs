//! Folders of files, with real folders.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::fs;
use std::path::Path;

use http::StatusCode;
use tempfile::TempDir;

use common::{ask, get, get_with, request, write};
use sitebus_front::{Files, Front, Routes};

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "index.html", "<h1>Hello</h1>");
    write(folder.path(), "style.css", "body {}");
    write(folder.path(), "logo.svg", "<svg/>");
    write(folder.path(), "docs/index.html", "docs");
    write(folder.path(), "docs/größe 1.txt", "size");
    write(folder.path(), ".env", "SECRET=1");
    write(folder.path(), ".well-known/security.txt", "Contact: x");
    folder
}

fn front(path: &str, folder: &Path) -> Front {
    Routes::new().files(path, folder).build().unwrap()
}

#[tokio::test]
async fn files_have_their_types_and_text_is_announced_as_utf_8() {
    let folder = folder();
    let front = front("/", folder.path());
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/logo.svg", "image/svg+xml"),
        ("/docs/gr%C3%B6%C3%9Fe%201.txt", "text/plain; charset=utf-8"),
    ] {
        let said = get(&front, path).await;
        assert_eq!((said.status, said.header("content-type")), (StatusCode::OK, kind), "{path}");
        assert_eq!(said.header("content-length"), said.body.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn a_large_file_streams_whole() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    write(folder.path(), "large.bin", &bytes);
    write(folder.path(), "chunk.bin", &bytes[..65536]);
    let front = front("/", folder.path());
    assert_eq!(get(&front, "/large.bin").await.body, bytes);
    assert_eq!(get(&front, "/chunk.bin").await.body, bytes[..65536]);
    let part = get_with(&front, "/large.bin", &[("range", "bytes=100000-199999")]).await;
    assert_eq!(part.body, bytes[100_000..200_000]);
}

#[tokio::test]
async fn a_folder_without_its_slash_is_redirected_and_keeps_its_query() {
    let folder = folder();
    let at_root = front("/", folder.path());
    let below = front("/site", folder.path());
    for (front, path, to) in [
        (&at_root, "/docs", "/docs/"),
        (&at_root, "/docs?a=b", "/docs/?a=b"),
        (&at_root, "//docs", "/docs/"),
        (&below, "/site", "/site/"),
        (&below, "/site?a=b", "/site/?a=b"),
        (&below, "//site", "/site/"),
        (&below, "/site/docs", "/site/docs/"),
    ] {
        let said = get(front, path).await;
        assert_eq!((said.status.as_u16(), said.header("location")), (307, to), "{path}");
    }
    assert_eq!(get(&below, "/site/docs/").await.text(), "docs");
    assert_eq!(get(&below, "/site/").await.text(), "<h1>Hello</h1>");
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let folder = folder();
    let front = front("/", folder.path());
    for path in ["/style.css", "/nothing"] {
        let head = ask(&front, request("HEAD", path, &[])).await;
        let whole = get(&front, path).await;
        assert_eq!(head.status, whole.status);
        assert_eq!(head.headers, whole.headers);
        assert!(head.body.is_empty() && !whole.body.is_empty());
    }
}

#[tokio::test]
async fn ranges_and_conditions_work() {
    let folder = folder();
    let front = front("/", folder.path());
    let part = get_with(&front, "/style.css", &[("range", "bytes=1-3")]).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "ody"));
    assert_eq!(part.header("content-range"), "bytes 1-3/7");
    let beyond = get_with(&front, "/style.css", &[("range", "bytes=100-")]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, "bytes */7"));

    let tag = get(&front, "/style.css").await.header("etag").to_owned();
    let same = get_with(&front, "/style.css", &[("if-none-match", &tag)]).await;
    assert_eq!((same.status.as_u16(), same.text()), (304, ""));
}

#[tokio::test]
async fn ranges_that_may_be_ignored_get_the_whole_file() {
    let folder = folder();
    let front = front("/", folder.path());
    for headers in [
        &[("range", "bytes=0-1,3-4")][..],
        &[("range", "lines=0-1")],
        &[("range", "bytes=0-1"), ("if-range", "\"an older file\"")],
    ] {
        let said = get_with(&front, "/style.css", headers).await;
        assert_eq!((said.status.as_u16(), said.text()), (200, "body {}"), "{headers:?}");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_ones_would_do() {
    let folder = folder();
    let said = ask(&front("/", folder.path()), request("POST", "/style.css", &[])).await;
    assert_eq!((said.status.as_u16(), said.header("allow")), (405, "GET, HEAD"));
    assert_eq!(said.text(), "405 Method Not Allowed\n");
}

#[tokio::test]
async fn hidden_files_are_absent_unless_asked_for_except_well_known_ones() {
    let folder = folder();
    let closed = front("/", folder.path());
    for path in ["/.env", "/%2eenv", "/docs/.git/config", "//.env", "/.well-known/.env"] {
        assert_eq!(get(&closed, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(get(&closed, "/.well-known/security.txt").await.status, StatusCode::OK);

    let open = Routes::new().route("/", Files::new(folder.path()).hidden(true)).build().unwrap();
    assert_eq!(get(&open, "/.env").await.text(), "SECRET=1");
}

#[tokio::test]
async fn nothing_outside_of_the_folder_can_be_asked_for() {
    let folder = folder();
    write(folder.path(), "inner/a.txt", "a");
    let front = front("/", &folder.path().join("inner"));
    for path in [
        "/../style.css",
        "/..%2Fstyle.css",
        "/%2e%2e/style.css",
        "/x/..%2f..%2fstyle.css",
        "/..\\style.css",
        "/..%5Cstyle.css",
        "/%00",
        "/a.txt%00.html",
        "/a.txt/",
        "/a.txt/x",
        "//etc/passwd",
        "/%2Fetc/passwd",
        "/C:/windows",
        "/%ff%fe",
    ] {
        let said = get(&front, path).await;
        assert!(matches!(said.status.as_u16(), 400 | 404), "{path}: {}", said.status);
    }
    assert_eq!(get(&front, "//a.txt").await.text(), "a");
}

#[tokio::test]
async fn what_is_not_a_regular_file_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("empty")).unwrap();
    fs::create_dir_all(folder.path().join("odd/index.html")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let front = front("/", folder.path());
    for path in ["/", "/empty/", "/odd/", "/socket"] {
        for method in ["GET", "HEAD"] {
            let said = ask(&front, request(method, path, &[])).await;
            assert_eq!(said.status, StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_folder_that_vanishes_later_answers_not_found() {
    let folder = folder();
    let front = front("/", folder.path());
    folder.close().unwrap();
    assert_eq!(get(&front, "/style.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_folder_behind_a_link_follows_the_link() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one/a.txt", "one");
    write(folder.path(), "two/a.txt", "two");
    let link = folder.path().join("current");
    std::os::unix::fs::symlink("one", &link).unwrap();
    let front = front("/", &link);
    assert_eq!(get(&front, "/a.txt").await.text(), "one");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("two", &link).unwrap();
    assert_eq!(get(&front, "/a.txt").await.text(), "two");
}
