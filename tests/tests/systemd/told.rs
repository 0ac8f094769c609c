//! What the program tells a manager, where none boots: to a socket that is as strict as the real one's. It takes no root.

use std::process::Command;

use sitebus_os::signal::Signal;
use sitebus_testkit::NotifySocket;
use sitebus_tests::{Folder, SOON, Site, program, run};

#[test]
fn a_socket_with_the_managers_rules_hears_each_turn_from_the_one_process_that_may_speak() {
    let folder = Folder::small();
    let manager = NotifySocket::in_folder(folder.path()).unwrap();
    let mut command = Command::new(program!());
    command.arg("run").env("NOTIFY_SOCKET", manager.address());
    let site = Site::spawn(command, &folder).is_up();
    manager.hear_only(site.child().id());
    let mut all = Vec::new();
    let mut hears = |last: &str| {
        manager.said().wait_for(last, SOON).unwrap();
        let said = manager.said().take();
        let about =
            |line: &&String| ["READY", "RELOADING", "STOPPING"].iter().any(|word| line.contains(word));
        let words: Vec<String> =
            said.iter().filter(about).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
        all.extend(said);
        words
    };
    assert_eq!(hears("READY=1"), ["READY=1"]);
    assert_eq!(run(program!(), folder.path(), &["reload"]).code, Some(0));
    assert_eq!(hears("READY=1"), ["RELOADING=1", "READY=1"]);

    let good = folder.read("site.toml");
    folder.write("site.toml", "[http]\nlisen = []\n");
    assert_eq!(run(program!(), folder.path(), &["reload"]).code, Some(1));
    assert_eq!(hears("refused"), ["RELOADING=1", "READY=1"]);
    assert_eq!(run(program!(), folder.path(), &["restart"]).code, Some(1));

    folder.write("site.toml", good);
    assert_eq!(run(program!(), folder.path(), &["restart"]).code, Some(0));
    assert_eq!(hears("READY=1"), ["RELOADING=1", "READY=1"], "the restart that was refused is not told");

    site.signal(Signal::TERM);
    assert_eq!(hears("STOPPING=1"), ["STOPPING=1"]);
    assert_eq!(site.ends().code, Some(0));
    let odd = |line: &&String| line.starts_with("refused") || line.starts_with("broken");
    assert_eq!(all.iter().find(odd), None, "{all:#?}");
}
