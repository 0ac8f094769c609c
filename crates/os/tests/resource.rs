//! The limit on open files; alone in its file, since it is that of the whole process.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::resource::{limit_open_files, open_files};

#[test]
fn the_soft_limit_goes_down_and_up_again_to_the_hard_one_and_no_further() {
    let hard = open_files().unwrap().hard;
    let low = limit_open_files(64).unwrap();
    assert_eq!((low.soft, low.hard), (64, hard));
    assert_eq!(open_files().unwrap(), low);
    let high = limit_open_files(u64::MAX).unwrap();
    assert_eq!((high.soft, high.hard), (hard, hard));
}
