//! What a publish costs in instructions, counted by callgrind and compared with what was recorded. A count is the same on a
//! busy machine as on a quiet one, so this is the one comparison here that can fail.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use sitebus_benches::{Busy, Cell, Kind, Machine, Options, Report, Table, is_misleading_build, listeners};
use sitebus_bus::{Bus, Topic};

/// By how much a count may not grow unless somebody says that it is meant to.
const JUMP_PERCENT: u64 = 3;
/// Two lengths of the same run: what they have in common, such as making the bus, falls out of the difference.
const TURNS: [u32; 2] = [1_000, 11_000];
const ACKNOWLEDGE: &str = "if that is meant to be, acknowledge it by `cargo bench -p sitebus-benches --bench instructions \
                           -- --record`, commit benches/instructions.toml and say why in the message";

#[derive(Parser)]
#[command(about = "Instructions per publish, compared with benches/instructions.toml")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Acknowledge the counts of this build: write them to benches/instructions.toml
    #[arg(long)]
    record: bool,
    /// What callgrind runs
    #[arg(long, hide = true, requires = "turns")]
    run: Option<Case>,
    #[arg(long, hide = true, default_value_t = 0)]
    turns: u32,
    /// What cargo passes on as a filter: ignored
    #[arg(hide = true)]
    _filter: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Case {
    /// Nobody listens.
    PublishTo0,
    PublishTo1,
    PublishTo10,
    PublishTo100,
    /// The fifth of ten listeners returns an error, which is collected and logged.
    PublishWithFailure,
    /// Ten listeners, whose outputs are collected.
    CollectFrom10,
}

/// What was recorded, and with what.
#[derive(Serialize, Deserialize)]
struct Record {
    rustc: String,
    target: String,
    rustflags: String,
    instructions: BTreeMap<Case, u64>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // The message is for whoever caused the jump: a backtrace of this program would bury it.
        Err(error) => {
            let _ = writeln!(io::stderr(), "instructions: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(case) = arguments.run {
        return case.perform(arguments.turns);
    }
    let options = &arguments.options;
    if is_misleading_build(options) {
        return Ok(());
    }
    let busy = Busy::watch();
    let mut report = Report::new("instructions", options, 0, Machine::here(&["arc-swap", "sitebus-bus"]));
    let Some(valgrind) = valgrind_version()? else {
        ensure!(!is_ci(), "valgrind is not installed: CI must have it, since the counts are what it checks");
        report.left_out.push("everything: valgrind is not installed".to_owned());
        return report.print(options, &busy);
    };
    report.machine = report.machine.with("valgrind", valgrind);
    let counted = Record::count(&report.machine)?;
    if arguments.record {
        counted.write()?;
    }
    let recorded = Record::read()?;
    report.tables.push(table(&counted, &recorded));
    let verdict = match counted.incomparable(&recorded) {
        Some(why) if is_ci() => Err(anyhow!("the counts cannot be compared: {why}")),
        Some(why) => {
            report.left_out.push(format!("the comparison: {why}"));
            Ok(())
        }
        None => counted.judge(&recorded),
    };
    report.print(options, &busy)?;
    verdict
}

fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

/// `None` if it is not installed.
fn valgrind_version() -> Result<Option<String>> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout);
            Ok(Some(version.trim().trim_start_matches("valgrind-").to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("asking valgrind for its version"),
    }
}

impl Case {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What is counted, in a process of its own under callgrind.
    fn perform(self, turns: u32) -> Result<()> {
        match self {
            Case::PublishTo0 => publish(0, turns),
            Case::PublishTo1 => publish(1, turns),
            Case::PublishTo10 => publish(10, turns),
            Case::PublishTo100 => publish(100, turns),
            Case::PublishWithFailure => publish_with_failure(turns),
            Case::CollectFrom10 => collect(turns),
        }
    }

    /// Instructions per turn, rounded: where the system puts a process in memory changes them by a few tenths.
    fn count(self) -> Result<u64> {
        let [few, many] = TURNS.map(|turns| self.count_turns(turns));
        let turns = u64::from(TURNS[1] - TURNS[0]);
        Ok((many?.saturating_sub(few?) + turns / 2) / turns)
    }

    fn count_turns(self, turns: u32) -> Result<u64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe()?)
            .args(["--run", &self.name(), "--turns", &turns.to_string()])
            // An error of anyhow would take a backtrace.
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LIB_BACKTRACE")
            .output()
            .context("running valgrind")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "valgrind failed ({}):\n{said}", output.status);
        let collected = said.lines().find_map(|line| line.split_once("Collected :"));
        let (_, count) =
            collected.with_context(|| format!("valgrind did not say what it collected:\n{said}"))?;
        Ok(count.trim().parse()?)
    }
}

