//! The first site of a newcomer.

use std::fmt::Write;

use super::known::Known;

/// A file of the first site.
pub(crate) struct FirstFile {
    /// Where it belongs, counted from the folder of the site.
    pub(crate) path: &'static str,
    /// What is in it.
    pub(crate) text: String,
}

/// Where the program of the reader stands in the site file.
const PROGRAM: &str = "{program}";
/// Where the routes of its applications stand.
const APPS: &str = "{apps}\n";
/// Paths that are taken already.
const TAKEN: [&str; 2] = ["health", "old"];

const EXAMPLE: &str = "\
# An application that a program of your own mounts by its name.
# [[route]]
# path = \"/api\"
# app = \"api\"
";

/// What `init` writes: a site file with comments that mounts what the program has, and one page. Together they pass
/// `check`.
pub(crate) fn first_site(program: &str, known: &Known) -> [FirstFile; 2] {
    // The name stands in a comment, which a line break would end.
    let program: String = program.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let site = include_str!("init/site.toml").replace(PROGRAM, &program).replace(APPS, &routes(known.apps()));
    [
        FirstFile { path: "site.toml", text: site },
        FirstFile { path: "public/index.html", text: include_str!("init/index.html").to_owned() },
    ]
}

fn routes(apps: &[String]) -> String {
    if apps.is_empty() {
        return EXAMPLE.to_owned();
    }
    let mut routes = "# The applications of this program.\n".to_owned();
    for (index, app) in apps.iter().enumerate() {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let is_path = !app.is_empty() && app.chars().all(plain) && !TAKEN.contains(&app.as_str());
        let path = if is_path { app.clone() } else { format!("app-{}", index + 1) };
        let name = toml::Value::from(app.as_str());
        let gap = if index == 0 { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = write!(routes, "{gap}[[route]]\npath = \"/{path}\"\napp = {name}\n");
    }
    routes
}
