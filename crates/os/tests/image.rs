//! Executing the next image, and what is handed on to it. A `main` of its own: this program executes itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::thread;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::dup;
use sitebus_os::alone::Alone;
use sitebus_os::descriptors;
use sitebus_os::image::{Image, ImageError};
use sitebus_os::parcel::{Inherited, Item, Parcel, ParcelError, VARIABLE};
use sitebus_testkit::{own_main, tests};
use tempfile::TempDir;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let Some(role) =
        env::var("ROLE").ok().filter(|_| arguments.first().is_some_and(|first| first == "role"))
    {
        play(&role);
        return ExitCode::SUCCESS;
    }
    own_main::run(tests![
        a_listener_and_its_connections_survive_an_exec,
        a_hundred_execs_leave_nothing_behind,
        an_exec_that_fails_gives_everything_back,
        a_parcel_for_somebody_else_is_ignored,
        a_damaged_parcel_is_refused_with_the_reason,
        an_image_is_the_path_that_was_called,
        what_would_not_run_is_found_out_before,
    ])
}

/// This program in another role.
fn command(program: impl AsRef<Path>, role: &str) -> Command {
    let mut command = Command::new(program.as_ref());
    command.arg("role").env("ROLE", role);
    command
}

fn run(role: &str) -> Output {
    succeeds(command(env::current_exe().unwrap(), role))
}

#[track_caller]
fn succeeds(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn play(role: &str) {
    match role {
        "hands on" => hand_on(),
        "goes round" => go_round(),
        "fails" => fail(),
        "is given" => receive_nothing(),
        "damages" => damage(),
        "says its path" => say_path(),
        "replaces itself" => replace_itself(),
        _ => panic!("no such role: {role}"),
    }
}

fn inherited() -> Inherited {
    Inherited::receive(&Alone::claim().unwrap()).unwrap()
}

fn a_listener_and_its_connections_survive_an_exec() {
    let output = run("hands on");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ping");
}

fn hand_on() {
    let inherited = inherited();
    assert_eq!(env::var_os(VARIABLE), None, "nobody who is started from here inherits it");
    let Some(listener) = inherited.take("listener", "http") else {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"ping").unwrap();
        let file = Item::new("file", "log").with_descriptor(tempfile::tempfile().unwrap());
        let loose = dup(std::io::stderr()).unwrap(); // dup(2) forgets to close on exec
        let data = std::process::id().to_string();
        let items = vec![
            Item::new("listener", "http").with_descriptor(listener).with_data(data),
            file,
            Item::new("client", "").with_descriptor(client),
            Item::new("loose", "").with_data(loose.as_raw_fd().to_string()),
        ];
        let failed = Image::capture().unwrap().execute(items);
        panic!("{}", failed.0);
    };
    assert_eq!(listener.data(), std::process::id().to_string().as_bytes(), "the process is the same");
    let loose = inherited.take("loose", "").unwrap();
    let loose: i32 = String::from_utf8(loose.data().to_vec()).unwrap().parse().unwrap();
    let open = descriptors::open().unwrap();
    assert!(open.iter().all(|descriptor| descriptor.number < 3 || descriptor.close_on_exec), "{open:?}");
    let stderr = &open[2].target;
    assert!(!open.iter().any(|open| open.number == loose && &open.target == stderr), "it was closed");
    assert_eq!(open.len(), 3 + 3, "nothing but what was handed on: {open:?}");

    let listener = TcpListener::from(listener.into_descriptor().unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    drop(inherited.take("client", ""));
    assert_eq!(inherited.left(), [("file".to_owned(), "log".to_owned())]);
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    std::io::stdout().write_all(said.as_bytes()).unwrap();
}

fn a_hundred_execs_leave_nothing_behind() {
    run("goes round");
}

fn go_round() {
    let inherited = inherited();
    let round = inherited.take("round", "").map_or(0, |item| item.data()[0]);
    let listener = inherited.take("listener", "http").and_then(Item::into_descriptor);
    let listener = listener.unwrap_or_else(|| TcpListener::bind("127.0.0.1:0").unwrap().into());
    // What the first one was started with is not ours to know.
    assert!(round == 0 || descriptors::open().unwrap().len() == 3 + 1);
    if round < 100 {
        let listener = Item::new("listener", "http").with_descriptor(listener);
        let failed =
            Image::capture().unwrap().execute(vec![listener, Item::new("round", "").with_data([round + 1])]);
        panic!("{}", failed.0);
    }
}

fn an_exec_that_fails_gives_everything_back() {
    run("fails");
}

fn fail() {
    fail_with("#!/no/such/interpreter\n", "No such file");
    // A shell would run it, and be all that is left of this process.
    fail_with("exit 0\n", "Exec format error");
}

fn signals() -> Vec<String> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().filter(|line| line.starts_with("Sig")).map(str::to_owned).collect()
}

