//! A program that belongs to a terminal, with a person at the keys.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use sitebus_testkit::Transcript;

use crate::process::{Outsider, SOON, wait_until};

/// A session on a pseudo-terminal, made by script(1), with one program in the foreground.
#[derive(Debug)]
pub struct TerminalSession {
    script: Child,
    keys: Option<ChildStdin>,
    screen: Transcript,
    program: Outsider,
}

impl TerminalSession {
    /// Starts this shell command in the folder. It must end in an `exec` of the program.
    ///
    /// # Panics
    /// script(1) is missing.
    #[expect(clippy::unwrap_used, reason = "a test without a terminal has failed")]
    pub fn start(folder: &Path, command: &str, environment: &[(&str, &str)]) -> TerminalSession {
        let mut script = Command::new("script")
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &format!("echo pid $$; {command}"),
                "/dev/null",
            ])
            .current_dir(folder)
            .env("SHELL", "/bin/sh")
            .env_remove("CI") // with it, even a dumb terminal gets colours
            .env("TERM", "xterm")
            .env_remove("RUST_LOG")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let screen = Transcript::new();
        let (out, seen) = (script.stdout.take().unwrap(), screen.clone());
        thread::spawn(move || {
            for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
                seen.note(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            seen.close();
        });
        let keys = script.stdin.take();
        let pid = screen.wait_for("pid ", SOON).unwrap();
        let program = Outsider::of(pid.rsplit(' ').next().unwrap().parse().unwrap());
        TerminalSession { script, keys, screen, program }
    }

    /// What is on the screen.
    pub fn screen(&self) -> &Transcript {
        &self.screen
    }

    /// The program.
    pub fn program(&self) -> &Outsider {
        &self.program
    }

    /// Waits for a line on the screen.
    ///
    /// # Panics
    /// None comes.
    #[expect(clippy::unwrap_used, reason = "a test whose event does not come has failed")]
    pub fn shows(&self, part: &str) -> String {
        self.screen.wait_for(part, SOON).unwrap()
    }

    /// Presses keys: `"\x03"` is Ctrl-C.
    ///
    /// # Panics
    /// The session is over.
    #[expect(clippy::unwrap_used, reason = "a test without a keyboard has failed")]
    pub fn press(&mut self, keys: &str) {
        let keyboard = self.keys.as_mut().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    }

    /// Closes the window, as killing the terminal's program does.
    ///
    /// # Panics
    /// It does not go.
    #[expect(clippy::unwrap_used, reason = "a test that cannot end its child has failed")]
    pub fn close_window(&mut self) {
        self.script.kill().unwrap();
        self.script.wait().unwrap();
    }

    /// Waits for the program's end and returns its status; for one that a signal killed, 128 and its number.
    ///
    /// # Panics
    /// It goes on.
    pub fn ends(mut self) -> Option<i32> {
        wait_until("the end of the session", || self.script.try_wait().ok().flatten()).code()
    }
}

impl Drop for TerminalSession {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}
