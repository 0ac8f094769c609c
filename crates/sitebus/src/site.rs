//! The site file: what a site is, in one TOML text.
//!
//! [`SiteFile::read`] takes the file and what the command line puts over it; [`Known`] is the list of sections and
//! mounted applications that the program knows, and says everything that is wrong with a file at once;
//! [`SiteFile::section`] gives a plugin its own section as the plugin's own type. A type joins by [`Section`]. All
//! complaints are a [`Report`]: file, line, caret and cure.
//!
//! ```
//! use serde::Deserialize;
//! use sitebus::site::{Check, Known, Section, SiteFile, Spanned};
//!
//! /// `[mail] from = "shop@example.com"`
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Mail {
//!     from: Spanned<String>,
//! }
//!
//! impl Section for Mail {
//!     fn check(&self, check: &mut Check<'_>) {
//!         if !self.from.contains('@') {
//!             check.problem(&self.from, "this is no address of mail").help("write it like `shop@example.com`");
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # std::fs::write(folder.path().join("site.toml"), "[mail]\nfrom = 'a@b'\n[[route]]\npath = '/a'\nredirect = '/b'")?;
//! # let path = folder.path().join("site.toml");
//! let mut known = Known::new();
//! known.section::<Mail>("mail")?;
//! let file = SiteFile::read(path, &[])?;
//! known.check(&file)?;
//! let mail = file.section::<Mail>("mail")?;
//! assert_eq!(mail.map(|mail| mail.from.to_string()).as_deref(), Some("a@b"));
//! # Ok(()) }
//! ```

mod check;
mod explain;
mod file;
mod init;
mod known;
mod names;
mod overrides;
mod problem;
mod read;
mod report;
mod schema;
mod section;
mod sections;
mod shape;
mod source;
mod span;
mod syntax;
mod tree;
mod units;
mod which;
mod words;

#[cfg(test)]
mod tests;

pub use check::Check;
pub use file::SiteFile;
pub(crate) use init::{FirstFile, first_site};
pub use known::{Known, NameTaken};
pub use problem::Problem;
pub use report::Report;
pub use section::Section;
pub use sections::autoreload::AutoreloadSection;
pub use sections::daemon::DaemonSection;
pub use sections::http::HttpSection;
pub use sections::log::LogSection;
pub use sections::pidfile::PidfileSection;
pub use sections::privileges::PrivilegesSection;
pub use sections::route::{RedirectSection, RespondSection, RouteSection, RouteSections};
pub use sections::signals::SignalsSection;
pub use sections::site::SiteSection;
pub use sections::systemd::SystemdSection;
pub use span::{Span, Spanned};
pub use units::{Mode, Period, Size};
pub(crate) use which::WhichSite;