fn fail_with(text: &str, says: &str) {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("program");
    fs::write(&program, text).unwrap();
    let signals_before = signals();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut image = Image::capture().unwrap();
    image = image.with_program(&program).with_folder(folder.path());
    let (here, before) = (env::current_dir().unwrap(), descriptors::open().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = listener.as_raw_fd();
    let (error, items) = image.execute(vec![Item::new("listener", "http").with_descriptor(listener)]);
    assert!(matches!(error, ImageError::Refused { .. }));
    let said = error.to_string();
    assert!(said.contains("executing") && said.contains(says), "{said}");
    assert_eq!(signals(), signals_before, "such as SIGPIPE, which Rust ignores");
    assert_eq!(items[0].descriptor().unwrap().as_raw_fd(), number);
    let flags = fcntl(items[0].descriptor().unwrap(), FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags, FdFlag::FD_CLOEXEC.bits(), "closed by the next exec again");
    assert_eq!(env::current_dir().unwrap(), here);
    drop(items);
    assert_eq!(descriptors::open().unwrap().len(), before.len());
    assert_eq!(env::var_os(VARIABLE), None);
}

fn a_parcel_for_somebody_else_is_ignored() {
    let file = tempfile::tempfile().unwrap();
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let (own, parcel) = (std::process::id(), Parcel::pack(vec![Item::new("a", "b")]).unwrap());
    let good = parcel.variable().unwrap().into_string().unwrap();
    assert!(good.starts_with(&own.to_string()));
    let other_file = format!("{}:1:1", file.as_raw_fd());
    for variable in ["", "7", "nonsense", "1:2:3:4:5", &good, &format!("0:{other_file}"), "99999999999:1:1:1"]
    {
        let mut child = command(env::current_exe().unwrap(), "is given");
        succeeds_with(child.env(VARIABLE, variable));
    }
}

#[track_caller]
fn succeeds_with(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn receive_nothing() {
    let before = descriptors::open().unwrap();
    assert!(inherited().left().is_empty());
    assert_eq!(env::var_os(VARIABLE), None, "and nobody else is to look at it");
    assert_eq!(descriptors::open().unwrap(), before, "whoever else has these descriptors keeps them");
}

fn a_damaged_parcel_is_refused_with_the_reason() {
    run("damages");
}

fn damage() {
    let alone = Alone::claim().unwrap();
    let receive = |text: &[u8]| {
        // Not close-on-exec, as what came through one.
        let mut file = File::from(memfd_create(c"parcel", MFdFlags::empty()).unwrap());
        file.write_all(text).unwrap();
        let fixed = Parcel::pack(Vec::new()).unwrap().variable().unwrap().into_string().unwrap();
        let receiver = fixed.split(':').next().unwrap().to_owned();
        let is = nix::sys::stat::fstat(&file).unwrap();
        let number = std::os::fd::IntoRawFd::into_raw_fd(OwnedFd::from(file));
        // SAFETY: this process has one thread.
        #[expect(unsafe_code, reason = "as the image before it would have done")]
        unsafe {
            env::set_var(VARIABLE, format!("{receiver}:{number}:{}:{}", is.st_dev, is.st_ino));
        }
        let error = Inherited::receive(&alone).unwrap_err();
        assert!(matches!(error, ParcelError::Malformed(_)));
        error.to_string()
    };
    assert!(receive(b"").contains("no first line"));
    assert!(receive(b"sitebus parcel 9 0\n").contains("\"sitebus parcel 1\""));
    assert!(receive(b"sitebus parcel 1 1\n8 4 - 0\nlist").contains("cut short"));
    let file = tempfile::tempfile().unwrap();
    let lie = format!("sitebus parcel 1 1\n8 4 {}:1:1 0\nlistenerhttp\n", file.as_fd().as_raw_fd());
    let said = receive(lie.as_bytes());
    assert!(said.contains("is not the listener http any more"), "{said}");
    let mut file = file; // and it is still ours
    file.rewind().unwrap();

    let is = nix::sys::stat::fstat(&file).unwrap();
    let ours = format!("{}:{}:{}", file.as_fd().as_raw_fd(), is.st_dev, is.st_ino);
    let said = receive(format!("sitebus parcel 1 1\n1 1 {ours} 0\naa\n").as_bytes());
    assert!(said.contains("is not the a a any more"), "what this image has opened: {said}");
    file.rewind().unwrap();
    let left = File::from(memfd_create(c"left open", MFdFlags::empty()).unwrap());
    let is = nix::sys::stat::fstat(&left).unwrap();
    let number = std::os::fd::IntoRawFd::into_raw_fd(OwnedFd::from(left));
    let item = format!("1 1 {number}:{}:{} 0\naa\n", is.st_dev, is.st_ino);
    let said = receive(format!("sitebus parcel 1 2\n{item}{item}").as_bytes());
    assert!(said.contains("is not the a a any more"), "one descriptor, named twice: {said}");

    let second = thread::Builder::new().spawn(thread::park).unwrap();
    // SAFETY: the other thread reads no environment.
    #[expect(unsafe_code, reason = "a parcel that comes too late")]
    unsafe {
        env::set_var(VARIABLE, "1:1:1:1");
    }
    assert!(matches!(Inherited::receive(&alone).unwrap_err(), ParcelError::Alone(_)));
    second.thread().unpark();
    second.join().unwrap();
}

fn an_image_is_the_path_that_was_called() {
    let folder = TempDir::new().unwrap();
    let own = fs::canonicalize(env::current_exe().unwrap()).unwrap();
    let (first, link) = (folder.path().join("v1"), folder.path().join("current"));
    fs::copy(own, &first).unwrap();
    symlink("v1", &link).unwrap();
    let path = |command: Command| String::from_utf8(succeeds(command).stdout).unwrap();
    assert_eq!(
        path(command(&link, "says its path")),
        link.to_str().unwrap(),
        "the link, not where it leads to"
    );
    let mut relative = command("./current", "says its path");
    relative.current_dir(&folder);
    assert!(Path::new(&path(relative)).is_absolute());
    let mut searched = Command::new("sh");
    let places = format!("{}:/usr/bin:/bin", folder.path().display());
    searched.args(["-c", "exec current role"]).env("ROLE", "says its path").env("PATH", places);
    assert_eq!(path(searched), link.to_str().unwrap());
    let mut disguised = command(&first, "says its path");
    disguised.arg0("something else");
    assert_eq!(path(disguised), first.to_str().unwrap(), "a name that leads nowhere is not believed");

    let output = succeeds(command(&link, "replaces itself"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the next version\n");
}

fn say_path() {
    let image = Image::capture().unwrap();
    image.check().unwrap();
    std::io::stdout().write_all(image.program().as_os_str().as_encoded_bytes()).unwrap();
}

/// Turns the link to the next version while it runs, and removes the one that it is.
fn replace_itself() {
    let image = Image::capture().unwrap();
    let folder = image.program().parent().unwrap();
    let next = folder.join("v2");
    fs::write(&next, "#!/bin/sh\necho the next version\n").unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("v2", folder.join("new")).unwrap();
    fs::rename(folder.join("new"), folder.join("current")).unwrap();
    fs::remove_file(folder.join("v1")).unwrap();
    image.check().unwrap();
    panic!("{}", image.execute(Vec::new()).0);
}

fn what_would_not_run_is_found_out_before() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("program");
    let image = Image::capture().unwrap().with_program(&program).with_folder(folder.path());
    let whole = fs::read(env::current_exe().unwrap()).unwrap();
    let refused = |text: &[u8], mode| {
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        image.check().unwrap_err().to_string()
    };
    assert!(image.check().unwrap_err().to_string().contains("is not there any more"));
    assert!(refused(b"", 0o755).contains("it is empty"));
    assert!(refused(b"hello", 0o755).contains("neither a program nor a script"));
    assert!(refused(&whole, 0o644).contains("it may not be executed"));
    let half = refused(&whole[..whole.len() / 2], 0o755);
    assert!(half.contains("it is still being written, or was cut short"), "{half}");
    let mut foreign = whole.clone();
    foreign[18] ^= 0xff;
    assert!(refused(&foreign, 0o755).contains("another kind of machine"));
    fs::write(&program, &whole).unwrap();
    image.check().unwrap();
    fs::write(&program, "#!/bin/sh\n").unwrap();
    image.check().unwrap();
    fs::remove_file(&program).unwrap();
    fs::create_dir(&program).unwrap();
    assert!(image.check().unwrap_err().to_string().contains("no regular file"));
    let lost = Image::capture().unwrap().with_folder(folder.path().join("gone"));
    assert!(matches!(lost.check().unwrap_err(), ImageError::NoFolder { .. }));
}
