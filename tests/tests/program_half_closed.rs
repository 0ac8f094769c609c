//! Clients that end their side of the connection once they have asked, as `nc -N` and some load balancers do.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use sitebus_tests::{Folder, SOON, Site, program};

/// Everything that comes after these bytes and the end of them.
fn everything_after(site: &Site, bytes: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(site.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

#[test]
fn files_come_whole_to_a_client_that_has_ended_its_side() {
    let folder = Folder::hello();
    let large = vec![b'x'; 8 * 1024 * 1024];
    fs::write(folder.at("public/large.bin"), &large).unwrap();
    let small = folder.read("public/style.css");
    let site = Site::start_with(
        program!(),
        &folder,
        &["run", "site.toml", "--set", r#"http.listen=["127.0.0.1:0"]"#],
    );
    for request in ["GET /style.css HTTP/1.0\r\n\r\n", "GET /style.css HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let answer = String::from_utf8(everything_after(&site, request)).unwrap();
        assert!(answer.contains(" 200 OK\r\n") && answer.ends_with(&small), "{request}: {answer}");
    }
    for version in ["1.0", "1.1"] {
        let request = format!("GET /large.bin HTTP/{version}\r\nhost: x\r\n\r\n");
        let answer = everything_after(&site, &request);
        assert!(answer.ends_with(&large), "{version}: {} bytes", answer.len());
    }
    let pipelined = "GET /style.css HTTP/1.1\r\nhost: x\r\n\r\n".repeat(10);
    let answer = String::from_utf8(everything_after(&site, &pipelined)).unwrap();
    assert_eq!(answer.matches(" 200 OK\r\n").count(), 10, "{answer}");
    site.stop();
}
