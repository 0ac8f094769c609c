//! Reloads of a site under load: nothing is lost, and what is wrong changes nothing.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use sitebus_testkit::{Load, Running, left_out};
use sitebus_tests::{Connection, Folder, SOON, Site, Verdict, ask, get, program, request, run};

/// Connections that are kept, and a new one for each request, both for as long as the test takes.
struct Pressure {
    kept: Running,
    new: Running,
}

impl Pressure {
    fn on(site: &Site) -> Pressure {
        let load =
            || Load::new(site.address()).path("/ok").connections(3).requests(u64::MAX).within(2 * SOON);
        let pressure = Pressure { kept: load().start(), new: load().close_each().start() };
        pressure.kept.wait_for_answers(50, SOON).unwrap();
        pressure.new.wait_for_answers(50, SOON).unwrap();
        pressure
    }

    #[track_caller]
    fn lost_nothing(self) {
        for (kind, report) in [("kept connections", self.kept.stop()), ("new connections", self.new.stop())] {
            assert_eq!(report.lost(), 0, "{kind}: {report}");
            assert!(report.answered >= 50, "{kind}: {report}");
        }
    }
}

/// A site with the answer `one` at `/x`, and what load generators ask for at `/ok`.
fn site_file(rest: &str) -> String {
    format!(
        "{rest}\n[[route]]\npath = \"/ok\"\nrespond = {{ body = \"ok\" }}\n[[route]]\npath = \"/x\"\nrespond = {{ body = \"one\" }}"
    )
}

fn started(settings: &str) -> (Folder, Site) {
    let folder = Folder::small();
    folder.site(&site_file(settings));
    let site = Site::start(program!(), &folder);
    (folder, site)
}

const ANYWHERE: &str = "[http]\nlisten = [\"127.0.0.1:0\"]";

#[test]
fn new_routes_are_taken_up_without_a_lost_request() {
    let (folder, site) = started(ANYWHERE);
    let pressure = Pressure::on(&site);
    let mut kept = site.connect();
    for number in 0..10 {
        let text = site_file(ANYWHERE).replace("\"one\"", &format!("\"number {number}\""));
        folder.site(&format!("{text}\n[[route]]\npath = \"/new{number}\"\nredirect = \"/x\""));
        assert_eq!(site.reload(), Verdict::Reloaded);
        assert_eq!(site.get("/x").text(), format!("number {number}"));
        assert_eq!(site.get(&format!("/new{number}")).status, 307);
        // A connection from before the reload sees the new routes too.
        kept.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(kept.answer().unwrap().text(), format!("number {number}"));
    }
    assert_eq!(site.get("/new8").status, 404);
    pressure.lost_nothing();
    site.stop();
}

#[test]
fn another_folder_is_taken_up_without_a_lost_request() {
    let (folder, site) = started(ANYWHERE);
    let pressure = Pressure::on(&site);
    folder.write("blue/index.html", "blue");
    folder.write("green/index.html", "green");
    for colour in ["blue", "green", "blue", "green", "blue"] {
        folder.write(
            "site.toml",
            format!("{}\n[[route]]\npath = \"/\"\nstatic = \"{colour}\"\n", site_file(ANYWHERE)),
        );
        assert_eq!(site.reload(), Verdict::Reloaded);
        assert_eq!(site.get("/").text(), colour);
    }
    pressure.lost_nothing();
    site.stop();
}

#[test]
fn a_download_that_has_begun_ends_as_it_began() {
    let (folder, site) = started(ANYWHERE);
    let size = 16 * 1024 * 1024;
    fs::File::create(folder.at("public/large.bin")).unwrap().set_len(size).unwrap();
    let mut download = site.connect();
    download.send(request("GET", "/large.bin", "")).unwrap();
    assert_eq!(download.head().unwrap().0, 200);
    folder.write("elsewhere/index.html", "new");
    folder.write(
        "site.toml",
        format!("{}\n[[route]]\npath = \"/\"\nstatic = \"elsewhere\"\n", site_file(ANYWHERE)),
    );
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(site.get("/large.bin").status, 404);
    assert_eq!(download.rest().unwrap().len() as u64, size);
    site.stop();
}

