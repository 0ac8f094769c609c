//! Restarting this very program. A `main` of its own, since it executes itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, Cause, EXIT, Error, State};
use sitebus_os::alone::Alone;
use sitebus_os::process::Process;
use sitebus_restart::{Image, Inherited, Item, Restart, Settings};
use sitebus_testkit::{Leaks, own_main, tests};
use tempfile::TempDir;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "goes round") {
        go_round();
        return ExitCode::SUCCESS;
    }
    own_main::run(tests![
        a_restart_keeps_the_process_and_what_was_handed_on,
        an_image_that_could_not_run_is_refused,
        a_trial_that_says_no_or_says_nothing_is_a_refusal,
        a_failed_exec_leaves_everything_to_the_next_bus,
    ])
}

fn image() -> Image {
    Image::capture().unwrap()
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn a_restart_keeps_the_process_and_what_was_handed_on() {
    let output = Command::new(env::current_exe().unwrap()).arg("goes round").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ping");
}

/// Twenty images, one after the other, with a listener that a client has connected to before the first restart.
fn go_round() {
    let image = image();
    let inherited = Inherited::receive(&Alone::claim().unwrap()).unwrap();
    let round = inherited.take("round", "").map_or(0, |item| item.data()[0]);
    let listener = inherited.take("listener", "http").and_then(Item::into_descriptor);
    let listener = listener.map_or_else(|| TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::from);
    let bus = Bus::new("site");
    Restart::new(image, inherited.clone()).subscribe(&bus);
    bus.start().unwrap();
    if round == 0 {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"ping").unwrap();
        inherited.put([Item::new("client", "").with_descriptor(client)]);
    }
    if round < 20 {
        bus.on(EXIT).unwrap().subscribe("listener", move |exiting| {
            let kept = listener.try_clone()?;
            exiting.hand_on(Item::new("listener", "http").with_descriptor(kept));
            exiting.hand_on(Item::new("round", "").with_data([round + 1]));
            Ok(())
        });
        bus.restart().unwrap();
        panic!("{}", bus.block());
    }
    let descriptors = sitebus_os::descriptors::open().unwrap();
    assert_eq!(descriptors.len(), 3 + 2, "three streams, the listener and the client: {descriptors:?}");
    assert_eq!(inherited.left(), [("client".to_owned(), String::new())], "what nobody took is handed on too");
    let (mut stream, _) = listener.accept().unwrap();
    drop(inherited.take_everything());
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    std::io::stdout().write_all(said.as_bytes()).unwrap();
    bus.exit().unwrap();
    drop(bus.block());
}

fn an_image_that_could_not_run_is_refused() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("program");
    symlink(env::current_exe().unwrap(), &program).unwrap();
    let bus = Bus::new("site");
    Restart::new(image().with_program(&program), Inherited::nothing()).subscribe(&bus);
    bus.start().unwrap();
    let whole = fs::read(&program).unwrap();
    let refusal = || {
        let error = bus.restart().unwrap_err();
        assert!(matches!(error, Error::Vetoed { .. }));
        assert_eq!((bus.state(), bus.exit_asked()), (State::Started, None));
        error.to_string()
    };
    fs::remove_file(&program).unwrap();
    assert!(refusal().contains("is not there any more"));
    script(&program, "");
    assert!(refusal().contains("it is empty"));
    fs::write(&program, &whole[..whole.len() / 3]).unwrap();
    assert!(refusal().contains("it is still being written, or was cut short"));
    bus.exit().unwrap();
    drop(bus.block());
}

fn a_trial_that_says_no_or_says_nothing_is_a_refusal() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("program");
    let pid = folder.path().join("pid");
    let leaks = Leaks::now().unwrap();
    let mut settings = Settings::default().trial(["check", "site.toml"]);
    settings.trial_time = Duration::from_secs(60);
    let refusal = |settings: Settings| {
        let bus = Bus::new("site");
        let image = image().with_program(&program);
        Restart::new(image, Inherited::nothing()).settings(settings).subscribe(&bus);
        bus.start().unwrap();
        let error = bus.restart().unwrap_err().to_string();
        assert_eq!(bus.state(), State::Started);
        bus.exit().unwrap();
        drop(bus.block());
        error
    };
    script(&program, "#!/bin/sh\necho \"$2: line 3 is wrong\" >&2; exit 2\n");
    let said = refusal(settings.clone());
    let expected = format!(
        "a trial run of {} check site.toml failed with exit status: 2; it wrote:\nsite.toml: line 3 is wrong",
        program.display()
    );
    assert!(said.ends_with(&expected), "nothing of the environment: {said}");
    script(&program, "#!/bin/sh\nkill -SEGV $$\n");
    assert!(refusal(settings.clone()).contains("signal: 11"));
    script(&program, "#!/no/such/thing\n");
    assert!(refusal(settings.clone()).contains("could not be started"));
    // It writes more than anybody reads, and goes on for ever, with a child of its own.
    let forever = "#!/bin/sh\ncat /dev/zero & echo $! > ../pid.new; mv ../pid.new ../pid; wait\n";
    fs::create_dir(folder.path().join("in")).unwrap();
    script(&program, forever);
    settings.trial_time = Duration::from_millis(300);
    let bus = Bus::new("site");
    let image = image().with_program(&program).with_folder(folder.path().join("in"));
    Restart::new(image, Inherited::nothing()).settings(settings).subscribe(&bus);
    bus.start().unwrap();
    let said = bus.restart().unwrap_err().to_string();
    assert!(said.contains("had not ended in time and was killed"), "{said}");
    if let Ok(number) = fs::read_to_string(pid) {
        let Ok(process) = Process::open(number.trim().parse().unwrap()) else { return };
        assert!(process.wait(Some(Instant::now() + Duration::from_secs(10))).unwrap(), "it was left behind");
    }
    bus.exit().unwrap();
    drop(bus.block());
    drop(bus);
    leaks.assert_back(Duration::from_secs(10));
}

fn a_failed_exec_leaves_everything_to_the_next_bus() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("program");
    script(&program, "#!/no/such/interpreter\n");
    let inherited = Inherited::nothing();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    inherited.put([Item::new("listener", "http").with_descriptor(listener)]);
    for round in 0..3 {
        let item = inherited.take("listener", "http").unwrap();
        let listener = TcpListener::from(item.into_descriptor().unwrap());
        assert_eq!(listener.local_addr().unwrap(), address, "round {round}");
        let bus = Bus::new("site");
        Restart::new(image().with_program(&program), inherited.clone()).subscribe(&bus);
        bus.on(EXIT).unwrap().subscribe("listener", move |exiting| {
            exiting.hand_on(Item::new("listener", "http").with_descriptor(listener.try_clone()?));
            Ok(())
        });
        bus.start().unwrap();
        bus.restart().unwrap();
        let exit = bus.block();
        let Cause::RestartFailed { why } = exit.cause() else { panic!("{exit}") };
        assert!(why.contains("executing") && why.contains("No such file"), "{why}");
        TcpStream::connect(address).unwrap();
    }
}
