//! Keys and sections that do not exist.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "an unknown key names the one that was meant",
        text: r#"[http]
listn = ["127.0.0.1:8080"]
"#,
        report: r#"error: `listn` is no key of `[http]`
 --> site.toml:2:1
  |
2 | listn = ["127.0.0.1:8080"]
  | ^^^^^
  |
  = help: did you mean `listen`?"#,
    },
    Case {
        name: "an unknown key that is like no other lists them all",
        text: r#"[http]
port = 8080
"#,
        report: r#"error: `port` is no key of `[http]`
 --> site.toml:2:1
  |
2 | port = 8080
  | ^^^^
  |
  = help: its keys are `listen`, `header_timeout`, `idle_timeout`, `drain_timeout`, `max_connections`, `max_header_size`, `max_body_size` and `threads`"#,
    },
    Case {
        name: "an unknown section names the one that was meant",
        text: r#"[htpp]
listen = ["127.0.0.1:8080"]
"#,
        report: r#"error: there is no section `htpp`
 --> site.toml:1:2
  |
1 | [htpp]
  |  ^^^^
  |
  = help: did you mean `[http]`?"#,
    },
    Case {
        name: "an unknown section that is like no other lists them all",
        text: r#"[database]
url = "x"
"#,
        report: r#"error: there is no section `database`
 --> site.toml:1:2
  |
1 | [database]
  |  ^^^^^^^^
  |
  = help: the sections are `[site]`, `[http]`, `[[route]]`, `[signals]`, `[log]`, `[daemon]`, `[pidfile]`, `[privileges]`, `[autoreload]` and `[systemd]`"#,
    },
    Case {
        name: "a key of another section says which",
        text: r#"[site]
listen = ["127.0.0.1:8080"]
"#,
        report: r#"error: `listen` is no key of `[site]`
 --> site.toml:2:1
  |
2 | listen = ["127.0.0.1:8080"]
  | ^^^^^^
  |
  = help: `listen` is a key of `[http]`"#,
    },
    Case {
        name: "a key outside of every section says where it belongs",
        text: r#"listen = ["127.0.0.1:8080"]
"#,
        report: r#"error: `listen` stands outside of every section
 --> site.toml:1:1
  |
1 | listen = ["127.0.0.1:8080"]
  | ^^^^^^
  |
  = help: put it below `[http]`"#,
    },
    Case {
        name: "a section with a slip and a key of nobody",
        text: r#"[logs]
acess = true
[mail]
from = "x"
"#,
        report: r#"error: there is no section `logs`
 --> site.toml:1:2
  |
1 | [logs]
  |  ^^^^
  |
  = help: did you mean `[log]`?

error: there is no section `mail`
 --> site.toml:3:2
  |
3 | [mail]
  |  ^^^^
  |
  = help: the sections are `[site]`, `[http]`, `[[route]]`, `[signals]`, `[log]`, `[daemon]`, `[pidfile]`, `[privileges]`, `[autoreload]` and `[systemd]`

error: 2 problems in site.toml"#,
    },
    Case {
        name: "a section in double brackets",
        text: r#"[[http]]
listen = ["127.0.0.1:8080"]
"#,
        report: r#"error: `http` must be written `[http]`
 --> site.toml:1:1
  |
1 | [[http]]
  | ^^^^^^^^
  |
  = help: there is one `[http]`; it is not repeated"#,
    },
    Case {
        name: "a section that is a value",
        text: r#"http = "127.0.0.1:8080"
"#,
        report: r#"error: `http` must be written `[http]`
 --> site.toml:1:8
  |
1 | http = "127.0.0.1:8080"
  |        ^^^^^^^^^^^^^^^^
  |
  = help: write `[http]` on a line of its own and the keys below it"#,
    },
    Case {
        name: "a route in single brackets",
        text: r#"[route]
path = "/"
static = "public"
"#,
        report: r#"error: `route` must be written `[[route]]`
 --> site.toml:1:1
  |
1 | [route]
  | ^^^^^^^
  |
  = help: double brackets begin one route of several"#,
    },
    Case {
        name: "problems of several sections come together in the order of the file",
        text: r#"[site]
nam = "x"

[[route]]
path = "/"
static = "publik"

[http]
listen = ["localhost"]
drain = "10s"
threads = "many"
"#,
        report: r#"error: `nam` is no key of `[site]`
 --> site.toml:2:1
  |
2 | nam = "x"
  | ^^^
  |
  = help: did you mean `name`?

error: there is no folder `publik`
 --> site.toml:6:10
  |
6 | static = "publik"
  |          ^^^^^^^^
  |
  = help: did you mean `public`?

error: the address `localhost` is not understood
 --> site.toml:9:11
  |
9 | listen = ["localhost"]
  |           ^^^^^^^^^^^
  |
  = help: write one such as 127.0.0.1:8080, [::1]:8080 or unix:/run/site.sock

error: `drain` is no key of `[http]`
  --> site.toml:10:1
   |
10 | drain = "10s"
   | ^^^^^
   |
   = help: did you mean `drain_timeout`?

error: `http.threads` must be a whole number from 0 to 65535
  --> site.toml:11:11
   |
11 | threads = "many"
   |           ^^^^^^ this is a string

error: 5 problems in site.toml"#,
    },
];
