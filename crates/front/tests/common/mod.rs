//! Asking a front, and reading what it says.

#![allow(unreachable_pub, reason = "shared by several test files")]
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};

use sitebus_front::Front;

pub struct Said {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Said {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub async fn ask(front: &Front, request: Request<Empty<Bytes>>) -> Said {
    let (parts, body) = front.serve(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Said { status: parts.status, headers: parts.headers, body }
}

pub async fn get(front: &Front, path: &str) -> Said {
    ask(front, request("GET", path, &[])).await
}

pub async fn get_with(front: &Front, path: &str, headers: &[(&str, &str)]) -> Said {
    ask(front, request("GET", path, headers)).await
}

pub fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Empty::new()).unwrap()
}

pub fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}
