//! Remembers what the figures were compiled with.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=BENCH_RUSTC={}", rustc_version().unwrap_or_else(|| "unknown".to_owned()));
    for (ours, cargos) in [("BENCH_TARGET", "TARGET"), ("BENCH_OPT_LEVEL", "OPT_LEVEL")] {
        println!("cargo::rustc-env={ours}={}", env::var(cargos).unwrap_or_default());
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().replace('\u{1f}', " ");
    println!("cargo::rustc-env=BENCH_RUSTFLAGS={flags}");
}

fn rustc_version() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
