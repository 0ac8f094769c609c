//! What may be wrong in the sections of the plugins that surround a process.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a PID file must be named",
        text: r#"[pidfile]
mode = "0640"
"#,
        report: r#"error: `[pidfile]` has no `path`
 --> site.toml:1:1
  |
1 | [pidfile]
  | ^^^^^^^^^
  |
  = help: add `path = …` to it"#,
    },
    Case {
        name: "a PID file that is a folder",
        text: r#"[pidfile]
path = "public"
"#,
        report: r#"error: the PID file is a folder
 --> site.toml:2:8
  |
2 | path = "public"
  |        ^^^^^^^^
  |
  = help: name a file in it"#,
    },
    Case {
        name: "a PID file in no folder",
        text: r#"[pidfile]
path = "gone/site.pid"
"#,
        report: r#"error: the folder of the PID file does not exist
 --> site.toml:2:8
  |
2 | path = "gone/site.pid"
  |        ^^^^^^^^^^^^^^^
  |
  = help: make it, or name another one"#,
    },
    Case {
        name: "permissions are octal digits in quotes",
        text: r#"[pidfile]
path = "site.pid"
mode = 644
[daemon]
umask = "28"
"#,
        report: r#"error: `pidfile.mode` must be permissions in octal, in quotes, such as "027" or "0644"
 --> site.toml:3:8
  |
3 | mode = 644
  |        ^^^ this is a whole number

error: `daemon.umask` must be permissions in octal, in quotes, such as "027" or "0644"
 --> site.toml:5:9
  |
5 | umask = "28"
  |         ^^^^

error: 2 problems in site.toml"#,
    },
    Case {
        name: "a daemon in a folder that does not exist, with its output in a folder",
        text: r#"[daemon]
folder = "gone"
output = "public"
"#,
        report: r#"error: the folder of the daemon does not exist
 --> site.toml:2:10
  |
2 | folder = "gone"
  |          ^^^^^^
  |
  = help: make it, or name another one

error: the output of the daemon is a folder
 --> site.toml:3:10
  |
3 | output = "public"
  |          ^^^^^^^^
  |
  = help: name a file in it

error: 2 problems in site.toml"#,
    },
    Case {
        name: "a daemon key with a slip",
        text: r#"[daemon]
outptu = "keep"
"#,
        report: r#"error: `outptu` is no key of `[daemon]`
 --> site.toml:2:1
  |
2 | outptu = "keep"
  | ^^^^^^
  |
  = help: did you mean `output`?"#,
    },
    Case {
        name: "a user that there is not",
        text: r#"[privileges]
user = "nobdy"
"#,
        report: r#"error: privileges cannot be dropped: there is no user 'nobdy' on this system: did you mean 'nobody'?
 --> site.toml:2:8
  |
2 | user = "nobdy"
  |        ^^^^^^^"#,
    },
    Case {
        name: "a group without a user",
        text: r#"[privileges]
group = "root"
"#,
        report: r#"error: privileges cannot be dropped: a group was named but no user, and whoever stays root can take back everything else: name a user too
 --> site.toml:2:9
  |
2 | group = "root"
  |         ^^^^^^"#,
    },
    Case {
        name: "a group that there is not",
        text: r#"[privileges]
user = "nobody"
group = "nogruop"
"#,
        report: r#"error: privileges cannot be dropped: there is no group 'nogruop' on this system: did you mean 'nogroup'?
 --> site.toml:3:9
  |
3 | group = "nogruop"
  |         ^^^^^^^^^"#,
    },
    Case {
        name: "a power that there is not",
        text: r#"[privileges]
user = "nobody"
keep = "CAP_NET_BIND"
"#,
        report: r#"error: there is no capability 'CAP_NET_BIND': did you mean 'CAP_NET_BIND_SERVICE'?; capabilities(7) lists them
 --> site.toml:3:8
  |
3 | keep = "CAP_NET_BIND"
  |        ^^^^^^^^^^^^^^"#,
    },
    Case {
        name: "files that are watched with a bad glob",
        text: r#"[autoreload]
ignore = ["*.css", "a[b"]
"#,
        report: r#"error: autoreload: 'a[b' in ignore is no glob: error parsing glob '!a[b': unclosed character class; missing ']'; a glob is written as in a .gitignore, such as *.html or assets/**
 --> site.toml:2:10
  |
2 | ignore = ["*.css", "a[b"]
  |          ^^^^^^^^^^^^^^^^"#,
    },
    Case {
        name: "a change that leads nowhere",
        text: r#"[autoreload]
action = "relaod"
"#,
        report: r#"error: a change cannot lead to `relaod`
 --> site.toml:2:10
  |
2 | action = "relaod"
  |          ^^^^^^^^
  |
  = help: write `restart` or `reload`"#,
    },
    Case {
        name: "a command of no words and an interval of no length",
        text: r#"[autoreload]
command = []
poll = "0s"
"#,
        report: r#"error: autoreload: the command to run before a restart is empty; leave it out if there is none
 --> site.toml:2:11
  |
2 | command = []
  |           ^^

error: autoreload: an interval of 0 would look at the files all the time; say 1 s, or leave it out for events
 --> site.toml:3:8
  |
3 | poll = "0s"
  |        ^^^^

error: 2 problems in site.toml"#,
    },
    Case {
        name: "a level that is none",
        text: r#"[log]
level = "info,http=verbose"
"#,
        report: r#"error: "verbose" is not a level
 --> site.toml:2:9
  |
2 | level = "info,http=verbose"
  |         ^^^^^^^^^^^^^^^^^^^
  |
  = help: a level is one of off, error, warn, info, debug, trace"#,
    },
    Case {
        name: "a log in no folder that looks like nothing known",
        text: r#"[log]
file = "gone/site.log"
format = "yaml"
"#,
        report: r#"error: the folder of the log does not exist
 --> site.toml:2:8
  |
2 | file = "gone/site.log"
  |        ^^^^^^^^^^^^^^^
  |
  = help: make it, or name another one

error: lines cannot look like `yaml`
 --> site.toml:3:10
  |
3 | format = "yaml"
  |          ^^^^^^
  |
  = help: write `human` or `json`

error: 2 problems in site.toml"#,
    },
];
