//! The program runs the example site: what a client gets, and what the log says.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::os::unix::fs::symlink;

use sitebus_tests::{Folder, Site, Verdict, ask, get, own_program, program, request, run};

/// `examples/hello` as it is, but on any free port.
fn hello(folder: &Folder) -> Site {
    Site::start_with(program!(), folder, &["run", "site.toml", "--set", r#"http.listen=["127.0.0.1:0"]"#])
}

#[test]
fn a_page_comes_with_its_type_its_length_and_its_bytes() {
    let folder = Folder::hello();
    let site = hello(&folder);
    for (path, file, kind) in [
        ("/", "public/index.html", "text/html"),
        ("/style.css", "public/style.css", "text/css"),
        ("/images/bus.svg", "public/images/bus.svg", "image/svg+xml"),
        ("/about/", "public/about/index.html", "text/html"),
    ] {
        let answer = site.get(path);
        assert_eq!((answer.status, answer.text()), (200, folder.read(file)), "{path}");
        assert!(answer.field("content-type").unwrap().starts_with(kind), "{path}: {answer:?}");
        assert_eq!(answer.field("content-length"), Some(&*answer.body.len().to_string()), "{path}");
    }
    site.stop();
}

#[test]
fn a_part_of_a_page_comes_with_206_and_says_which_part_it_is() {
    let folder = Folder::hello();
    let site = hello(&folder);
    let page = folder.read("public/index.html");
    let answer = ask(site.address(), &request("GET", "/", "range: bytes=2-5\r\n")).unwrap();
    assert_eq!((answer.status, answer.text()), (206, page[2..6].to_owned()));
    assert_eq!(answer.field("content-range"), Some(&*format!("bytes 2-5/{}", page.len())));
    let answer = ask(site.address(), &request("GET", "/", "range: bytes=-7\r\n")).unwrap();
    assert_eq!((answer.status, answer.text()), (206, page[page.len() - 7..].to_owned()));
    let answer = ask(site.address(), &request("GET", "/", "range: bytes=999999-\r\n")).unwrap();
    assert_eq!(answer.status, 416);
    site.stop();
}

#[test]
fn a_page_that_the_client_has_is_not_sent_again() {
    let folder = Folder::hello();
    let site = hello(&folder);
    let first = site.get("/");
    for (field, value) in [("if-none-match", "etag"), ("if-modified-since", "last-modified")] {
        let known = first.field(value).unwrap();
        let answer = ask(site.address(), &request("GET", "/", &format!("{field}: {known}\r\n"))).unwrap();
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{field}");
    }
    folder.write("public/index.html", "a new one");
    let known = first.field("etag").unwrap();
    let answer = ask(site.address(), &request("GET", "/", &format!("if-none-match: {known}\r\n"))).unwrap();
    assert_eq!((answer.status, answer.text()), (200, "a new one".to_owned()));
    site.stop();
}

#[test]
fn a_folder_without_its_slash_is_sent_to_the_one_with_it() {
    let folder = Folder::hello();
    let site = hello(&folder);
    let answer = site.get("/about?q=1");
    assert_eq!(answer.status, 307, "{answer:?}");
    assert_eq!(answer.field("location"), Some("/about/?q=1"));
    assert_eq!(site.get("/about/").status, 200);
    site.stop();
}

#[test]
fn a_fixed_response_and_a_redirect_are_as_the_site_file_says() {
    let folder = Folder::hello();
    let site = hello(&folder);
    let answer = site.get("/health");
    assert_eq!((answer.status, answer.text()), (200, "{\"ok\":true}".to_owned()));
    assert_eq!(answer.field("content-type"), Some("application/json"));
    let answer = site.get("/team/anybody");
    assert_eq!((answer.status, answer.field("location")), (307, Some("/about/anybody")));
    site.stop();
}

#[test]
fn what_is_not_there_is_not_found_and_what_is_hidden_or_outside_is_not_there() {
    let folder = Folder::hello();
    let site = hello(&folder);
    for path in [
        "/nothing",
        "/images/",
        "/health/x",
        "/../site.toml",
        "/%2e%2e/site.toml",
        "/images/..%2f..%2fsite.toml",
    ] {
        let answer = site.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        assert!(!answer.text().contains("listen"), "{path}");
    }
    site.stop();
}

#[test]
fn head_is_get_without_the_body() {
    let folder = Folder::hello();
    let site = hello(&folder);
    for path in ["/", "/health", "/about", "/nothing"] {
        let (got, asked) = (site.get(path), ask(site.address(), &request("HEAD", path, "")).unwrap());
        assert_eq!((asked.status, asked.body.len()), (got.status, 0), "{path}");
        for field in ["content-type", "location", "etag"] {
            assert_eq!(asked.field(field), got.field(field), "{path}: {field}");
        }
    }
    site.stop();
}

#[test]
fn other_methods_are_refused_where_they_make_no_sense() {
    let folder = Folder::hello();
    let site = hello(&folder);
    for method in ["POST", "PUT", "DELETE"] {
        let answer = ask(site.address(), &request(method, "/", "content-length: 0\r\n")).unwrap();
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.field("allow").is_some_and(|allowed| allowed.contains("GET")), "{method}: {answer:?}");
    }
    site.stop();
}

#[test]
fn it_says_where_it_listens_who_asked_what_and_why_it_ended() {
    let folder = Folder::hello();
    let site = hello(&folder);
    let address = site.address();
    assert!(address.ip().is_loopback() && address.port() != 0);
    site.get("/health");
    let line = site.says("\"GET /health HTTP/1.1\" 200 11 ");
    assert!(line.contains(" http.access: 127.0.0.1:"), "{line}");
    let ended = site.stop();
    assert_eq!(ended.stdout, "", "standard output is nobody's");
    assert!(ended.stderr.contains("hello: exit with code 0 asked by signal SIGTERM"), "{}", ended.stderr);
    get(address, "/").unwrap_err();
}

#[test]
fn the_status_of_the_process_is_the_code_of_its_exit() {
    for (file, code) in
        [("leave", 0), ("leave", 3), ("leave", 255), ("leave-at-start", 17), ("leave-at-start", 0)]
    {
        let folder = Folder::small();
        folder.write(file, code.to_string());
        let ended = run(own_program!(), folder.path(), &["run"]);
        assert_eq!(ended.code, Some(code), "{file}: {}", ended.stderr);
        let why = format!("exit with code {code} asked by a file");
        assert!(ended.stderr.contains(&why), "{file}: {}", ended.stderr);
        assert_eq!(ended.stderr.contains("Bus STARTED"), file == "leave", "{}", ended.stderr);
    }
}

#[test]
fn a_site_file_elsewhere_is_run_from_anywhere_and_paths_count_from_it() {
    let folder = Folder::hello();
    let elsewhere = Folder::empty();
    let file = folder.at("site.toml").display().to_string();
    let site = Site::start_with(
        program!(),
        &elsewhere,
        &["run", &file, "--set", r#"http.listen=["127.0.0.1:0"]"#, "--set", "site.name=elsewhere"],
    );
    assert_eq!(site.get("/").text(), folder.read("public/index.html"));
    site.stop();
    assert!(elsewhere.list().is_empty(), "{:?}", elsewhere.list());
    assert!(folder.at(".sitebus/elsewhere/lock").exists());
}

#[test]
fn through_a_link_paths_count_from_the_links_folder_and_its_name_is_the_sites() {
    let (folder, links) = (Folder::hello(), Folder::empty());
    symlink(folder.at("site.toml"), links.at("shop.toml")).unwrap();
    let checked = run(program!(), links.path(), &["check", "shop.toml"]);
    assert!(checked.stderr.contains("there is no folder `public`"), "{}", checked.stderr);
    links.write("public/index.html", "of the links");
    folder.write("site.toml", folder.read("site.toml").replace("name = \"hello\"\n", ""));
    let options = ["run", "shop.toml", "--set", r#"http.listen=["127.0.0.1:0"]"#];
    let site = Site::start_with(program!(), &links, &options);
    site.says("the site 'shop' is process ");
    assert_eq!(site.get("/").text(), "of the links");
    site.stop();
    assert!(links.at(".sitebus/shop/lock").exists() && !folder.at(".sitebus").exists());
}

#[test]
fn a_release_is_switched_by_a_link_to_its_folder_and_a_reload() {
    let folder = Folder::empty();
    for release in ["1", "2"] {
        folder.write(&format!("{release}/public/index.html"), release);
        folder.write(
            &format!("{release}/site.toml"),
            "[http]\nlisten = [\"127.0.0.1:0\"]\n[[route]]\npath = \"/\"\nstatic = \"public\"\n",
        );
    }
    symlink("1", folder.at("current")).unwrap();
    let state = format!("site.state={}", folder.at("state").display());
    let site = Site::start_with(program!(), &folder, &["run", "current/site.toml", "--set", &state]);
    assert_eq!(site.get("/").text(), "1");
    symlink("2", folder.at("next")).unwrap();
    fs::rename(folder.at("next"), folder.at("current")).unwrap();
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(site.get("/").text(), "2");
    let ended = site.stop();
    assert!(!ended.stderr.contains("was removed"), "{}", ended.stderr);
}

#[test]
fn the_same_command_line_passes_the_check_that_starts_nothing() {
    let folder = Folder::hello();
    let before = folder.list();
    let ended = run(program!(), folder.path(), &["check"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        ended.stdout,
        "site.toml is right: the site 'hello' has 3 routes and listens on 127.0.0.1:8080\n"
    );
    assert_eq!(folder.list(), before);
}
