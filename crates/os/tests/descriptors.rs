//! The list of open descriptors; alone in its file, since every other test would change the list.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::descriptors;
use std::fs::File;
use std::os::fd::AsRawFd as _;

#[test]
fn an_open_file_is_in_the_list_with_what_it_leads_to_until_it_is_closed() {
    let before = descriptors::open().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("file");
    let file = File::create(&path).unwrap();
    let open = descriptors::open().unwrap();
    let found = open.iter().find(|descriptor| descriptor.number == file.as_raw_fd()).unwrap();
    assert_eq!(found.target, path);
    assert!(found.close_on_exec);

    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let open = descriptors::open().unwrap();
    let found = open.iter().find(|descriptor| descriptor.number == file.as_raw_fd()).unwrap();
    assert!(!found.close_on_exec);

    drop(file);
    assert_eq!(descriptors::open().unwrap(), before);
}
