//! Clients and users who mean harm, or do not mean it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Instant;

use sitebus_os::signal::Signal;
use sitebus_tests::{Connection, Folder, SOON, Site, Verdict, own_program, program, run};

fn small() -> (Folder, Site) {
    let folder = Folder::small();
    folder.site(
        "[http]\nlisten = [\"127.0.0.1:0\"]\nheader_timeout = \"1s\"\n[[route]]\npath = \"/ok\"\nrespond = { body = \"ok\" }",
    );
    let site = Site::start(program!(), &folder);
    (folder, site)
}

fn make(what: &str, path: &std::path::Path) {
    assert!(Command::new(what).arg(path).status().unwrap().success());
}

/// What still comes until the site closes the connection, or resets it. It must do one of the two.
#[track_caller]
fn rest(connection: &mut Connection) -> Vec<u8> {
    match connection.rest() {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("the site neither answers nor closes: {error}")
        }
        Err(_) => Vec::new(),
    }
}

/// What is answered to these bytes until the site closes the connection: the statuses, in their order.
#[track_caller]
fn statuses(site: &Site, bytes: &[u8]) -> Vec<u16> {
    let mut connection = site.connect();
    let _ = connection.send(bytes);
    let said = rest(&mut connection);
    let said = String::from_utf8_lossy(&said).into_owned();
    let heads = said.split("HTTP/1.").skip(1);
    heads.filter_map(|head| head.get(2..5)?.parse().ok()).collect()
}

