//! Routes that cannot be served.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "a folder with the site file in it would show it to everybody",
        text: r#"[[route]]
path = "/"
static = "."
"#,
        report: r#"error: `.` holds the site file, which everybody could read then
 --> site.toml:3:10
  |
3 | static = "."
  |          ^^^
  |
  = help: put what is to be served into a folder of its own, such as `public`"#,
    },
    Case {
        name: "a missing folder names its neighbour",
        text: r#"[[route]]
path = "/"
static = "publik"
"#,
        report: r#"error: there is no folder `publik`
 --> site.toml:3:10
  |
3 | static = "publik"
  |          ^^^^^^^^
  |
  = help: did you mean `public`?"#,
    },
    Case {
        name: "a missing folder without a neighbour says where it was looked for",
        text: r#"[[route]]
path = "/"
static = "elsewhere"
"#,
        report: r#"error: there is no folder `elsewhere`
 --> site.toml:3:10
  |
3 | static = "elsewhere"
  |          ^^^^^^^^^^^
  |
  = help: create it, or correct the name; it counts from `FOLDER`"#,
    },
    Case {
        name: "a file is not a folder",
        text: r#"[[route]]
path = "/"
static = "public/index.html"
"#,
        report: r#"error: `public/index.html` is a file, not a folder
 --> site.toml:3:10
  |
3 | static = "public/index.html"
  |          ^^^^^^^^^^^^^^^^^^^
  |
  = help: give the folder that holds the file"#,
    },
    Case {
        name: "two routes on one path point to both",
        text: r#"[[route]]
path = "/a"
redirect = "/b"

[[route]]
path = "/%61"
redirect = "/c"
"#,
        report: r#"error: two routes have the path `/%61`
 --> site.toml:6:8
  |
2 | path = "/a"
  |        ---- first here
...
6 | path = "/%61"
  |        ^^^^^^
  |
  = help: remove one of the two, or give it another path"#,
    },
    Case {
        name: "a route with two answers points to both",
        text: r#"[[route]]
path = "/"
static = "public"
redirect = "/b"
"#,
        report: r#"error: a route has one answer, and this one has `static` and `redirect`
 --> site.toml:4:12
  |
3 | static = "public"
  |          -------- one
4 | redirect = "/b"
  |            ^^^^ and another
  |
  = help: make them two routes with two paths, or remove one"#,
    },
    Case {
        name: "a route without an answer",
        text: r#"[[route]]
path = "/"
"#,
        report: r#"error: this route has no answer
 --> site.toml:1:1
  |
1 | [[route]]
  | ^^^^^^^^^
  |
  = help: give it one of `static`, `respond`, `redirect` and `app`"#,
    },
    Case {
        name: "a route without a path",
        text: r#"[[route]]
static = "public"
"#,
        report: r#"error: `[[route]]` has no `path`
 --> site.toml:1:1
  |
1 | [[route]]
  | ^^^^^^^^^
  |
  = help: add `path = …` to it"#,
    },
    Case {
        name: "a route with a slip in its answer is complained about once",
        text: r#"[[route]]
path = "/"
sttaic = "public"
"#,
        report: r#"error: `sttaic` is no key of `[[route]]`
 --> site.toml:3:1
  |
3 | sttaic = "public"
  | ^^^^^^
  |
  = help: did you mean `static`?"#,
    },
    Case {
        name: "a path that cannot be",
        text: r#"[[route]]
path = "docs"
static = "public"

[[route]]
path = "/docs/*"
static = "public"
"#,
        report: r#"error: the path does not begin with `/`
 --> site.toml:2:8
  |
2 | path = "docs"
  |        ^^^^^^
  |
  = help: put a `/` before it

error: the path has a pattern, and routes are plain paths
 --> site.toml:6:8
  |
6 | path = "/docs/*"
  |        ^^^^^^^^^
  |
  = help: end the path with `/` to match all below it

error: 2 problems in site.toml"#,
    },
    Case {
        name: "a status that is none, a type that is none",
        text: r#"[[route]]
path = "/a"
respond = { status = 99, type = "html" }

[[route]]
path = "/b"
respond = { type = "html" }

[[route]]
path = "/c"
respond = { statsu = 404 }
"#,
        report: r#"error: 99 is no status that a response can end with
 --> site.toml:3:22
  |
3 | respond = { status = 99, type = "html" }
  |                      ^^
  |
  = help: choose one from 200 to 599

error: `html` is no media type
 --> site.toml:7:20
  |
7 | respond = { type = "html" }
  |                    ^^^^^^
  |
  = help: write it like `text/html; charset=utf-8`

error: `statsu` is no key of `route.respond`
  --> site.toml:11:13
   |
11 | respond = { statsu = 404 }
   |             ^^^^^^
   |
   = help: did you mean `status`?

error: 3 problems in site.toml"#,
    },
    Case {
        name: "a redirect to nowhere and one to itself",
        text: r#"[[route]]
path = "/a"
redirect = "www.example.com"

[[route]]
path = "/b/"
redirect = "/b/c"

[[route]]
path = "/c"
redirect = { to = "/", status = 200 }

[[route]]
path = "/d"
redirect = { status = 308 }

[[route]]
path = "/e"
redirect = 308
"#,
        report: r#"error: the target `www.example.com` is neither a path nor an address
 --> site.toml:3:12
  |
3 | redirect = "www.example.com"
  |            ^^^^^^^^^^^^^^^^^
  |
  = help: begin it with `/`, `http://` or `https://`

error: the redirect to `/b/c` comes back to this route
 --> site.toml:7:12
  |
7 | redirect = "/b/c"
  |            ^^^^^^
  |
  = help: send it to a path that another route answers

error: `200` is no status of a redirect
  --> site.toml:11:33
   |
11 | redirect = { to = "/", status = 200 }
   |                                 ^^^
   |
   = help: choose 307 (for now) or 308 (for ever); 301, 302 and 303 are allowed too

error: `route.redirect` has no `to`
  --> site.toml:15:12
   |
15 | redirect = { status = 308 }
   |            ^^^^^^^^^^^^^^^^
   |
   = help: add `to = …` to it

error: `route.redirect` must be a target such as "/new/", or { to = "/new/", status = 308 }
  --> site.toml:19:12
   |
19 | redirect = 308
   |            ^^^ this is a whole number

error: 5 problems in site.toml"#,
    },
    Case {
        name: "an application that the program does not have",
        text: r#"[[route]]
path = "/"
app = "blgo"
"#,
        report: r#"error: the program has no application `blgo`
 --> site.toml:3:7
  |
3 | app = "blgo"
  |       ^^^^^^
  |
  = help: did you mean `blog`?"#,
    },
    Case {
        name: "an array where a table should be",
        text: r#"[[route]]
path = "/health"
respond = "ok"
"#,
        report: r#"error: `route.respond` must be a table
 --> site.toml:3:11
  |
3 | respond = "ok"
  |           ^^^^ this is a string"#,
    },
    Case {
        name: "a response that may have no body",
        text: r#"[[route]]
path = "/none"
respond = { status = 204, body = "x" }
"#,
        report: r#"error: a response of status 204 has no body
 --> site.toml:3:34
  |
3 | respond = { status = 204, body = "x" }
  |                                  ^^^
  |
  = help: remove the body, or use status 200"#,
    },
    Case {
        name: "a response that is a redirect",
        text: r#"[[route]]
path = "/none"
respond = { status = 301 }
"#,
        report: r#"error: 301 is the status of a redirect
 --> site.toml:3:22
  |
3 | respond = { status = 301 }
  |                      ^^^
  |
  = help: make the route a redirect"#,
    },
    Case {
        name: "nothing is said twice about a route whose path is of the wrong type",
        text: r#"[[route]]
path = 1
static = "public"

[[route]]
path = true
"#,
        report: r#"error: `route.path` must be a string
 --> site.toml:2:8
  |
2 | path = 1
  |        ^ this is a whole number
  |
  = help: put it in quotes: `"1"`

error: `route.path` must be a string
 --> site.toml:6:8
  |
6 | path = true
  |        ^^^^ this is `true`
  |
  = help: put it in quotes: `"true"`

error: 2 problems in site.toml"#,
    },
];
