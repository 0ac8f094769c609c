//! The program that the tests start: a site that becomes a daemon, and says over a socket what it is.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a program writes is tested")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Termination as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use nix::sys::resource::{Resource, setrlimit};
use sitebus_bus::{Bus, Exit, Handle, SettingsMap, Start, priority, topics};
use sitebus_daemonize::{Daemon, Daemonize, Output, PATIENCE, Settings, Side};
use sitebus_os::alone::Alone;
use sitebus_os::identity::{Group, Identity, User};
use sitebus_os::image::Image;
use sitebus_os::parcel::{Inherited, Item};
use sitebus_os::signal::{Catch, Signal, die_by};
use sitebus_testkit::window::move_into;

/// What the program does, and where its files are.
pub(crate) const PLAN: &str = "SITEBUS_TEST_PLAN";
pub(crate) const FOLDER: &str = "SITEBUS_TEST_FOLDER";
/// The terminal to move into first, if any.
pub(crate) const TERMINAL: &str = "SITEBUS_TEST_TERMINAL";

/// Whether the image before this one was a daemon.
static RESTARTED: AtomicBool = AtomicBool::new(false);

/// Runs the plan, if this process was started for one.
pub(crate) fn run() -> Option<ExitCode> {
    let plan = env::var(PLAN).ok()?;
    let folder = PathBuf::from(env::var_os(FOLDER)?);
    let image = Image::capture().unwrap();
    let alone = Alone::claim().unwrap();
    let inherited = Inherited::receive(&alone).unwrap();
    RESTARTED.store(!inherited.left().is_empty(), Ordering::SeqCst);
    if let Ok(terminal) = env::var(TERMINAL) {
        let _device = move_into(&terminal);
    }
    prepare(&plan);
    let daemonize = Daemonize::new(settings(&plan, &folder)).inherit(&inherited);
    Some(match daemonize.leave(&alone) {
        Err(error) => complain(&error),
        Ok(Side::Launcher(launcher)) => {
            say(&format!("daemon {}", launcher.pid()));
            let patience = if plan == "overruns" { Duration::from_millis(300) } else { PATIENCE };
            launcher.wait(Some(patience)).report()
        }
        Ok(Side::Daemon(daemon)) => serve(&plan, &folder, &alone, &daemon, image),
    })
}

/// What is in the way of the forks, or makes them fail.
fn prepare(plan: &str) {
    match plan {
        "has a thread" => {
            let (running, wait) = std::sync::mpsc::channel();
            let second = thread::Builder::new().name("runtime".to_owned()).spawn(move || {
                running.send(()).unwrap();
                thread::park();
            });
            second.unwrap();
            wait.recv().unwrap();
        }
        "may not fork" => become_somebody_with(1),
        "may fork once" => become_somebody_with(2),
        _ => {}
    }
}

/// Root has no limit on processes. Nobody else is this user, so it has but this one.
fn become_somebody_with(processes: u64) {
    become_user("61240");
    setrlimit(Resource::RLIMIT_NPROC, processes, processes).unwrap();
}

fn become_user(number: &str) {
    let (user, group) = (User::find(number).unwrap(), Group::find(number).unwrap());
    let somebody = Identity { user, group, groups: [].into(), keep: None };
    let _ = somebody.assume().unwrap();
}

fn settings(plan: &str, folder: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.output = match plan {
        "keeps its output" | "may not fork" | "may fork once" => Output::Keep,
        "logs beside" => Output::File("site.log".into()),
        "prints to nowhere" => Output::Null,
        "cannot log" => Output::File(folder.join("no-such-folder/site.log")),
        _ => Output::File(folder.join("site.log")),
    };
    if plan == "elsewhere" {
        settings.umask = Some(0o027);
        settings.directory = Some(folder.to_owned());
    }
    if plan == "logs beside" {
        settings.directory = Some("/".into());
    }
    if plan == "drops root" {
        settings.owner = Some((61241, 61241));
    }
    settings.forking_service = plan == "forking service";
    settings
}

