//! The load generator wrk.

use std::io;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::load::{Done, Load};

/// `None` if it is not installed.
pub(crate) fn version() -> Result<Option<String>> {
    match Command::new("wrk").arg("--version").output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            Ok(said.split_whitespace().nth(1).map(|version| format!("wrk {version}")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("asking wrk for its version"),
    }
}

pub(crate) fn run(address: &str, load: Load, threads: usize, turn: Duration) -> Result<Done> {
    let mut command = Command::new("wrk");
    command.arg("--latency").args(["--threads", &threads.to_string()]);
    command.args(["--connections", &load.connections.to_string()]);
    // It takes whole seconds only.
    command.args(["--duration", &format!("{}s", turn.as_secs_f64().ceil())]);
    if !load.keep_alive {
        command.args(["--header", "Connection: close"]);
    }
    let output = command.arg(format!("http://{address}/")).output().context("running wrk")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {said}{}", String::from_utf8_lossy(&output.stderr));
    done(&said).with_context(|| format!("reading the report of wrk:\n{said}"))
}

fn done(said: &str) -> Result<Done> {
    for trouble in ["Socket errors", "Non-2xx"] {
        if let Some(line) = said.lines().find(|line| line.contains(trouble)) {
            bail!("requests failed: {}", line.trim());
        }
    }
    let after = |key: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(key));
        line.map(str::trim).with_context(|| format!("no line '{key}'"))
    };
    let requests = said.lines().find_map(|line| line.trim().split_once(" requests in "));
    Ok(Done {
        requests: requests.context("no number of requests")?.0.parse()?,
        per_second: after("Requests/sec:")?.parse()?,
        p50: microseconds(after("50%")?)?,
        p99: microseconds(after("99%")?)?,
    })
}

fn microseconds(text: &str) -> Result<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 6e7)];
    let known = units.into_iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = known.with_context(|| format!("'{text}' is no time"))?;
    Ok(number.parse::<f64>()? * factor)
}
