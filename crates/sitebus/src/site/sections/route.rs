//! `[[route]]`

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::front::{App, Files, Kind, Moved, Redirect, Respond, Routes};
use crate::site::Spanned;

/// All the `[[route]]`s of a site.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct RouteSections(Vec<Spanned<RouteSection>>);

/// `[[route]]`: a path, and exactly one answer for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RouteSection {
    /// The path. Files and applications answer for it and all below it, responses and redirects too if it ends
    /// with `/`.
    pub path: Spanned<String>,
    /// A folder of files.
    #[serde(rename = "static")]
    pub folder: Option<Spanned<PathBuf>>,
    /// A fixed response.
    pub respond: Option<Spanned<RespondSection>>,
    /// Somewhere else.
    pub redirect: Option<Spanned<RedirectSection>>,
    /// The name of an application that the program mounts.
    pub app: Option<Spanned<String>>,
}

/// `respond = { status = 503, type = "text/html; charset=utf-8", body = "…" }`, all of them optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RespondSection {
    /// The status, 200 unless it is given.
    pub status: Option<Spanned<u16>>,
    /// The media type, `text/plain; charset=utf-8` unless it is given.
    #[serde(rename = "type")]
    pub content_type: Option<Spanned<String>>,
    /// The body, the name of the status unless it is given.
    pub body: Option<Spanned<String>>,
}

/// `redirect = "/new/"`, or `redirect = { to = "/new/", status = 308 }`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedirectSection {
    /// A path of this site, or a whole address.
    pub to: String,
    /// 301, 302, 303, 307 or 308; 307 unless it is given.
    pub status: Option<Spanned<u16>>,
}

impl RouteSections {
    /// The routes, in the order of the file.
    pub fn list(&self) -> &[Spanned<RouteSection>] {
        &self.0
    }

    /// The routes as settings of the front. Relative folders count from `folder`; `app` gives the applications by
    /// name, and a route of an unknown one is left out. After [`Known::check`](crate::site::Known::check) there is none.
    pub fn routes(&self, folder: &Path, app: impl Fn(&str) -> Option<App>) -> Routes {
        let kinds = self.0.iter().filter_map(|route| Some((route, route.kind(folder, &app)?)));
        kinds.fold(Routes::new(), |routes, (route, kind)| routes.route(route.path.as_str(), kind))
    }
}

impl RouteSection {
    /// `None` if there is not exactly one answer.
    pub(super) fn kind(&self, folder: &Path, app: &impl Fn(&str) -> Option<App>) -> Option<Kind> {
        match (&self.folder, &self.respond, &self.redirect, &self.app) {
            (Some(files), None, None, None) => Some(Files::new(folder.join(&**files)).into()),
            (None, Some(respond), None, None) => Some(respond.settings().into()),
            (None, None, Some(redirect), None) => Some(redirect.settings().into()),
            (None, None, None, Some(name)) => app(name).map(Kind::from),
            _ => None,
        }
    }
}

impl RespondSection {
    fn settings(&self) -> Respond {
        let mut respond = Respond::status(self.status.as_ref().map_or(200, |status| **status));
        if let Some(content_type) = &self.content_type {
            respond = respond.content_type(content_type.as_str());
        }
        match &self.body {
            Some(body) => respond.body(body.to_string()),
            None => respond,
        }
    }
}

impl RedirectSection {
    fn settings(&self) -> Redirect {
        let moved = self.status.as_ref().and_then(|status| Moved::from_status(**status)).unwrap_or_default();
        Redirect::to(self.to.as_str()).moved(moved)
    }
}

impl<'de> Deserialize<'de> for RedirectSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RedirectSection, D::Error> {
        deserializer.deserialize_any(RedirectVisitor)
    }
}

struct RedirectVisitor;

impl<'de> Visitor<'de> for RedirectVisitor {
    type Value = RedirectSection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target such as \"/new/\", or { to = \"/new/\", status = 308 }")
    }

    fn visit_str<E: Error>(self, to: &str) -> Result<RedirectSection, E> {
        Ok(RedirectSection { to: to.to_owned(), status: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RedirectSection, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            to: String,
            status: Option<Spanned<u16>>,
        }
        let Long { to, status } = Long::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RedirectSection { to, status })
    }
}