#[test]
fn listeners_come_and_go_without_a_lost_request() {
    let (folder, site) = started("[http]\nlisten = [\"127.0.0.1:0\"]");
    let first = site.address();
    let pressure = Pressure::on(&site);
    for round in 1..4 {
        folder.site(&site_file(&format!(
            "[http]\nlisten = [\"127.0.0.1:0\", \"unix:{round}.sock\", \"[::1]:0\"]"
        )));
        let ipv6 = TcpListener::bind("[::1]:0").is_ok();
        if !ipv6 {
            left_out("this machine has no IPv6, so only the Unix socket comes and goes");
            folder.site(&site_file(&format!("[http]\nlisten = [\"127.0.0.1:0\", \"unix:{round}.sock\"]")));
        }
        assert_eq!(site.reload(), Verdict::Reloaded);
        let socket = folder.at(&format!("{round}.sock"));
        let mut local = Connection::unix(&socket).unwrap();
        local.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(local.answer().unwrap().text(), "one");
        if ipv6 {
            assert!(site.address().is_ipv6());
            assert_eq!(site.get("/x").text(), "one");
        }

        folder.site(&site_file("[http]\nlisten = [\"127.0.0.1:0\"]"));
        assert_eq!(site.reload(), Verdict::Reloaded);
        assert!(!socket.exists());
        // Whoever came while it was open is served on.
        local.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(local.answer().unwrap().text(), "one");
        if ipv6 {
            get(site.address(), "/x").unwrap_err();
        }
    }
    assert_eq!(get(first, "/x").unwrap().text(), "one");
    pressure.lost_nothing();
    site.stop();
}

#[test]
fn a_listener_that_is_removed_resets_nobody() {
    let (folder, site) = started("[http]\nlisten = [\"127.0.0.1:0\", \"unix:other.sock\"]");
    let removed = site.address();
    let load = Load::new(removed)
        .path("/ok")
        .connections(4)
        .requests(u64::MAX)
        .within(2 * SOON)
        .close_each()
        .start();
    load.wait_for_answers(100, SOON).unwrap();
    folder.site(&site_file("[http]\nlisten = [\"unix:other.sock\"]"));
    assert_eq!(site.reload(), Verdict::Reloaded);
    get(removed, "/ok").unwrap_err();
    let report = load.stop();
    assert_eq!((report.lost() - report.refused, report.reset, report.short), (0, 0, 0), "{report}");
    assert!(report.refused > 0, "{report}");
    site.stop();
}

#[test]
fn limits_are_taken_up_by_new_connections_without_a_lost_request() {
    let (folder, site) = started(ANYWHERE);
    let pressure = Pressure::on(&site);
    let post = request("POST", "/x", "content-length: 100\r\n");
    let mut slow = site.connect();
    slow.send("GET /x HTTP/1.1\r\n").unwrap();
    folder.site(&site_file(&format!(
        "{ANYWHERE}\nmax_body_size = 10\nheader_timeout = \"200ms\"\n[log]\naccess = true"
    )));
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(ask(site.address(), &post).unwrap().status, 413);
    site.says("\"POST /x HTTP/1.1\" 413 ");
    let mut late = site.connect();
    late.send("GET /x HTTP/1.1\r\n").unwrap();
    assert_eq!(late.answer().unwrap().status, 408);
    slow.send("host: x\r\n\r\n").unwrap();
    assert_eq!(slow.answer().unwrap().status, 200, "the limits of its time hold for an old connection");
    folder.site(&site_file(ANYWHERE));
    assert_eq!(site.reload(), Verdict::Reloaded);
    pressure.lost_nothing();
    site.stop();
}

#[test]
fn a_site_file_that_is_wrong_is_refused_in_the_words_of_check_and_nothing_changes() {
    let (folder, site) = started(ANYWHERE);
    let pressure = Pressure::on(&site);
    let good = folder.read("site.toml");
    for wrong in [
        good.replace("listen", "lisen"),
        good.replace("\"public\"", "\"pubilc\""),
        good.replace("[\"127.0.0.1:0\"]", "[\"127.0.0.1:0\""),
        good.replace("/x", "/ok"),
        String::new(),
        "\u{0}".to_owned(),
    ] {
        folder.write("site.toml", &wrong);
        let checked = run(program!(), folder.path(), &["check"]);
        assert_eq!(checked.code, Some(2));
        assert_eq!(site.reload(), Verdict::Refused, "{wrong}");
        for line in checked.stderr.lines() {
            site.says(&format!("    {line}"));
        }
        assert_eq!(site.get("/x").text(), "one");
        assert_eq!(site.get("/").text(), "<h1>index</h1>");
    }
    folder.write("site.toml", good.replace("\"one\"", "\"mended\""));
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(site.get("/x").text(), "mended");
    pressure.lost_nothing();
    site.stop();
}

