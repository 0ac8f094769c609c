//! The executable file of the process.

use std::fs;
use std::path::{Path, PathBuf};

use sitebus_os::executable;

use crate::settings::Program;
use crate::stamp::Stamp;

/// Where it is, and what the running one looks like, if that can be known.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    pub(crate) path: PathBuf,
    running: Option<Stamp>,
}

impl Executable {
    pub(crate) fn find(program: &Program, folder: &Path) -> Option<Executable> {
        match program {
            Program::Unwatched => None,
            Program::At(path) => {
                Some(Executable { path: crate::list::absolute(folder, path), running: None })
            }
            Program::Own => {
                let path = executable::running().ok()?;
                // The link leads to the running file even if another one has its name by now.
                let running = Some(Stamp::of(Path::new("/proc/self/exe"))).filter(|stamp| !stamp.is_gone());
                Some(Executable { path, running })
            }
        }
    }

    /// What the file must look like to be the program that runs.
    pub(crate) fn baseline(&self, found: Stamp) -> Stamp {
        match (self.running, found) {
            // Of one file a stacked file system may report two inodes.
            (
                Some(Stamp::File { modified, size, .. }),
                Stamp::File { modified: found_modified, size: found_size, .. },
            ) if (modified, size) == (found_modified, found_size) => found,
            (Some(running), _) => running,
            (None, found) => found,
        }
    }

    /// Whether it could be run: a compiler writes for a while, and makes it executable last.
    pub(crate) fn is_complete(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| {
            metadata.is_file()
                && metadata.len() > 0
                && is_executable(&metadata)
                && executable::is_whole(&self.path).unwrap_or(true) // what may not be read can only be tried
        })
    }
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn is_complete(path: &Path) -> bool {
        Executable::find(&Program::At(path.to_owned()), Path::new("/")).unwrap().is_complete()
    }

    #[test]
    fn half_a_program_is_not_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site");
        assert!(!is_complete(&path));
        let whole = fs::read(std::env::current_exe().unwrap()).unwrap();
        fs::write(&path, &whole).unwrap();
        assert!(!is_complete(&path), "not executable yet");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_complete(&path));
        for length in [0, 10, 64, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(!is_complete(&path), "{length} bytes");
        }
        fs::write(&path, "#!/bin/sh\n").unwrap();
        assert!(is_complete(&path));
    }

    #[test]
    fn a_program_that_was_replaced_since_it_began_has_changed() {
        let own = Executable::find(&Program::Own, Path::new("/")).unwrap();
        let found = Stamp::of(&own.path);
        assert_eq!(own.baseline(found), found);
        let other = Stamp::of(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").as_path());
        assert_ne!(own.baseline(other), other);
        assert_ne!(own.baseline(Stamp::Missing), Stamp::Missing);
    }
}
