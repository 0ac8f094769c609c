//! `init`: a first site, with comments.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::commands::Answer;
use super::statuses::{DONE, FAILED};
use crate::site::{FirstFile, Known, first_site};

pub(crate) fn init(folder: &Path, json: bool, program: &str, known: &Known) -> ExitCode {
    let site = first_site(program, known);
    match write(folder, &site) {
        Ok(()) if json => {
            let files: Vec<PathBuf> = site.iter().map(|file| folder.join(file.path)).collect();
            Answer::new("init", "done", DONE, "wrote a first site").with_data(&files).print(json)
        }
        Ok(()) => {
            let _ = tell(folder, &site, program); // printing can fail only where nobody reads
            ExitCode::SUCCESS
        }
        Err(error) => Answer::new("init", "refused", FAILED, format!("{error:#}")).print(json),
    }
}

/// Writes all of it or nothing, and nothing over a file that is there.
fn write(folder: &Path, site: &[FirstFile]) -> anyhow::Result<()> {
    let mut made = Made(Vec::new());
    for file in site {
        let path = folder.join(file.path);
        if let Err(error) = made.write_new(&path, &file.text) {
            if error.kind() == io::ErrorKind::AlreadyExists && path.symlink_metadata().is_ok() {
                bail!("{} is there already, and is left as it is; choose another folder", path.display());
            }
            return Err(error).with_context(|| format!("writing {} failed", path.display()));
        }
    }
    made.0.clear();
    Ok(())
}

/// The files and folders that were made, in that order. They are removed again unless this is emptied.
struct Made(Vec<PathBuf>);

impl Made {
    fn write_new(&mut self, path: &Path, text: &str) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
            let missing: Vec<&Path> = folder.ancestors().take_while(missing).collect();
            for folder in missing.into_iter().rev() {
                fs::create_dir(folder)?;
                self.0.push(folder.to_owned());
            }
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        self.0.push(path.to_owned());
        file.write_all(text.as_bytes())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            // What somebody else has put into a folder meanwhile keeps it.
            let _ = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
        }
    }
}

fn tell(folder: &Path, site: &[FirstFile], program: &str) -> io::Result<()> {
    let mut out = anstream::stdout();
    for file in site {
        writeln!(out, "wrote {}", folder.join(file.path).display())?;
    }
    if folder == Path::new(".") {
        writeln!(out, "\nnext: {program} run")
    } else {
        writeln!(out, "\nnext: {program} run {}", folder.join("site.toml").display())
    }
}
