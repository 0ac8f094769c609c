//! From a file saved to the new version serving.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Result, ensure};
use sitebus_benches::{Contestant, target_folder};
use tempfile::TempDir;

use crate::FILES;
use crate::peers::{Python, has_entr, script};
use crate::process::Tree;
use crate::site::TOKEN;
use crate::told::milliseconds;

pub(crate) const SITEBUS: &str = "sitebus, a program of one's own";

const CHERRYPY: &str = "CherryPy, its autoreloader";

const PATIENCE: Duration = Duration::from_secs(20);
/// Between two turns.
const PAUSE: Duration = Duration::from_millis(300);
/// It looks each second, and a change before its first look is none to it; so it gets that time, and then any moment of a second.
const ONE_LOOK: Duration = Duration::from_secs(1);
/// A server that goes down may take a connection and never answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Between two questions whether the new version serves.
const ASK: Duration = Duration::from_millis(1);

/// A site with its reloader, in processes of its own.
pub(crate) struct Serving {
    name: &'static str,
    tree: Tree,
    folder: TempDir,
    port: u16,
    turn: u32,
}

type Starter<'a> = (&'static str, Box<dyn Fn(u16, &TempDir) -> Result<Command> + 'a>);

fn starters<'a>(python: &'a Option<Python>) -> Vec<Starter<'a>> {
    let mut all: Vec<Starter<'a>> = vec![(SITEBUS, Box::new(|port, folder| own("sitebus", port, folder)))];
    if target_folder().is_ok_and(|folder| folder.join("release/sitebus").exists()) && program_reloads() {
        all.push(("sitebus run --autoreload", Box::new(program)));
    }
    if has_entr() {
        all.push((
            "entr -r with a bare server",
            Box::new(|port, folder| {
                let plain = own("plain", port, folder)?;
                let mut command = Command::new("sh");
                command.args(["-c", "find \"$1\" -type f | (shift; exec entr -n -r \"$@\")", "sh"]);
                command.arg(folder.path()).arg(plain.get_program()).args(plain.get_args());
                Ok(command)
            }),
        ));
    }
    let Some(python) = python else { return all };
    if python.has("gunicorn") && python.has("inotify") {
        all.push((
            "gunicorn --reload, inotify",
            Box::new(|port, folder| {
                let options = ["--reload", "--reload-engine", "inotify", "--bind"];
                let command =
                    module(python, folder, "gunicorn", &options, &format!("127.0.0.1:{port}"), "reload:wsgi");
                Ok(command)
            }),
        ));
    }
    if python.has("uvicorn") && python.has("watchfiles") {
        all.push((
            "uvicorn --reload, watchfiles",
            Box::new(|port, folder| {
                let mut command = module(
                    python,
                    folder,
                    "uvicorn",
                    &["--reload", "--port"],
                    &port.to_string(),
                    "reload:asgi",
                );
                command.arg("--reload-dir").arg(folder.path());
                Ok(command)
            }),
        ));
    }
    if python.has("cherrypy") {
        all.push((
            CHERRYPY,
            Box::new(|port, folder| {
                let mut command = python.command();
                command.env("PYTHONPATH", folder.path()).arg(script("reload.py")).arg(port.to_string());
                Ok(command)
            }),
        ));
    }
    all
}

fn module(
    python: &Python,
    folder: &TempDir,
    module: &str,
    options: &[&str],
    address: &str,
    app: &str,
) -> Command {
    let mut command = python.command();
    let peers = script("");
    let path = env::join_paths([folder.path(), &peers]).unwrap_or_default();
    command.env("PYTHONPATH", path).args(["-m", module]).args(options).args([address, app]);
    command
}

/// This program in a role.
fn own(role: &str, port: u16, folder: &TempDir) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--site", role, &port.to_string()]).arg(folder.path());
    Ok(command)
}

/// The released program, if it was built.
fn program_reloads() -> bool {
    let Ok(folder) = target_folder() else { return false };
    let help = Command::new(folder.join("release/sitebus")).args(["run", "--help"]).output();
    help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--autoreload"))
}

/// Its site file is what changes, and the answer is in it.
fn program(port: u16, folder: &TempDir) -> Result<Command> {
    write_site(port, folder, "0")?;
    let mut command = Command::new(target_folder()?.join("release/sitebus"));
    command.args(["run", "--autoreload"]).arg(folder.path().join("site.toml"));
    Ok(command)
}

