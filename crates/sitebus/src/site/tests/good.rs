//! Files that are right, and sections of a program's own.

use std::time::Duration;

use serde::Deserialize;

use super::{ROUTE, check, complaint, folder, known, shown};
use crate::site::{
    Check, HttpSection, Known, LogSection, Period, Problem, RouteSections, Section, SignalsSection, SiteFile,
    SiteSection, Size, Spanned, first_site,
};

#[test]
fn every_built_in_section_is_read() {
    let folder = folder();
    let text = r#"
[site]
name = "shop"
state = ".state"
[http]
listen = ["127.0.0.1:0", "unix:run.sock"]
header_timeout = "10s"
max_header_size = "64 KiB"
max_connections = 100
[[route]]
path = "/"
static = "public"
[[route]]
path = "/old/"
redirect = { to = "/", status = 308 }
[[route]]
path = "/health"
respond = { body = "ok" }
[[route]]
path = "/blog"
app = "blog"
[signals]
HUP = "graceful"
[log]
access = true
"#;
    let file = check(folder.path(), text, &[]).unwrap();
    let site = file.section::<SiteSection>("site").unwrap().unwrap();
    assert_eq!(site.name.as_ref().map(|name| name.as_str()), Some("shop"));
    let http = file.section::<HttpSection>("http").unwrap().unwrap();
    assert_eq!(http.header_timeout.as_ref().map(|p| **p), Some(Period::from(Duration::from_secs(10))));
    assert_eq!(http.max_header_size.as_ref().map(|s| **s), Some(Size::from(65536)));
    let socket = HttpSection::address(&http.listen.as_ref().unwrap()[1], file.folder()).unwrap();
    assert_eq!(socket.path(), Some(&*folder.path().join("run.sock")));
    let signals = file.section::<SignalsSection>("signals").unwrap().unwrap();
    assert!(format!("{:?}", signals.settings(crate::signals::Settings::default())).contains("HUP"));
    assert_eq!(file.section::<LogSection>("log").unwrap().unwrap().access, Some(true));
    let routes = file.section::<RouteSections>("route").unwrap().unwrap();
    assert_eq!(routes.list().len(), 4);
    let front = routes.routes(file.folder(), |_| Some(crate::front::App::absent())).build();
    assert!(front.is_ok());
}

