//! A program in trouble, for the tests. Its version is what stands behind the program in its file, so that a copy with
//! another ending is another version. Where a file `die-at-start` lies in the current folder, a signal ends it there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::process::ExitCode;

use sitebus::{Handle, priority};
use sitebus_os::signal::{Signal, die_by};

const MARK: &str = "\nversion ";

fn main() -> ExitCode {
    let version = version().unwrap_or_else(|_| "unknown".to_owned());
    sitebus::main(|program| program.name("faulty").version(version).plugin(die))
}

fn version() -> io::Result<String> {
    let mut file = File::open("/proc/self/exe")?;
    file.seek(SeekFrom::End(-64))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let end = String::from_utf8_lossy(&end);
    Ok(end.rsplit_once(MARK).map_or("0", |(_, version)| version).to_owned())
}

/// Ends by the signal whose name stands in `die-at-start`, when nearly everything is up.
fn die(bus: &Handle) -> anyhow::Result<()> {
    if let Ok(name) = std::fs::read_to_string("die-at-start") {
        let signal: Signal = name.parse()?;
        bus.plugin("dies").on_start(priority::TASKS, move |_| -> () { die_by(signal) });
    }
    Ok(())
}
