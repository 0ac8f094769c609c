//! What can be wrong with the `[[route]]`s of a site, beyond their types.

use std::io;
use std::path::{Path, PathBuf};

use super::route::{RouteSection, RouteSections};
use crate::front::{App, Fault, Moved, RouteError, Routes};
use crate::site::check::nearest_entry;
use crate::site::names::{list, nearest};
use crate::site::{Check, Section, Span, Spanned};

impl Section for RouteSections {
    const REPEATED: bool = true;

    fn check(&self, check: &mut Check<'_>) {
        let (routes, kept) = with_one_answer(self, check);
        if let Err(errors) = routes.build() {
            for error in errors.list() {
                explain(check, &kept, error);
            }
        }
    }
}

/// The routes that have one answer, and which they are; the others are complained about.
fn with_one_answer<'r>(
    sections: &'r RouteSections,
    check: &mut Check<'_>,
) -> (Routes, Vec<&'r Spanned<RouteSection>>) {
    let folder = check.folder().to_owned();
    let mut routes = Routes::new();
    let mut kept = Vec::new();
    for route in sections.list() {
        check_answers(check, route);
        check_app(check, route);
        check_redirect_status(check, route);
        check_site_file(check, route);
        if let Some(kind) = route.kind(&folder, &|_| Some(App::absent())) {
            routes = routes.route(route.path.as_str(), kind);
            kept.push(route);
        }
    }
    (routes, kept)
}

/// A folder that holds the site file would show it to everybody, with whatever secrets are in it.
fn check_site_file(check: &mut Check<'_>, route: &Spanned<RouteSection>) {
    let Some(written) = &route.folder else { return };
    let folder = check.path(&**written).canonicalize();
    if folder.is_ok_and(|folder| check.folder().canonicalize().is_ok_and(|site| site.starts_with(folder))) {
        check
            .problem(
                written,
                format!("`{}` holds the site file, which everybody could read then", written.display()),
            )
            .help("put what is to be served into a folder of its own, such as `public`");
    }
}

fn check_answers(check: &mut Check<'_>, route: &Spanned<RouteSection>) {
    let kinds = [
        ("static", route.folder.as_ref().map(Span::from)),
        ("respond", route.respond.as_ref().map(Span::from)),
        ("redirect", route.redirect.as_ref().map(Span::from)),
        ("app", route.app.as_ref().map(Span::from)),
    ];
    let mut given: Vec<(&str, Span)> =
        kinds.iter().filter_map(|(name, span)| Some((*name, (*span)?))).collect();
    given.sort_by_key(|(_, span)| (span.start, span.end));
    match &given[..] {
        [] => {
            check
                .problem(route, "this route has no answer")
                .help("give it one of `static`, `respond`, `redirect` and `app`");
        }
        [_] => {}
        [(first, at), rest @ ..] => {
            for (second, also) in rest {
                check
                    .problem(
                        *also,
                        format!("a route has one answer, and this one has `{first}` and `{second}`"),
                    )
                    .note(*at, "one")
                    .label("and another")
                    .help("make them two routes with two paths, or remove one");
            }
        }
    }
}

fn check_app(check: &mut Check<'_>, route: &RouteSection) {
    let (Some(name), Some(apps)) = (&route.app, check.apps()) else { return };
    if apps.iter().any(|app| *app == **name) {
        return;
    }
    let problem = check.problem(name, format!("the program has no application `{}`", **name));
    match nearest(name, apps.iter().map(String::as_str)) {
        Some(meant) => problem.help(format!("did you mean `{meant}`?")),
        None if apps.is_empty() => {
            problem.help("it has none at all: applications are mounted by a program of your own")
        }
        None => problem.help(format!("its applications are {}", list(apps))),
    };
}

fn check_redirect_status(check: &mut Check<'_>, route: &RouteSection) {
    let status = route.redirect.as_ref().and_then(|redirect| redirect.status.as_ref());
    if let Some(status) = status
        && Moved::from_status(**status).is_none()
    {
        check
            .problem(status, format!("`{}` is no status of a redirect", **status))
            .help("choose 307 (for now) or 308 (for ever); 301, 302 and 303 are allowed too");
    }
}
/// What the front says about a route, at the place in the file that it is about.
fn explain(check: &mut Check<'_>, routes: &[&Spanned<RouteSection>], error: &RouteError) {
    let Some(route) = routes.get(error.index()) else { return };
    let fault = error.fault();
    match fault {
        Fault::Twice { first, .. } => {
            let problem = check.problem(&route.path, format!("two routes have the path `{}`", *route.path));
            if let Some(first) = routes.get(*first) {
                problem.note(&first.path, "first here");
            }
            problem.help(fault.cure());
        }
        Fault::Folder { folder, source } => {
            if let Some(written) = &route.folder {
                bad_folder(check, written, folder, source, fault);
            }
        }
        Fault::ContentType { content_type: written }
        | Fault::Target { target: written, .. }
        | Fault::Loop { target: written } => {
            let said = fault.to_string().replace(&format!("{written:?}"), &format!("`{written}`"));
            check.problem(span_of(route, fault), said).help(fault.cure());
        }
        _ => {
            check.problem(span_of(route, fault), fault.to_string()).help(fault.cure());
        }
    }
}

fn span_of(route: &RouteSection, fault: &Fault) -> Span {
    let respond = route.respond.as_ref();
    let span = match fault {
        Fault::Status { .. } | Fault::StatusIsRedirect { .. } => {
            respond.and_then(|respond| respond.status.as_ref()).map(Span::from)
        }
        Fault::BodyNotAllowed { .. } => respond.and_then(|respond| respond.body.as_ref()).map(Span::from),
        Fault::ContentType { .. } => {
            respond.and_then(|respond| respond.content_type.as_ref()).map(Span::from)
        }
        Fault::Target { .. } | Fault::Loop { .. } => route.redirect.as_ref().map(Span::from),
        _ => None,
    };
    span.unwrap_or_else(|| route.path.span())
}

fn bad_folder(
    check: &mut Check<'_>,
    written: &Spanned<PathBuf>,
    folder: &Path,
    source: &io::Error,
    fault: &Fault,
) {
    let shown = written.display();
    let missing = source.kind() == io::ErrorKind::NotFound;
    let message = match source.kind() {
        io::ErrorKind::NotFound => format!("there is no folder `{shown}`"),
        io::ErrorKind::NotADirectory => format!("`{shown}` is a file, not a folder"),
        io::ErrorKind::PermissionDenied => format!("the folder `{shown}` may not be read"),
        _ => format!("the folder `{shown}` cannot be served: {source}"),
    };
    let meant = nearest_entry(folder).filter(|_| missing);
    let from = check.folder().display().to_string();
    let problem = check.problem(written, message);
    match meant {
        Some(name) => problem.help(format!("did you mean `{}`?", written.with_file_name(name).display())),
        None if missing && written.is_relative() => {
            problem.help(format!("create it, or correct the name; it counts from `{from}`"))
        }
        None => problem.help(fault.cure()),
    };
}