#[test]
fn sections_that_are_not_there_are_none() {
    let folder = folder();
    let file = check(folder.path(), ROUTE, &[]).unwrap();
    assert!(file.section::<HttpSection>("http").unwrap().is_none());
    assert_eq!(file.folder(), folder.path());
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    from: Spanned<String>,
    retries: Option<u8>,
    via: Option<Via>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Via {
    Smtp,
    Pipe,
}

impl Section for Mail {
    fn check(&self, check: &mut Check<'_>) {
        if !self.from.contains('@') {
            check.problem(&self.from, "this is no address of mail").help("write it like `shop@example.com`");
        }
    }
}

#[test]
fn a_section_of_a_program_is_read_and_explained_like_those_of_sitebus() {
    let folder = folder();
    let mut known = Known::new();
    known.section::<Mail>("mail").unwrap();
    let read = |text: &str| {
        let file = SiteFile::from_text(folder.path().join("site.toml"), &format!("{text}{ROUTE}"), &[])?;
        known.check(&file)?;
        file.section::<Mail>("mail")
    };
    let mail = read("[mail]\nfrom = 'a@b'\nvia = 'pipe'\n").unwrap().unwrap();
    assert!(matches!((mail.from.as_str(), mail.retries, &mail.via), ("a@b", None, Some(Via::Pipe))));
    assert!(!matches!(mail.via, Some(Via::Smtp)));

    let bad = read("[mail]\nfrom = 'shop'\nvia = 'smpt'\nretires = 3\nname = 'x'\n").unwrap_err();
    assert_eq!(
        shown(&bad.to_string(), folder.path()),
        "\
error: this is no address of mail
 --> site.toml:2:8
  |
2 | from = 'shop'
  |        ^^^^^^
  |
  = help: write it like `shop@example.com`

error: `mail.via` cannot be `smpt`
 --> site.toml:3:7
  |
3 | via = 'smpt'
  |       ^^^^^^
  |
  = help: did you mean \"smtp\"?

error: `retires` is no key of `[mail]`
 --> site.toml:4:1
  |
4 | retires = 3
  | ^^^^^^^
  |
  = help: did you mean `retries`?

error: `name` is no key of `[mail]`
 --> site.toml:5:1
  |
5 | name = 'x'
  | ^^^^
  |
  = help: `name` is a key of `[site]`

error: 4 problems in site.toml"
    );
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Patience {
    #[expect(dead_code, reason = "it is never read from a site file")]
    wait: Option<Duration>,
}

impl Section for Patience {}

#[test]
fn a_duration_in_a_section_of_a_program_is_answered_with_the_type_that_reads_one() {
    let file = SiteFile::from_text("site.toml", "[patience]\nwait = \"5s\"\n", &[]).unwrap();
    assert_eq!(
        file.section::<Patience>("patience").unwrap_err().to_string(),
        "\
error: `patience.wait` cannot be read: its type in the program is `Duration`
 --> site.toml:2:8
  |
2 | wait = \"5s\"
  |        ^^^^
  |
  = help: make it a `sitebus::site::Period` there, which reads \"5s\" and \"1m30s\""
    );
}

#[test]
fn two_owners_of_one_section_are_refused() {
    let mut known = known();
    let said = known.section::<Mail>("http").unwrap_err().to_string();
    assert_eq!(said, "the section [http] already has an owner; choose another name for one of the two");
}

#[test]
fn a_site_without_routes_is_a_mistake_unless_the_program_says_otherwise() {
    let folder = folder();
    let said = "\
error: the site has no routes, so it would serve nothing
--> site.toml
help: add one, for example
      [[route]]
      path = \"/\"
      static = \"public\"";
    assert_eq!(complaint(folder.path(), "", &[]), said);
    assert_eq!(complaint(folder.path(), "# nothing yet\n", &[]), said);
    let mut known = known();
    known.needs_routes(false);
    let empty = SiteFile::from_text("site.toml", "", &[]).unwrap();
    assert!(known.check(&empty).is_ok());
}

#[test]
fn a_program_without_applications_says_that_they_need_a_program_of_ones_own() {
    let file = SiteFile::from_text("/x/site.toml", "[[route]]\npath = '/'\napp = 'blog'\n", &[]).unwrap();
    let said = Known::new().check(&file).unwrap_err().to_string();
    assert!(said.contains("it has none at all: applications are mounted by a program of your own"), "{said}");
}

#[test]
fn the_first_site_and_the_example_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let first = written_first_site(folder.path(), "sitebus", &Known::new());
    // What stands behind # in the first site is right too. `app` is known here, `api` is its name there.
    let keys = |line: &str| line.starts_with("# ") && line.contains(" = ") || line.starts_with("# [");
    let bare: Vec<&str> = first
        .lines()
        .map(|line| if keys(line) { &line[2..] } else { line })
        .filter(|line| !line.contains("`"))
        .collect();
    let all = SiteFile::from_text(folder.path().join("site.toml"), &bare.join("\n"), &[]);
    let mut known = known();
    known.app("api");
    known.check(&all.unwrap()).unwrap();

    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hello/site.toml");
    if example.exists() {
        Known::new().check(&SiteFile::read(example, &[]).unwrap()).unwrap();
    }
}

/// The text of the site file, which has passed the check.
fn written_first_site(folder: &std::path::Path, program: &str, known: &Known) -> String {
    for file in first_site(program, known) {
        let path = folder.join(file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.text).unwrap();
    }
    known.check(&SiteFile::read(folder.join("site.toml"), &[]).unwrap()).unwrap();
    std::fs::read_to_string(folder.join("site.toml")).unwrap()
}

#[test]
fn the_first_site_of_a_program_of_ones_own_names_it_and_mounts_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut known = Known::new();
    for app in ["shop", "old", "a \"quoted\"\none", ""] {
        known.app(app);
    }
    let first = written_first_site(folder.path(), "my\nshop", &known);
    assert!(first.contains("#     my?shop check  ") && !first.contains("sitebus check"), "{first}");
    assert!(first.contains("[[route]]\npath = \"/shop\"\napp = \"shop\"\n"), "{first}");
    let routes = SiteFile::read(folder.path().join("site.toml"), &[]).unwrap();
    let routes = routes.section::<RouteSections>("route").unwrap().unwrap();
    let apps = routes.list().iter().filter_map(|route| Some((&**route.path, &**route.app.as_deref()?)));
    let apps: Vec<(&str, &str)> = apps.collect();
    assert_eq!(apps, [("/shop", "shop"), ("/app-2", "old"), ("/app-3", "a \"quoted\"\none"), ("/app-4", "")]);
}

#[test]
fn a_complaint_may_come_later_and_still_points_into_the_file() {
    let folder = folder();
    let file = check(folder.path(), &format!("[site]\nname = \"shop\"\n{ROUTE}"), &[]).unwrap();
    let site = file.section::<SiteSection>("site").unwrap().unwrap();
    let mut problem = Problem::new(site.name.as_ref().unwrap(), "the name is taken");
    problem.help("stop the other site");
    let report = file.complain(problem);
    assert_eq!(
        shown(&report.to_string(), folder.path()),
        "\
error: the name is taken
 --> site.toml:2:8
  |
2 | name = \"shop\"
  |        ^^^^^^
  |
  = help: stop the other site"
    );
}
