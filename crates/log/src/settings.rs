//! Where lines go, how they look, and which of them are written.

use std::path::PathBuf;

use crate::filter::Filter;

/// What a [`Log`](crate::Log) does. All of it may change while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Where lines go: each to all of them. Default: people's lines on standard error. With none, nothing is written.
    pub to: Vec<Target>,
    /// Which lines are written. Default `info`.
    pub filter: Filter,
    /// How many bytes of lines wait for a file that does not take them, because its disk is full or slow. What comes beyond
    /// that is lost, and counted. For each file; default 1 MiB.
    pub buffer: usize,
    /// To whom files are given that have to be made, user and group by their numbers: for a process that becomes that user
    /// later, and could not open its own log again otherwise. Default: they belong to whoever makes them.
    pub owner: Option<(u32, u32)>,
}

/// Somewhere that lines go to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// Standard error. It has colours on a terminal, and the prefixes that the journal of systemd understands where it leads
    /// there (`JOURNAL_STREAM`, systemd.exec(5)).
    StandardError(Format),
    /// A file: opened for appending, made with mode 0640 (less what the umask takes) if there is none. A path that does not
    /// begin at the root is taken from the folder that the process is in when the log is made.
    File(PathBuf, Format),
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// For people: `2026-11-21T08:15:30.123456Z  INFO http: listening on http://127.0.0.1:8080`.
    #[default]
    Human,
    /// For programs: a JSON object a line, with `ts` (RFC 3339, UTC), `level` (`error`, `warn`, `info`, `debug` or `trace`),
    /// `source` and `message`, and where there are any `fields`, an object, and `spans`, a list of objects, outermost first.
    Json,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            to: vec![Target::StandardError(Format::Human)],
            filter: Filter::default(),
            buffer: 1024 * 1024,
            owner: None,
        }
    }
}

impl Target {
    /// A file with lines for people.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Target {
        Target::File(path.into(), Format::Human)
    }

    /// The same place, in this format.
    #[must_use]
    pub fn in_format(self, format: Format) -> Target {
        match self {
            Target::StandardError(_) => Target::StandardError(format),
            Target::File(path, _) => Target::File(path, format),
        }
    }
}
