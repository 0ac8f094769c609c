//! The settings: a list of routes, and how it becomes a front.

use std::path::PathBuf;

use crate::error::RouteErrors;
use crate::table::Table;
use crate::{App, AppService, Files, Front, Redirect, Respond};

/// The routes of a site, in any order: the longest path that fits a request wins.
///
/// Files and services answer for their path and everything below it. Responses and redirects answer for exactly
/// their path, or, if it ends with `/`, for everything below it too. So `/` is always the whole site.
///
/// ```
/// use sitebus_front::{Redirect, Respond, Routes};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let front = Routes::new()
///     .files("/", folder.path())
///     .respond("/health", Respond::new("ok\n"))
///     .redirect("/old/", Redirect::to("/"))
///     .build()?;
/// # let _ = front; Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Routes {
    pub(crate) list: Vec<(String, Kind)>,
}

/// What a route does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// Serves the files of a folder.
    Files(Files),
    /// Always gives the same answer.
    Respond(Respond),
    /// Sends the client elsewhere.
    Redirect(Redirect),
    /// Passes the request to a mounted service.
    App(App),
}

impl Routes {
    /// No routes. A front without routes answers 404 to everything.
    #[must_use]
    pub fn new() -> Routes {
        Routes::default()
    }

    /// Adds a route of any kind. Its path begins with `/`; it may be written as people read it or percent-encoded.
    #[must_use]
    pub fn route(mut self, path: impl Into<String>, kind: impl Into<Kind>) -> Routes {
        self.list.push((path.into(), kind.into()));
        self
    }

    /// Serves a folder of files at `path` and below.
    #[must_use]
    pub fn files(self, path: impl Into<String>, folder: impl Into<PathBuf>) -> Routes {
        self.route(path, Files::new(folder))
    }

    /// Always gives the same answer at `path`.
    #[must_use]
    pub fn respond(self, path: impl Into<String>, respond: Respond) -> Routes {
        self.route(path, respond)
    }

    /// Redirects `path`.
    #[must_use]
    pub fn redirect(self, path: impl Into<String>, redirect: Redirect) -> Routes {
        self.route(path, redirect)
    }

    /// Mounts a service at `path` and below. The service sees the path without that prefix: mounted at `/api`, it
    /// gets `/users` for `/api/users`, and [`OriginalUri`](crate::OriginalUri) in the extensions of the request.
    #[must_use]
    pub fn service(self, path: impl Into<String>, service: impl AppService) -> Routes {
        self.route(path, App::new(service))
    }

    /// Checks all routes and makes the service.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of the routes: paths that cannot be, two routes on one path, folders that
    /// are missing or unreadable, responses and redirects that cannot be sent, redirects that come back to themselves.
    pub fn build(&self) -> Result<Front, RouteErrors> {
        Table::build(self).map(Front::new)
    }
}

impl From<Files> for Kind {
    fn from(files: Files) -> Kind {
        Kind::Files(files)
    }
}

impl From<Respond> for Kind {
    fn from(respond: Respond) -> Kind {
        Kind::Respond(respond)
    }
}

impl From<Redirect> for Kind {
    fn from(redirect: Redirect) -> Kind {
        Kind::Redirect(redirect)
    }
}

impl From<App> for Kind {
    fn from(app: App) -> Kind {
        Kind::App(app)
    }
}
