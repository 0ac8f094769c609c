//! A real systemd runs the unit that `generate systemd` writes: it starts, reloads, restarts and stops the site with the truth.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::process::Output;

use serde_json::Value;
use sitebus_testkit::left_out;
use sitebus_testkit::systemd::Systemd;
use sitebus_tests::{Folder, get, program, run, wait_until};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_generated_unit_boots_and_its_reloads_tell_the_truth() {
    let machine = match Systemd::boot() {
        Ok(machine) => machine,
        Err(why) => return left_out(why),
    };
    let folder = Folder::small();
    let file = folder.at("site.toml");
    let unit = run(program!(), folder.path(), &["generate", "systemd"]);
    assert_eq!(unit.code, Some(0), "{unit:?}");
    // This machine has none of the units that others begin with.
    let unit = unit.stdout.replace("[Unit]\n", "[Unit]\nDefaultDependencies=no\n");
    machine.write_unit("site.service", &unit).unwrap();
    let systemctl = |verb: &str| machine.systemctl([verb, "site.service"]).unwrap();
    let property = |name: &str| machine.property("site.service", name).unwrap();
    let status = || {
        let told = run(program!(), folder.path(), &["status", "--json"]);
        serde_json::from_str::<Value>(&told.stdout).unwrap()["data"].clone()
    };

    let started = systemctl("start");
    assert!(started.status.success(), "{}", said(&started));
    assert_eq!(property("ActiveState"), "active");
    assert_eq!(status()["state"], "STARTED");
    let address =
        status()["listening"][0].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    assert_eq!(get(address, "/").unwrap().status, 200);

    let good = folder.read("site.toml");
    folder.write("site.toml", format!("{good}[[route]]\npath = \"/new\"\nrespond = {{ body = \"new\" }}\n"));
    let reloaded = systemctl("reload");
    assert!(reloaded.status.success(), "{}", said(&reloaded));
    assert_eq!(get(address, "/new").unwrap().text(), "new");
    folder.write("site.toml", "[http]\nlisen = []\n");
    let refused = systemctl("reload");
    assert!(!refused.status.success(), "a reload that is refused has failed");
    assert_eq!(
        (property("ActiveState").as_str(), get(address, "/new").unwrap().text().as_str()),
        ("active", "new")
    );
    folder.write("site.toml", &good);

    let process = property("MainPID");
    let restarted = run(program!(), folder.path(), &["restart", file.to_str().unwrap()]);
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    assert_eq!((property("MainPID"), property("ActiveState").as_str()), (process, "active"));
    assert_eq!(get(address, "/").unwrap().status, 200);

    let stopped = systemctl("stop");
    assert!(stopped.status.success(), "{}", said(&stopped));
    assert_eq!((property("ActiveState").as_str(), property("Result").as_str()), ("inactive", "success"));
    assert_eq!(run(program!(), folder.path(), &["status"]).code, Some(4));

    // A bad file is not tried again and again.
    folder.write("site.toml", "[http]\nlisen = []\n");
    let failed = systemctl("start");
    assert!(!failed.status.success());
    wait_until("the failure", || (property("ActiveState") == "failed").then_some(()));
    assert_eq!((property("NRestarts").as_str(), property("ExecMainStatus").as_str()), ("0", "2"));
}
