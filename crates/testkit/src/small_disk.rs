//! A disk that is soon full, for root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{env, process};

use crate::left_out;
use crate::own_process::{Process, hear, is_child};

/// Runs the body in a process of its own, to which the folder is a disk of that size (`"64k"`, tmpfs(5)); nobody else sees
/// what is on it, but those that the process starts.
///
/// Who is not root cannot have one: then the body is [left out](left_out).
///
/// # Panics
/// The body fails, or root may not mount here.
pub fn on_a_small_disk(test: &str, size: &str, body: impl FnOnce(&Path)) {
    if is_child() {
        return body(Path::new(&hear()));
    }
    if !fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0) {
        return left_out("only root can have a small disk");
    }
    let place = Place::new(test);
    let mount = "mount -t tmpfs -o size=\"$1\" none \"$0\" && shift && exec \"$@\"";
    let script = format!("exec unshare --mount sh -c '{mount}' '{}' {size} \"$@\"", place.0.display());
    let mut child = Process::start_by_shell(test, &script);
    child.tell(&place.0.to_string_lossy());
    let status = child.wait();
    assert!(status.success(), "{test} ended with {status}:\n{}", child.output());
}

/// Where it is mounted: an empty folder to everybody else.
struct Place(PathBuf);

impl Place {
    #[expect(clippy::unwrap_used, reason = "a test without a folder has failed")]
    fn new(test: &str) -> Place {
        let place = env::temp_dir().join(format!("{test}-{}", process::id()));
        fs::create_dir(&place).unwrap();
        Place(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