fn serve(plan: &str, folder: &Path, alone: &Alone, daemon: &Daemon, image: Image) -> ExitCode {
    match plan {
        "leaves twice" => {
            let again = Daemonize::new(Settings::default()).leave(alone).unwrap_err();
            daemon.failed(again, 7);
            return ExitCode::SUCCESS;
        }
        "gives up" => return complain(&"no database here"),
        "crashes before the bus" => die_by(Signal::try_from(11).unwrap()),
        "exits by itself" => return ExitCode::from(3),
        "ends well too early" => return ExitCode::SUCCESS,
        _ => {}
    }
    let bus = Bus::new("site");
    daemon.subscribe(&bus).unwrap();
    bus.restart_by(move |_, handed_on| image.execute(handed_on.take::<Item>()).0.into());
    let site = bus.plugin("site");
    let (plan, folder, handle) = (plan.to_owned(), folder.to_owned(), bus.handle());
    site.on_start(priority::SERVER, move |start| begin(&plan, &folder, &handle, start));
    match bus.start() {
        Ok(_) => bus.block().into(),
        Err(error) if env::var(PLAN).is_ok_and(|plan| plan == "fails in silence") => {
            drop(error);
            ExitCode::FAILURE
        }
        Err(error) => complain(&error),
    }
}

fn begin(plan: &str, folder: &Path, bus: &Handle, start: &Start) -> anyhow::Result<()> {
    match plan {
        "fails" | "fails in silence" => anyhow::bail!("the port is taken"),
        "panics" => panic!("the port fell off"),
        "crashes" => die_by(Signal::try_from(6).unwrap()),
        "is told to exit" => {
            drop(bus.ask_exit(Exit::with_code(9, "the test")));
            let _ = start.cancelled().wait_until(start.deadline());
            Ok(())
        }
        "overruns" | "hangs" => {
            fs::write(folder.join("hangs"), "")?;
            loop {
                thread::park();
            }
        }
        "hangs on" => {
            let (_catch, _caught) = Catch::take("the test", [Signal::TERM])?;
            fs::write(folder.join("hangs"), "")?;
            loop {
                thread::park();
            }
        }
        "drops root" => {
            answer(plan, folder, bus)?;
            become_user("61241");
            Ok(())
        }
        _ => answer(plan, folder, bus),
    }
}

/// Answers questions, one a connection.
fn answer(plan: &str, folder: &Path, bus: &Handle) -> anyhow::Result<()> {
    print_to_both();
    let _ = fs::remove_file(folder.join("socket")); // the image before this one left it
    let listener = UnixListener::bind(folder.join("socket"))?;
    let (bus, plan, folder) = (bus.clone(), plan.to_owned(), folder.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut question = String::new();
            stream.read_line(&mut question).unwrap();
            let mut say = |answer: &str| stream.get_mut().write_all(answer.as_bytes()).unwrap();
            match question.trim_end() {
                "facts" => say(&facts()),
                "reopen" => {
                    bus.on(topics::REOPEN).unwrap().publish(&()).unwrap();
                    print_to_both();
                    say("reopened\n");
                }
                "log elsewhere" => say(&reload(&bus, &plan, &folder, |settings| {
                    settings.output = Output::File(folder.join("other.log"));
                })),
                "another umask" => {
                    say(&reload(&bus, &plan, &folder, |settings| settings.umask = Some(0o077)));
                }
                "restart" => {
                    say("restarts\n");
                    drop(bus.ask_restart("the test"));
                }
                _ => {
                    say("exits\n");
                    drop(bus.ask_exit(Exit::success("the test")));
                }
            }
        }
    });
    Ok(())
}

/// One line each: `name value`.
fn facts() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let link = |name: &str| fs::read_link(format!("/proc/self/{name}")).unwrap().display().to_string();
    let open = sitebus_os::descriptors::open().unwrap();
    let is_pipe = |target: &Path| target.to_string_lossy().starts_with("pipe:");
    let pipes = open.iter().filter(|open| open.close_on_exec && is_pipe(&open.target));
    let pipes: Vec<String> = pipes.map(|open| format!("{open:?}")).collect();
    format!(
        "restarted {}\npid {}\nsession {}\nterminal {}\numask {}\nblocked {}\nfolder {}\ninput {}\noutput {}\nerrors {}\npipes {}\n",
        RESTARTED.load(Ordering::SeqCst),
        std::process::id(),
        fields[3],
        fields[4],
        field("Umask:"),
        field("SigBlk:"),
        link("cwd"),
        link("fd/0"),
        link("fd/1"),
        link("fd/2"),
        pipes.join(" "),
    )
}

fn reload(bus: &Handle, plan: &str, folder: &Path, change: impl FnOnce(&mut Settings)) -> String {
    let mut settings = settings(plan, folder);
    change(&mut settings);
    let outcome = bus.ask_graceful(SettingsMap::new().with(settings)).wait();
    print_to_both();
    outcome.map_or_else(|error| error.to_string(), |_| "reloaded".to_owned())
}

fn print_to_both() {
    println!("printed");
    eprintln!("complained");
}

fn say(line: &str) {
    println!("{line}");
}

fn complain(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("site: {error}");
    ExitCode::FAILURE
}
