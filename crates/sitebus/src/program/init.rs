//! `init`: a first site, with comments.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::{FAILED, console};
use crate::site::FIRST_SITE;

pub(crate) fn init(folder: &Path) -> ExitCode {
    match write(folder) {
        Ok(()) => {
            let _ = tell(folder); // printing can fail only where nobody reads
            ExitCode::SUCCESS
        }
        Err(error) => {
            console::error(&format_args!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Writes all of it or nothing, and nothing over a file that is there.
fn write(folder: &Path) -> anyhow::Result<()> {
    let mut written = Vec::new();
    for file in FIRST_SITE {
        let path = folder.join(file.path);
        if let Err(error) = write_new(&path, file.text) {
            written.iter().for_each(|path: &PathBuf| drop(fs::remove_file(path)));
            if error.kind() == io::ErrorKind::AlreadyExists {
                bail!("{} is there already, and is left as it is; choose another folder", path.display());
            }
            return Err(error).with_context(|| format!("writing {} failed", path.display()));
        }
        written.push(path);
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn tell(folder: &Path) -> io::Result<()> {
    let mut out = anstream::stdout();
    for file in FIRST_SITE {
        writeln!(out, "wrote {}", folder.join(file.path).display())?;
    }
    let site = folder.join("site.toml");
    let run = if folder == Path::new(".") {
        "sitebus run".to_owned()
    } else {
        format!("sitebus run {}", site.display())
    };
    writeln!(out, "\nnext: {run}")
}
