//! `start`: a site in the background. Whoever started it waits until it is STARTED, or learns why not.

use std::process::{ExitCode, Termination as _};
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::answer::Answer;
use super::args::StartArgs;
use super::look::ask_until;
use super::target::Target;
use crate::control::Command;
use crate::daemonize::{Daemonize, DaemonizeError, Ending, Launcher, Output, Side};
use crate::log::Log;
use crate::os::lock::Lock;
use crate::program::Program;
use crate::program::assembly::Plan;
use crate::program::prelude::Prelude;
use crate::program::run::Site;
use crate::program::state::{self, StateFolder};
use crate::program::statuses::{DONE, FAILED};

/// How much longer than the site's own limits a start is waited for: the bus should be the first to notice, since it knows
/// who overran.
const LONGER: Duration = Duration::from_secs(10);
/// How long a site that is STARTED may take to say where it listens.
const A_MOMENT: Duration = Duration::from_secs(2);

pub(super) fn start(program: Program, args: StartArgs, prelude: Prelude, log: Option<&Log>) -> ExitCode {
    let json = args.json;
    let (mut site, plan) = match Site::read(program, args.run, prelude, log) {
        Ok(read) => read,
        Err(report) => return Answer::bad_file("start", report, "").print(json),
    };
    site.pin_its_file();
    match leave(&site, &plan) {
        Ok(Side::Daemon(daemon)) => {
            site.daemon = Some(daemon);
            site.run(plan)
        }
        Ok(Side::Launcher(launcher)) => {
            let patience = args.timeout.or(plan.start_timeout);
            let patience = patience.unwrap_or_else(|| plan.start_time().saturating_add(LONGER));
            launched(&plan, launcher, patience, json)
        }
        Err(error) => Answer::new("start", "refused", FAILED, format!("{error:#}")).print(json),
    }
}

/// What is in the way is found before there are two processes, as far as it can be.
fn leave(site: &Site<'_>, plan: &Plan) -> anyhow::Result<Side> {
    let alone = site.prelude.alone.as_ref().map_err(|error| anyhow!("{error}"))?;
    // After a restart it is ours.
    let lock = plan.state.join("lock");
    let holder = Lock::holder(&lock).ok().flatten();
    if let Some(pid) = holder.filter(|pid| *pid != std::process::id()) {
        return Err(state::already_running(plan, Some(pid), &format!("holds {}", lock.display())));
    }
    StateFolder::make(&plan.state, plan.owner)?;
    let daemonize = Daemonize::new(plan.daemon.clone()).under(site.prelude.supervisor);
    let daemonize = daemonize.inherit(&site.prelude.inherited);
    match daemonize.leave(alone) {
        Err(DaemonizeError::Supervised(supervisor)) => Err(anyhow!(
            "the site '{}' does not leave the foreground: {supervisor}; give the program `run` in place of `start` there, as \
             the unit of `generate systemd` does",
            plan.name
        )),
        left => Ok(left?),
    }
}

fn launched(plan: &Plan, launcher: Launcher, patience: Duration, json: bool) -> ExitCode {
    let outcome = launcher.wait(Some(patience));
    if outcome.ending() == Ending::Started {
        return started(plan, outcome.pid()).print(json);
    }
    let result = if outcome.ending() == Ending::Overran { "timed-out" } else { "failed" };
    let answer = Answer::new("start", result, outcome.status(), outcome.message());
    match outcome.ending() {
        Ending::Interrupted(_) => {
            if json {
                let _ = answer.print(json);
            }
            outcome.report() // ends by that signal
        }
        _ => answer.print(json),
    }
}

fn started(plan: &Plan, pid: u32) -> Answer {
    let target = Target::of(&plan.name, &plan.state);
    let status = ask_until(&target, Command::Status, Instant::now() + A_MOMENT).ok();
    let status = status.and_then(|outcome| outcome.status());
    let mut message = format!("the site '{}' is STARTED, process {pid}", plan.name);
    if let Some(status) = status.as_ref().filter(|status| !status.listening.is_empty()) {
        message += &format!(", and listens on {}", status.listening.join(", "));
    }
    if let Output::File(log) = &plan.daemon.output {
        message += &format!("; its output goes to {}", log.display());
    }
    let answer = Answer::new("start", "done", DONE, message);
    match &status {
        Some(status) => answer.with_data(status),
        None => answer,
    }
}
