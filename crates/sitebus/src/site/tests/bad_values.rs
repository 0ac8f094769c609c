//! Values of the wrong type, and values that make no sense.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a string instead of an array gets its brackets",
        text: r#"[http]
listen = "127.0.0.1:8080"
"#,
        report: r#"error: `http.listen` must be an array
 --> site.toml:2:10
  |
2 | listen = "127.0.0.1:8080"
  |          ^^^^^^^^^^^^^^^^ this is a string
  |
  = help: put it in brackets: `["127.0.0.1:8080"]`"#,
    },
    Case {
        name: "a wrong type inside of an array points to the one value",
        text: r#"[http]
listen = ["127.0.0.1:8080", 8080]
"#,
        report: r#"error: each value of `http.listen` must be a string
 --> site.toml:2:29
  |
2 | listen = ["127.0.0.1:8080", 8080]
  |                             ^^^^ this is a whole number
  |
  = help: put it in quotes: `"8080"`"#,
    },
    Case {
        name: "quotes round a number are too many",
        text: r#"[http]
max_connections = "100"
"#,
        report: r#"error: `http.max_connections` must be a whole number from 0 to 4294967295
 --> site.toml:2:19
  |
2 | max_connections = "100"
  |                   ^^^^^ this is a string
  |
  = help: leave out the quotes: `100`"#,
    },
    Case {
        name: "a number out of its range says the range",
        text: r#"[http]
max_connections = -1
threads = 100000
"#,
        report: r#"error: `http.max_connections` must be a whole number from 0 to 4294967295
 --> site.toml:2:19
  |
2 | max_connections = -1
  |                   ^^

error: `http.threads` must be a whole number from 0 to 65535
 --> site.toml:3:11
  |
3 | threads = 100000
  |           ^^^^^^

error: 2 problems in site.toml"#,
    },
    Case {
        name: "a duration needs a unit",
        text: r#"[http]
header_timeout = 10
idle_timeout = "10"
"#,
        report: r#"error: `http.header_timeout` must be a duration such as "10s", "500ms" or "1m30s"
 --> site.toml:2:18
  |
2 | header_timeout = 10
  |                  ^^ this is a whole number

error: `http.idle_timeout` must be a duration such as "10s", "500ms" or "1m30s"
 --> site.toml:3:16
  |
3 | idle_timeout = "10"
  |                ^^^^

error: 2 problems in site.toml"#,
    },
    Case {
        name: "a duration of zero makes no sense",
        text: r#"[http]
header_timeout = "0s"
"#,
        report: r#"error: with a `header_timeout` of zero no request could be answered
 --> site.toml:2:18
  |
2 | header_timeout = "0s"
  |                  ^^^^
  |
  = help: write more than that, or leave the key out"#,
    },
    Case {
        name: "a size that is too small or not one",
        text: r#"[http]
max_header_size = "10"
"#,
        report: r#"error: the head of an ordinary request is larger than that
 --> site.toml:2:19
  |
2 | max_header_size = "10"
  |                   ^^^^
  |
  = help: browsers need about "4 KiB"; or leave the key out"#,
    },
    Case {
        name: "a size with a strange unit",
        text: r#"[http]
max_header_size = "64 KiBi"
"#,
        report: r#"error: `http.max_header_size` must be a size such as 65536, "64 KiB" or "1M"
 --> site.toml:2:19
  |
2 | max_header_size = "64 KiBi"
  |                   ^^^^^^^^^"#,
    },
    Case {
        name: "bad addresses say what to write",
        text: r#"[http]
listen = ["8080", "example.com:80", "http://127.0.0.1/", "127.0.0.1", "unix:"]
"#,
        report: r#"error: the address `8080` is only a port
 --> site.toml:2:11
  |
2 | listen = ["8080", "example.com:80", "http://127.0.0.1/", "127.0.0.1", "unix:"]
  |           ^^^^^^
  |
  = help: write 127.0.0.1:8080 for this machine, 0.0.0.0:8080 for every network of IPv4 or [::]:8080 for every network of IPv6

error: the address `example.com:80` names a host, and names are not looked up for listening
 --> site.toml:2:19
  |
2 | listen = ["8080", "example.com:80", "http://127.0.0.1/", "127.0.0.1", "unix:"]
  |                   ^^^^^^^^^^^^^^^^
  |
  = help: write the address of "example.com", or 0.0.0.0:80 for every network of IPv4

error: the address `http://127.0.0.1/` is a URL
 --> site.toml:2:37
  |
2 | listen = ["8080", "example.com:80", "http://127.0.0.1/", "127.0.0.1", "unix:"]
  |                                     ^^^^^^^^^^^^^^^^^^^
  |
  = help: leave out what stands before and after host and port: 127.0.0.1:8080

error: the address `127.0.0.1` has no port
 --> site.toml:2:58
  |
2 | listen = ["8080", "example.com:80", "http://127.0.0.1/", "127.0.0.1", "unix:"]
  |                                                          ^^^^^^^^^^^
  |
  = help: write it as in 127.0.0.1:8080

error: the address `unix:` names no socket
 --> site.toml:2:71
  |
2 | listen = ["8080", "example.com:80", "http://127.0.0.1/", "127.0.0.1", "unix:"]
  |                                                                       ^^^^^^^
  |
  = help: write unix:/run/site.sock or unix:@site

error: 5 problems in site.toml"#,
    },
    Case {
        name: "any free port twice",
        text: r#"[http]
listen = ["127.0.0.1:0", "127.0.0.1:0"]
"#,
        report: r#"error: `127.0.0.1:0` is listened to twice
 --> site.toml:2:26
  |
2 | listen = ["127.0.0.1:0", "127.0.0.1:0"]
  |           -------------  ^^^^^^^^^^^^^
  |           |
  |           first here
  |
  = help: remove one of the two"#,
    },
    Case {
        name: "heads and threads beyond all measure",
        text: r#"[http]
max_header_size = "32 MiB"
threads = 60000
"#,
        report: r#"error: the head of a request cannot be as large as that
 --> site.toml:2:19
  |
2 | max_header_size = "32 MiB"
  |                   ^^^^^^^^
  |
  = help: each connection may take that much memory; write less, or leave the key out

error: 60000 threads would only be in each other's way
 --> site.toml:3:11
  |
3 | threads = 60000
  |           ^^^^^
  |
  = help: leave the key out for one for each processor; a thread answers thousands of connections

error: 2 problems in site.toml"#,
    },
    Case {
        name: "an address twice",
        text: r#"[http]
listen = ["127.0.0.1:8080", "localhost:8080"]
"#,
        report: r#"error: `localhost:8080` is listened to twice
 --> site.toml:2:29
  |
2 | listen = ["127.0.0.1:8080", "localhost:8080"]
  |           ----------------  ^^^^^^^^^^^^^^^^
  |           |
  |           first here
  |
  = help: remove one of the two"#,
    },
    Case {
        name: "an address that is too bare",
        text: r#"[http]
listen = ["/run/site.sock"]
"#,
        report: r#"error: the address `/run/site.sock` looks like a Unix socket
 --> site.toml:2:11
  |
2 | listen = ["/run/site.sock"]
  |           ^^^^^^^^^^^^^^^^
  |
  = help: write unix:/run/site.sock"#,
    },
    Case {
        name: "an empty list of addresses",
        text: r#"[http]
listen = []
"#,
        report: r#"error: the site would listen nowhere
 --> site.toml:2:10
  |
2 | listen = []
  |          ^^
  |
  = help: write `["127.0.0.1:8080"]`"#,
    },
    Case {
        name: "a signal and an action that do not exist",
        text: r#"[signals]
SIGHUP = "gracefull"
KILL = "exit"
HUPP = "exit"
"#,
        report: r#"error: a signal cannot be mapped to "gracefull"
 --> site.toml:2:10
  |
2 | SIGHUP = "gracefull"
  |          ^^^^^^^^^^^
  |
  = help: did you mean "graceful"?

error: SIGKILL cannot be caught: the kernel leaves no process a choice about it (signal(7))
 --> site.toml:3:1
  |
3 | KILL = "exit"
  | ^^^^
  |
  = help: leave it out

error: there is no signal "HUPP" on this system
 --> site.toml:4:1
  |
4 | HUPP = "exit"
  | ^^^^
  |
  = help: did you mean HUP?

error: 3 problems in site.toml"#,
    },
    Case {
        name: "a name that would not do",
        text: r#"[site]
name = "my shop"
"#,
        report: r#"error: the name of the site would not do as the name of a file
 --> site.toml:2:8
  |
2 | name = "my shop"
  |        ^^^^^^^^^
  |
  = help: a name is letters, digits, `.`, `_` and `-`, such as `shop`"#,
    },
    Case {
        name: "Windows line ends and letters beyond ASCII keep their columns",
        text: "# größe\r\n[site]\r\nstate = \"ä\" # ü\r\nname = \"größe\"\r\n",
        report: r#"error: the name of the site would not do as the name of a file
 --> site.toml:4:8
  |
4 | name = "größe"
  |        ^^^^^^^
  |
  = help: a name is letters, digits, `.`, `_` and `-`, such as `shop`"#,
    },
    Case {
        name: "a boolean in quotes",
        text: r#"[log]
access = "true"
"#,
        report: r#"error: `log.access` must be true or false
 --> site.toml:2:10
  |
2 | access = "true"
  |          ^^^^^^ this is a string
  |
  = help: leave out the quotes: `true`"#,
    },
    Case {
        name: "a date where a string should be",
        text: r#"[site]
name = 2026-01-01
"#,
        report: r#"error: `site.name` must be a string
 --> site.toml:2:8
  |
2 | name = 2026-01-01
  |        ^^^^^^^^^^ this is a date or time
  |
  = help: put it in quotes: `"2026-01-01"`"#,
    },
    Case {
        name: "a table where a value should be",
        text: r#"[http.threads]
count = 2
"#,
        report: r#"error: `http.threads` must be a whole number from 0 to 65535
 --> site.toml:1:1
  |
1 | [http.threads]
  | ^^^^^^^^^^^^^^ this is a table"#,
    },
];