fn write_site(port: u16, folder: &TempDir, token: &str) -> Result<()> {
    let text = format!(
        "[site]\nname = \"bench\"\n\n[http]\nlisten = [\"127.0.0.1:{port}\"]\n\n[[route]]\npath = \"/\"\nrespond = {{ body = \"TOKEN = '{token}'\" }}\n"
    );
    Ok(fs::write(folder.path().join("site.toml"), text)?)
}

impl Serving {
    fn start(starter: &Starter<'_>) -> Result<Serving> {
        let (name, make) = starter;
        let folder = tempfile::tempdir()?;
        for number in 0..FILES {
            fs::write(folder.path().join(format!("m{number:04}.py")), "X = 1\n")?;
        }
        fs::write(folder.path().join(TOKEN), "TOKEN = '0'")?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = make(port, &folder)?;
        command.stdin(Stdio::null());
        let tree = Tree::start(command)?;
        let serving = Serving { name, tree, folder, port, turn: 0 };
        serving.wait_for("0")?;
        thread::sleep(Duration::from_secs(1)); // sleep-is-meant: watching begins after serving, and nobody says when
        Ok(serving)
    }

    pub(crate) fn name(&self) -> &str {
        self.name
    }

    /// While nothing happens.
    pub(crate) fn processor_time_over(&self, idle: Duration) -> Result<Duration> {
        let before = self.tree.processor_time()?;
        thread::sleep(idle); // sleep-is-meant: nothing is what is measured
        Ok(self.tree.processor_time()?.saturating_sub(before))
    }

    /// One change: milliseconds, and how many connects were refused.
    fn turn(&mut self) -> Result<[f64; 2]> {
        self.turn += 1;
        let look = ONE_LOOK + ONE_LOOK * (self.turn * 37 % 100) / 100;
        let pause = if self.name == CHERRYPY { PAUSE + look } else { PAUSE };
        thread::sleep(pause); // sleep-is-meant: at rest
        let token = self.turn.to_string();
        if self.folder.path().join("site.toml").exists() {
            write_site(self.port, &self.folder, &token)?;
        } else {
            fs::write(self.folder.path().join(TOKEN), format!("TOKEN = '{token}'"))?;
        }
        let saved = Instant::now();
        let refused = self.wait_for(&token)?;
        Ok([milliseconds(saved, Instant::now()), f64::from(refused)])
    }

    fn wait_for(&self, token: &str) -> Result<u32> {
        let (deadline, mut refused) = (Instant::now() + PATIENCE, 0);
        // Sitebus and the bare server answer with the whole file, the others with the token.
        let wanted = [format!("\r\n\r\nTOKEN = '{token}'"), format!("\r\n\r\n{token}")];
        loop {
            match self.get() {
                Ok(answer) if wanted.iter().any(|wanted| answer.ends_with(wanted)) => return Ok(refused),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused += 1,
                _ => {}
            }
            ensure!(Instant::now() < deadline, "{} did not serve '{token}' in {PATIENCE:?}", self.name);
            thread::sleep(ASK); // sleep-is-meant: it is asked a thousand times a second, not more
        }
    }

    fn get(&self) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

pub(crate) fn contestants(
    python: &Option<Python>,
    left_out: &mut Vec<String>,
) -> Result<Vec<(String, Contestant<'static, 2>)>> {
    if python.is_none() {
        left_out.push(
            "gunicorn, uvicorn and CherryPy: --install-peers puts them into the target folder".to_owned(),
        );
    }
    if !program_reloads() {
        left_out.push("sitebus run --autoreload: build it by cargo build --release -p sitebus".to_owned());
    }
    let mut all = Vec::new();
    for starter in starters(python) {
        let mut serving = Serving::start(&starter)?;
        all.push((starter.0.to_owned(), Contestant::new(starter.0, move || serving.turn())));
    }
    Ok(all)
}

/// Each of them, started when it is its turn.
pub(crate) fn all_with_files(python: &Option<Python>) -> impl Iterator<Item = Result<Serving>> {
    starters(python).into_iter().map(|starter| Serving::start(&starter))
}