#[test]
fn malformed_requests_are_refused_and_the_next_client_is_served() {
    let (_folder, site) = small();
    let long = "a".repeat(200_000);
    for (what, bytes) in [
        ("no request line", "\r\n\r\n\r\n".to_owned()),
        ("words", "hello there\r\n\r\n".to_owned()),
        ("no version", "GET /\r\n\r\n".to_owned()),
        ("a version of nobody", "GET / HTTP/9.9\r\nhost: x\r\n\r\n".to_owned()),
        ("no path", "GET  HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()),
        ("a relative path", "GET index.html HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
        ("a space in a name", "GET / HTTP/1.1\r\nho st: x\r\n\r\n".to_owned()),
        ("a space before the colon", "GET / HTTP/1.1\r\nhost : x\r\n\r\n".to_owned()),
        ("a folded field", "GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n".to_owned()),
        (
            "two lengths",
            "POST /ok HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
        ),
        ("a negative length", "POST /ok HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned()),
        (
            "a length of many digits",
            format!("POST /ok HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", "9".repeat(40)),
        ),
        ("an odd encoding", "POST /ok HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n".to_owned()),
        ("a null byte", "GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()),
        ("a long line", format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n")),
        ("a long field", format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n")),
        ("many fields", format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(1000))),
        ("a greeting of TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".to_owned()),
    ] {
        let answers = statuses(&site, bytes.as_bytes());
        assert!(
            answers.is_empty()
                || matches!(answers[..], [400 | 404 | 405 | 408 | 413 | 414 | 431 | 501 | 505]),
            "{what}: {answers:?}"
        );
        assert_eq!(site.get("/ok").text(), "ok", "after {what}");
    }
    site.stop();
}

#[test]
fn a_request_cannot_be_smuggled_behind_another() {
    let (_folder, site) = small();
    for (what, bytes) in [
        (
            "length and chunks",
            "POST /ok HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        (
            "chunks that are not last",
            "POST /ok HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        (
            "a bad chunk",
            "POST /ok HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
        (
            "a bare newline in a chunk",
            "POST /ok HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\nx\n0\n\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n",
        ),
    ] {
        let answers = statuses(&site, bytes.as_bytes());
        assert!(!answers.contains(&404), "{what}: the second request was taken for one: {answers:?}");
    }
    site.stop();
}

#[test]
fn requests_one_behind_the_other_are_answered_in_their_order() {
    let (_folder, site) = small();
    let bytes = "GET /ok HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50)
        + "GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = statuses(&site, bytes.as_bytes());
    assert_eq!(answers, [vec![200; 50], vec![404]].concat());
    site.stop();
}

#[test]
fn clients_that_vanish_in_the_midst_of_everything_are_forgotten() {
    let (folder, site) = small();
    fs::File::create(folder.at("public/large.bin")).unwrap().set_len(64 * 1024 * 1024).unwrap();
    site.get("/ok");
    let (_, before) = site.holds();
    for round in 0..60 {
        let mut connection = site.connect();
        let bytes = [
            "",
            "GET",
            "GET /ok HTTP/1.1\r\n",
            "GET /large.bin HTTP/1.1\r\nhost: x\r\n\r\n",
            "POST /ok HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc",
        ][round % 5];
        connection.send(bytes).unwrap();
        if round % 10 == 3 {
            connection.head().unwrap();
        }
    }
    sitebus_tests::wait_until("as few descriptors as before", || (site.holds().1 <= before).then_some(()));
    assert_eq!(site.get("/ok").status, 200);
    site.stop();
}

#[test]
fn a_preface_of_http2_that_stops_half_way_costs_the_header_time_and_no_more() {
    let (_folder, site) = small();
    let (mut half, began) = (site.connect(), Instant::now());
    half.send("PRI * HTTP/2.0\r\n\r\nSM").unwrap();
    let said = String::from_utf8(rest(&mut half)).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(began.elapsed() < SOON / 3, "{:?}", began.elapsed());
    assert_eq!(site.get("/ok").status, 200);
    site.stop();
}

#[test]
fn odd_files_in_a_folder_hold_up_nobody() {
    let (folder, site) = small();
    make("mkfifo", &folder.at("public/fifo"));
    symlink("/dev/zero", folder.at("public/zero")).unwrap();
    symlink("loop", folder.at("public/loop")).unwrap();
    fs::create_dir(folder.at("public/index")).unwrap();
    make("mkdir", &folder.at("public/index/index.html"));
    let _socket = std::os::unix::net::UnixListener::bind(folder.at("public/socket")).unwrap();
    for path in [
        "/fifo",
        "/zero",
        "/loop",
        "/socket",
        "/index/",
        "/index.html/",
        "/index.html/x",
        &format!("/{}", "n".repeat(300)),
    ] {
        let answer = site.get(path);
        assert!(matches!(answer.status, 307 | 404 | 500), "{path}: {}", answer.status);
    }
    assert_eq!(site.get("/").status, 200);
    site.stop();
}

#[test]
fn a_folder_that_vanishes_is_not_found_and_a_reload_without_it_refused() {
    let (folder, site) = small();
    fs::rename(folder.at("public"), folder.at("away")).unwrap();
    assert_eq!(site.get("/").status, 404);
    assert_eq!(site.get("/ok").status, 200);
    assert_eq!(site.reload(), Verdict::Refused);
    site.says("there is no folder `public`");
    fs::rename(folder.at("away"), folder.at("public")).unwrap();
    assert_eq!(site.get("/").status, 200);
    assert_eq!(site.reload(), Verdict::Reloaded);
    site.stop();
}

#[test]
fn whatever_takes_the_place_of_the_site_file_is_refused_at_once_and_the_site_goes_on() {
    let (folder, site) = small();
    let good = folder.read("site.toml");
    let file = folder.at("site.toml");
    let remove = || fs::remove_file(&file).or_else(|_| fs::remove_dir(&file)).unwrap();
    let refused = |says: &str| {
        let began = Instant::now();
        assert_eq!(site.reload(), Verdict::Refused, "{says}");
        assert!(began.elapsed() < SOON / 3, "{says}: {:?}", began.elapsed());
        site.says(says);
        assert_eq!(site.get("/ok").text(), "ok", "{says}");
    };
    remove();
    refused("there is no site file");
    make("mkfifo", &file);
    refused("is no file, but a pipe");
    remove();
    make("mkdir", &file);
    refused("is a folder, not a site file");
    remove();
    symlink("site.toml", &file).unwrap();
    refused("symbolic link");
    remove();
    symlink("/dev/zero", &file).unwrap();
    refused("is no file, but a device");
    remove();
    folder.write("site.toml", vec![b'#'; 2 * 1024 * 1024]);
    refused("is larger than 1 MiB");
    folder.write("site.toml", b"\xff\xfe\x00");
    refused("is not UTF-8");
    folder.write("site.toml", good);
    assert_eq!(site.reload(), Verdict::Reloaded);
    site.stop();
}

#[test]
fn a_large_site_file_is_checked_in_seconds_however_it_is_made() {
    let route = "[[route]]\npath = \"/\"\nstatic = \"public\"\n";
    let lines = |line: &dyn Fn(usize) -> String, count: usize| (0..count).map(line).collect::<String>();
    for (what, text, right) in [
        ("unknown keys", lines(&|n| format!("key{n} = 1\n"), 8_000), false),
        ("unknown sections", lines(&|n| format!("[s{n}]\n"), 8_000), false),
        ("syntax errors", lines(&|n| format!("= {n}\n"), 8_000), false),
        ("depth", format!("x = {}\n{route}", "[".repeat(500_000)), false),
        ("a long name", format!("{} = 1\n{route}", vec!["a"; 200_000].join(".")), false),
        (
            "addresses",
            format!("[http]\nlisten = [{}]\n{route}", lines(&|_| "\"127.0.0.1:x\",".to_owned(), 1_000)),
            false,
        ),
        (
            "routes",
            route.to_owned() + &lines(&|n| format!("[[route]]\npath = \"/{n}\"\nrespond = {{}}\n"), 3_000),
            true,
        ),
        (
            "redirects in a row",
            lines(&|n| format!("[[route]]\npath = \"/{n}\"\nredirect = \"/{}\"\n", n + 1), 3_000),
            true,
        ),
        ("routes without an answer", lines(&|n| format!("[[route]]\npath = \"/{n}\"\n"), 3_000), false),
    ] {
        let folder = Folder::small();
        folder.write("site.toml", text);
        let ended = run(program!(), folder.path(), &["check"]);
        assert_eq!(
            ended.code,
            Some(if right { 0 } else { 2 }),
            "{what}: {}",
            &ended.stderr[..ended.stderr.len().min(2000)]
        );
        assert!(ended.stderr.len() < 200_000, "{what}: a report of {} bytes", ended.stderr.len());
    }
}

#[test]
fn a_site_of_thousands_of_routes_answers_all_of_them() {
    let folder = Folder::small();
    let routes: String =
        (0..3_000).map(|n| format!("[[route]]\npath = \"/r{n}/\"\nredirect = \"/to{n}/\"\n")).collect();
    folder.site(&format!("[http]\nlisten = [\"127.0.0.1:0\"]\n{routes}"));
    let site = Site::start(program!(), &folder);
    for n in (0..3_000).step_by(97) {
        let answer = site.get(&format!("/r{n}/x/y"));
        assert_eq!((answer.status, answer.field("location")), (307, Some(&*format!("/to{n}/x/y"))));
    }
    assert_eq!(site.get("/").status, 200);
    assert_eq!(site.reload(), Verdict::Reloaded);
    site.stop();
}

#[test]
fn an_end_in_the_first_moments_of_a_start_is_an_end() {
    for _ in 0..20 {
        let folder = Folder::small();
        let mut command = Command::new(program!());
        command.arg("run");
        let site = Site::spawn(command, &folder);
        site.signal(Signal::TERM);
        let ended = site.ends();
        // Before the signals are taken, it dies of the signal itself.
        assert!(matches!(ended.code, Some(0) | None), "{:?} {}", ended.code, ended.stderr);
        Site::start(program!(), &folder).stop();
    }
}

#[test]
fn an_end_and_a_restart_at_the_same_time_are_an_end() {
    for _ in 0..10 {
        let (_folder, site) = small();
        site.signal(Signal::USR2);
        site.signal(Signal::TERM);
        site.signal(Signal::USR2);
        let ended = site.ends();
        assert!(matches!(ended.code, Some(0) | None), "{:?} {}", ended.code, ended.stderr);
    }
}

#[test]
fn a_body_that_is_larger_than_allowed_is_refused_whether_it_says_so_or_not() {
    let folder = Folder::small();
    folder.site(
        "[http]\nlisten = [\"127.0.0.1:0\"]\nmax_body_size = 1000\n[[route]]\npath = \"/shop\"\napp = \"shop\"",
    );
    let site = Site::start(own_program!(), &folder);
    let announced =
        format!("POST /shop/upload HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n{}", "x".repeat(2000));
    assert_eq!(statuses(&site, announced.as_bytes()), [413]);
    let chunk = format!("7d0\r\n{}\r\n0\r\n\r\n", "x".repeat(2000));
    let hidden =
        format!("POST /shop/upload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    let answers = statuses(&site, hidden.as_bytes());
    assert!(matches!(answers[..], [400 | 413]), "{answers:?}");
    let fits = "POST /shop/upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(statuses(&site, fits.as_bytes()), [200]);
    site.stop();
}
