//! What can be wrong with routes, said with the route's path and the cure.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// All that is wrong with a list of routes, in their order.
#[derive(Debug)]
pub struct RouteErrors(Vec<RouteError>);

impl RouteErrors {
    pub(crate) fn new(errors: Vec<RouteError>) -> RouteErrors {
        RouteErrors(errors)
    }

    /// The errors, at least one.
    #[must_use]
    pub fn list(&self) -> &[RouteError] {
        &self.0
    }
}

impl fmt::Display for RouteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let end = if index + 1 == self.0.len() { "" } else { "\n" };
            write!(f, "{error}{end}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RouteErrors {}

/// One route that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("route {path:?}: {fault}; {}", .fault.cure())]
pub struct RouteError {
    pub(crate) index: usize,
    pub(crate) path: String,
    pub(crate) fault: Fault,
}

impl RouteError {
    /// The place of the route in the list, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The path of the route, as it was given.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// What is wrong with a route.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The path of the route cannot be the path of a request.
    #[error("the path {why}")]
    Path {
        /// Why.
        why: PathFault,
    },
    /// Another route has the same path.
    #[error("the path is taken by route {path:?}, number {} of the list", .first + 1)]
    Twice {
        /// The place of the other route in the list, from 0.
        first: usize,
        /// The path of the other route, as it was given.
        path: String,
    },
    /// The folder is missing, is no folder, or may not be read.
    #[error("the folder {folder:?} cannot be served: {}", describe(.source))]
    Folder {
        /// The folder, as it was given.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The status is no status of a final answer.
    #[error("{status} is no status that a response can end with")]
    Status {
        /// The status.
        status: u16,
    },
    /// The status is one of a redirect.
    #[error("{status} is the status of a redirect")]
    StatusIsRedirect {
        /// The status.
        status: u16,
    },
    /// Answers of this status have no body.
    #[error("a response of status {status} has no body")]
    BodyNotAllowed {
        /// The status.
        status: u16,
    },
    /// The media type cannot be sent.
    #[error("{content_type:?} is no media type")]
    ContentType {
        /// The media type, as it was given.
        content_type: String,
    },
    /// The target of the redirect cannot be reached.
    #[error("the target {target:?} {why}")]
    Target {
        /// The target, as it was given.
        target: String,
        /// Why.
        why: TargetFault,
    },
    /// The redirect leads back to itself.
    #[error("the redirect to {target:?} comes back to this route")]
    Loop {
        /// The target, as it was given.
        target: String,
    },
}

impl Fault {
    /// What to do about it: a sentence without its full stop.
    #[must_use]
    pub fn cure(&self) -> String {
        match self {
            Fault::Path { why } => why.cure().to_owned(),
            Fault::Twice { .. } => "remove one of the two, or give it another path".to_owned(),
            Fault::Folder { source, .. } => match source.kind() {
                io::ErrorKind::NotADirectory => "give the folder that holds the file".to_owned(),
                io::ErrorKind::PermissionDenied => "let the user of the site read it".to_owned(),
                _ => "create it, or correct the name".to_owned(),
            },
            Fault::Status { .. } => "choose one from 200 to 599".to_owned(),
            Fault::StatusIsRedirect { .. } => "make the route a redirect".to_owned(),
            Fault::BodyNotAllowed { .. } => "remove the body, or use status 200".to_owned(),
            Fault::ContentType { .. } => "write it like `text/html; charset=utf-8`".to_owned(),
            Fault::Target { why, .. } => why.cure().to_owned(),
            Fault::Loop { .. } => "send it to a path that another route answers".to_owned(),
        }
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::NotADirectory => "it is a file".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    }
}

/// Why the path of a route cannot be the path of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// It does not begin with `/`.
    #[error("does not begin with `/`")]
    NoSlash,
    /// It has a query or a fragment.
    #[error("has a `?` or a `#`")]
    QueryOrFragment,
    /// It has a `.` or `..` segment.
    #[error("has a `.` or `..` segment")]
    DotSegment,
    /// It has two slashes in a row.
    #[error("has an empty segment")]
    EmptySegment,
    /// It has an encoded slash, a backslash or a control character.
    #[error("has an encoded slash, a backslash or a control character")]
    Odd,
    /// It has a `*` segment or a segment in braces.
    #[error("has a pattern, and routes are plain paths")]
    Pattern,
}

impl PathFault {
    fn cure(self) -> &'static str {
        match self {
            PathFault::NoSlash => "put a `/` before it",
            PathFault::QueryOrFragment => "give the path alone; routes do not look at queries",
            PathFault::DotSegment => "write the path that is meant",
            PathFault::EmptySegment => "write one slash",
            PathFault::Odd => "use a path without them",
            PathFault::Pattern => "end the path with `/` to match all below it",
        }
    }
}

/// Why the target of a redirect cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetFault {
    /// It is neither a path from the root nor a whole address.
    #[error("is neither a path nor an address")]
    Relative,
    /// It names a host but no scheme.
    #[error("names a host without a scheme")]
    NoScheme,
    /// It has a scheme but no host.
    #[error("has no valid host")]
    NoHost,
    /// It has a control character.
    #[error("has a control character")]
    Control,
}

impl TargetFault {
    fn cure(self) -> &'static str {
        match self {
            TargetFault::Relative => "begin it with `/`, `http://` or `https://`",
            TargetFault::NoScheme => "write `https:` before it",
            TargetFault::NoHost => "write it like `https://example.com/`",
            TargetFault::Control => "remove it",
        }
    }
}
