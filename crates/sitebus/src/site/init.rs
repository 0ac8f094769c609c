//! The first site of a newcomer.

/// A file of the first site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirstFile {
    /// Where it belongs, counted from the folder of the site.
    pub path: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// What `sitebus init` writes: a site file with comments, and one page. Together they pass `sitebus check`.
pub const FIRST_SITE: [FirstFile; 2] = [
    FirstFile { path: "site.toml", text: include_str!("init/site.toml") },
    FirstFile { path: "public/index.html", text: include_str!("init/index.html") },
];