fn publish(count: usize, turns: u32) -> Result<()> {
    let bus = Bus::new("bench");
    let mut channel = bus.on(Topic::<u64>::new("bench.order"))?;
    listeners(Kind::Distinct, count, &mut channel);
    for turn in 0..u64::from(turns) {
        channel.publish(black_box(&turn))?;
    }
    Ok(())
}

fn publish_with_failure(turns: u32) -> Result<()> {
    let bus = Bus::new("bench");
    let mut channel = bus.on(Topic::<u64>::new("bench.order"))?;
    listeners(Kind::Distinct, 4, &mut channel);
    channel.subscribe("failing", |_| -> Result<()> { bail!("always") });
    listeners(Kind::Distinct, 5, &mut channel);
    for turn in 0..u64::from(turns) {
        ensure!(channel.publish(black_box(&turn)).is_err(), "the failing listener succeeded");
    }
    Ok(())
}

fn collect(turns: u32) -> Result<()> {
    let bus = Bus::new("bench");
    let channel = bus.on(Topic::<u64, u64>::new("bench.price"))?;
    for number in 0..10 {
        channel.subscribe("listener", move |message| -> Result<u64> { Ok(message + number) });
    }
    for turn in 0..u64::from(turns) {
        ensure!(black_box(channel.collect(black_box(&turn))).outputs.len() == 10, "an output is missing");
    }
    Ok(())
}

impl Record {
    fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml")
    }

    fn read() -> Result<Record> {
        let path = Record::path();
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn write(&self) -> Result<()> {
        let head = "# Instructions per call, counted by callgrind. Written by\n\
                    # cargo bench -p sitebus-benches --bench instructions -- --record\n\n";
        let path = Record::path();
        fs::write(&path, head.to_owned() + &toml::to_string(self)?)
            .with_context(|| format!("writing {}", path.display()))
    }

    fn count(machine: &Machine) -> Result<Record> {
        let counts = Case::value_variants().iter().map(|case| Ok((*case, case.count()?)));
        let Machine { rustc, target, rustflags, .. } = machine.clone();
        Ok(Record { rustc, target, rustflags, instructions: counts.collect::<Result<_>>()? })
    }

    /// Why the two are not of one kind, if they are not.
    fn incomparable(&self, recorded: &Record) -> Option<String> {
        let pairs =
            [("target", &self.target, &recorded.target), ("RUSTFLAGS", &self.rustflags, &recorded.rustflags)];
        let differs = pairs.into_iter().find(|(_, ours, theirs)| ours != theirs);
        differs.map(|(what, ours, theirs)| {
            format!("{what} is '{ours}', and was '{theirs}' when they were recorded")
        })
    }

    fn judge(&self, recorded: &Record) -> Result<()> {
        let jumps = self.instructions.iter().filter_map(|(case, now)| {
            let Some(before) = recorded.instructions.get(case) else {
                return Some(format!("{} was never recorded", case.name()));
            };
            let jumped = *now * 100 >= before * (100 + JUMP_PERCENT);
            jumped.then(|| format!("{} takes {now} instructions and took {before}", case.name()))
        });
        let jumps = jumps.collect::<Vec<_>>();
        if jumps.is_empty() {
            return Ok(());
        }
        let compiler = match self.rustc == recorded.rustc {
            true => String::new(),
            false => format!(" (with {}; recorded with {})", self.rustc, recorded.rustc),
        };
        bail!("{}{compiler}: {ACKNOWLEDGE}", jumps.join("; "))
    }
}

fn table(counted: &Record, recorded: &Record) -> Table {
    let row = |(case, now): (&Case, &u64)| {
        let before = recorded.instructions.get(case);
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let change = before.map(|before| format!("{:+.1} %", (*now as f64 / *before as f64 - 1.0) * 100.0));
        let before = before.map_or(Cell::Nothing, |before| Cell::Count(*before));
        (case.name(), vec![Cell::Count(*now), before, change.map_or(Cell::Nothing, Cell::Text)])
    };
    Table {
        title: "instructions per call".to_owned(),
        columns: ["now", "recorded", "change"].map(str::to_owned).into(),
        rows: counted.instructions.iter().map(row).collect(),
    }
}
