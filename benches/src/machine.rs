//! What the figures were taken on, and with.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs, thread};

use serde::Serialize;

/// The machine and the versions that belong to a figure.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor, as the kernel calls it.
    pub processor: String,
    /// How many cores this process may use.
    pub cores: usize,
    /// The kernel's name and release.
    pub kernel: String,
    /// The compiler of the bench and of everything in it.
    pub rustc: String,
    /// What it was compiled for.
    pub target: String,
    /// Flags beside the profile's.
    pub rustflags: String,
    /// Libraries and programs that the figures depend on.
    pub versions: BTreeMap<String, String>,
}

impl Machine {
    /// This machine, with the locked versions of `crates`.
    #[must_use]
    pub fn here(crates: &[&str]) -> Machine {
        Machine {
            processor: processor().unwrap_or_else(|| "unknown".to_owned()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel(),
            rustc: env!("BENCH_RUSTC").to_owned(),
            target: env!("BENCH_TARGET").to_owned(),
            rustflags: env!("BENCH_RUSTFLAGS").to_owned(),
            versions: locked(crates),
        }
    }

    /// Adds the version of something that is not in the lock file.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, version: impl Into<String>) -> Machine {
        self.versions.insert(name.into(), version.into());
        self
    }

    /// All of it as name and value, in the order for reading.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, String)> {
        let flags = if self.rustflags.is_empty() { "none" } else { &self.rustflags };
        let versions = self.versions.iter().map(|(name, version)| format!("{name} {version}"));
        let lines = [
            ("processor", format!("{}, {} cores", self.processor, self.cores)),
            ("kernel", self.kernel.clone()),
            ("compiler", format!("{} for {}, flags: {flags}", self.rustc, self.target)),
            ("versions", versions.collect::<Vec<_>>().join(", ")),
        ];
        lines.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

fn processor() -> Option<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", env::consts::OS, release.trim())
}

/// What the lock file says, which is what was compiled.
fn locked(crates: &[&str]) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock = fs::read_to_string(path).ok().and_then(|text| text.parse::<toml::Table>().ok());
    let packages = lock.as_ref().and_then(|lock| lock.get("package")?.as_array());
    packages
        .into_iter()
        .flatten()
        .filter_map(|package| Some((package.get("name")?.as_str()?, package.get("version")?.as_str()?)))
        .filter(|(name, _)| crates.contains(name))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}