#[test]
fn a_listener_that_cannot_be_had_vetoes_all_of_the_change() {
    let (folder, site) = started(ANYWHERE);
    let pressure = Pressure::on(&site);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!("[http]\nlisten = [\"127.0.0.1:0\", \"unix:new.sock\", \"{address}\"]");
    folder.site(&site_file(&text).replace("\"one\"", "\"two\""));
    assert_eq!(site.reload(), Verdict::Refused);
    let said = site.says("cannot listen on");
    assert!(said.contains(&address.to_string()) && said.contains(&std::process::id().to_string()), "{said}");
    assert_eq!(site.get("/x").text(), "one");
    assert!(!folder.at("new.sock").exists(), "what was bound already is given back");
    drop(taken);
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(get(address, "/x").unwrap().text(), "two");
    pressure.lost_nothing();
    site.stop();
}

#[test]
fn an_address_that_overlaps_with_one_of_its_own_is_refused_with_a_cure() {
    let (folder, site) = started(ANYWHERE);
    let port = site.address().port();
    folder.site(&site_file(&format!("[http]\nlisten = [\"0.0.0.0:{port}\"]")));
    assert_eq!(site.reload(), Verdict::Refused);
    let said = site.says("cannot listen on");
    assert!(
        said.contains("this very process") && said.contains("choose another port; or stop first"),
        "{said}"
    );
    assert_eq!(site.get("/x").text(), "one");
    site.stop();
}

#[test]
fn what_lasts_as_long_as_the_process_is_refused_with_the_cure() {
    for (change, says) in [
        (
            "[site]\nname = \"other\"\n[http]\nlisten = [\"127.0.0.1:0\"]",
            "`name` in [site] cannot change from 'site'",
        ),
        (
            "[site]\nstate = \"elsewhere\"\n[http]\nlisten = [\"127.0.0.1:0\"]",
            "`state` in [site] cannot change from",
        ),
        ("[http]\nlisten = [\"127.0.0.1:0\"]\nthreads = 7", "`threads` in [http] cannot change"),
        (
            "[http]\nlisten = [\"127.0.0.1:0\"]\ndrain_timeout = \"7s\"",
            "`drain_timeout` in [http] cannot change",
        ),
        ("[http]\nlisten = [\"127.0.0.1:0\"]\n[signals]\nUSR1 = \"exit\"", "[signals] cannot change"),
    ] {
        let (folder, site) = started(ANYWHERE);
        folder.site(&site_file(change).replace("\"one\"", "\"two\""));
        assert_eq!(site.reload(), Verdict::Refused, "{change}");
        assert!(site.says(says).contains("restart it"), "{change}");
        assert_eq!(site.get("/x").text(), "one", "{change}");
        assert!(!folder.at("elsewhere").exists());
        site.stop();
    }
}

#[test]
fn ten_reloads_in_a_row_each_take_effect() {
    let (folder, site) = started(ANYWHERE);
    let pressure = Pressure::on(&site);
    for number in 0..10 {
        folder.site(&site_file(ANYWHERE).replace("\"one\"", &format!("\"{number}\"")));
        assert_eq!(site.reload(), Verdict::Reloaded);
        assert_eq!(site.get("/x").text(), number.to_string());
    }
    assert_eq!(site.verdicts(), 10);
    pressure.lost_nothing();
    site.stop();
}

#[test]
fn a_reload_in_the_midst_of_a_drain_is_refused_and_delays_nothing() {
    let (_folder, site) = started(&format!("{ANYWHERE}\nheader_timeout = \"400ms\""));
    let mut half = site.connect();
    half.send("GET /x HTTP/1.1\r\n").unwrap();
    // Answered on another connection: by now the first one's bytes have been read.
    site.get("/x");
    site.signal("TERM".parse().unwrap());
    site.says("Bus STOPPING");
    site.signal("HUP".parse().unwrap());
    let said = site.says("not reloading, for the bus is exiting");
    assert!(said.contains("SIGHUP"), "{said}");
    assert!(!site.goes_on_for(Duration::from_secs(20)), "it was to end soon");
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn what_the_command_line_puts_over_the_file_holds_in_reloads_and_restarts_too() {
    let folder = Folder::small();
    folder.site(&site_file("[http]\nlisten = [\"192.0.2.1:80\"]"));
    let site = Site::start_with(
        program!(),
        &folder,
        &["run", "--set", r#"http.listen=["127.0.0.1:0"]"#, "--set", "route.1.respond.body=over it"],
    );
    assert_eq!(site.get("/x").text(), "over it");
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(site.get("/x").text(), "over it");
    site.signal("USR2".parse().unwrap());
    site.says_times(2, "Bus STARTED");
    assert_eq!(site.get("/x").text(), "over it");
    site.stop();
}
