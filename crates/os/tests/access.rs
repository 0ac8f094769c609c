//! What may be written. A process of its own, since it becomes somebody who is not root.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;

use nix::unistd::{Uid, geteuid, setuid};
use sitebus_os::access::may_write;

#[test]
fn what_may_be_written_is_told_from_what_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mode = |name: &str, mode| {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for name in ["open", "closed"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("open/file"), "").unwrap();
    fs::write(at("closed/file"), "").unwrap();
    mode("", 0o755);
    mode("open", 0o777);
    mode("closed", 0o555);
    mode("open/file", 0o444);
    mode("closed/file", 0o666);
    if geteuid().is_root() {
        setuid(Uid::from_raw(65534)).unwrap(); // root may write everywhere
    }
    let refusal = |name: &str| may_write(&at(name)).map_err(|error| error.kind());
    assert_eq!(refusal("open"), Ok(()));
    assert_eq!(refusal("closed/file"), Ok(()));
    assert_eq!(refusal("closed"), Err(ErrorKind::PermissionDenied));
    assert_eq!(refusal("open/file"), Err(ErrorKind::PermissionDenied));
    assert_eq!(refusal("nothing"), Err(ErrorKind::NotFound));
    assert_eq!(
        may_write("/proc/self/stat".as_ref()).map_err(|error| error.kind()),
        Err(ErrorKind::PermissionDenied)
    );
}
