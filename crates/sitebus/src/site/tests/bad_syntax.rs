//! Text that is not TOML.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "text without quotes",
        text: r#"[http]
listen = [127.0.0.1:8080]
header_timeout = 30s

[log]
access = yes
"#,
        report: r#"error: `127.0.0.1:8080` is no value
 --> site.toml:2:11
  |
2 | listen = [127.0.0.1:8080]
  |           ^^^^^^^^^^^^^^
  |
  = help: put text in quotes: `"127.0.0.1:8080"`

error: `30s` is no value
 --> site.toml:3:18
  |
3 | header_timeout = 30s
  |                  ^^^
  |
  = help: put text in quotes: `"30s"`

error: `yes` is no value
 --> site.toml:6:10
  |
6 | access = yes
  |          ^^^
  |
  = help: write `true`

error: 3 problems in site.toml"#,
    },
    Case {
        name: "a value that is missing",
        text: r#"[site]
name =
"#,
        report: r#"error: a value is missing
 --> site.toml:2:7
  |
2 | name =
  |       ^
  |
  = help: write one after the `=`"#,
    },
    Case {
        name: "a bracket that is not closed",
        text: r#"[http
listen = ["127.0.0.1:8080"]
"#,
        report: r#"error: this header is not closed
 --> site.toml:1:6
  |
1 | [http
  |      ^
  |
  = help: write `]` at its end"#,
    },
    Case {
        name: "an array that is not closed",
        text: r#"[http]
listen = ["127.0.0.1:8080"

[log]
access = true
"#,
        report: r#"error: this bracket is not closed
 --> site.toml:2:10
  |
2 | listen = ["127.0.0.1:8080"
  |          ^
  |
  = help: write `]` where it ends"#,
    },
    Case {
        name: "a string that is not closed",
        text: r#"[site]
name = "shop

[log]
access = true
"#,
        report: r#"error: this string is not closed
 --> site.toml:2:8
  |
2 | name = "shop
  |        ^
  |
  = help: write `"` where it ends"#,
    },
    Case {
        name: "a table that is not closed",
        text: r#"[[route]]
path = "/health"
respond = { status = 200

[log]
access = true
"#,
        report: r#"error: this brace is not closed
 --> site.toml:3:11
  |
3 | respond = { status = 200
  |           ^
  |
  = help: write `}` where it ends"#,
    },
    Case {
        name: "a string of several lines that is not closed",
        text: r#"[[route]]
path = "/health"
respond.body = """
ok

[log]
access = true
"#,
        report: r#"error: this string is not closed
 --> site.toml:3:16
  |
3 | respond.body = """
  |                ^^^
  |
  = help: write `"""` where it ends"#,
    },
    Case {
        name: "a key twice and a section twice",
        text: r#"[site]
name = "a"
name = "b"

[site]
state = "x"
"#,
        report: r#"error: `name` stands here twice
 --> site.toml:3:1
  |
2 | name = "a"
  | ---- first here
3 | name = "b"
  | ^^^^
  |
  = help: remove one of the two, or join them

error: `site` stands here twice
 --> site.toml:5:2
  |
1 | [site]
  | ------ first here
...
5 | [site]
  |  ^^^^
  |
  = help: remove one of the two, or join them

error: 2 problems in site.toml"#,
    },
    Case {
        name: "a backslash in double quotes",
        text: r#"[[route]]
path = "/"
static = "C:\public"
"#,
        report: r#"error: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`
 --> site.toml:3:14
  |
3 | static = "C:\public"
  |              ^
  |
  = help: in single quotes a backslash is just a backslash"#,
    },
    Case {
        name: "a key without a value",
        text: r#"[site]
name
"#,
        report: r#"error: this key has no value
 --> site.toml:2:5
  |
2 | name
  |     ^
  |
  = help: write `key = value`"#,
    },
    Case {
        name: "a colon instead of an equals sign",
        text: r#"[log]
access: true
"#,
        report: r#"error: a key is followed by `=`, not by `:`
 --> site.toml:2:7
  |
2 | access: true
  |       ^
  |
  = help: write `key = value`"#,
    },
    Case {
        name: "two values on one line",
        text: r#"[log]
access = true,
"#,
        report: r#"error: the line has ended before this
 --> site.toml:2:14
  |
2 | access = true,
  |              ^
  |
  = help: remove it, or begin a new line"#,
    },
];
