//! What becomes of a test that lacks its means.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::process::Command;

use sitebus_testkit::left_out;

const TEST: &str = "what_is_left_out_says_why_and_fails_where_all_is_to_run";

#[test]
fn what_is_left_out_says_why_and_fails_where_all_is_to_run() {
    if env::var_os("LEFT_OUT").is_some() {
        return left_out("no moon tonight");
    }
    for (ci, passes) in [(None, true), (Some("false"), true), (Some("true"), false)] {
        let mut again = Command::new(env::current_exe().unwrap());
        again.args([TEST, "--exact", "--nocapture"]).env("LEFT_OUT", "1").env_remove("CI");
        again.envs(ci.map(|ci| ("CI", ci)));
        let output = again.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), passes, "{ci:?}: {said}");
        assert!(said.contains("left out") && said.contains("no moon tonight"), "{said}");
    }
}
