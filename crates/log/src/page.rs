//! What a target makes of a line.

use std::env;
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use tracing::Level;

use crate::human::{self, Tame};
use crate::json;
use crate::line::Line;
use crate::settings::Format;
use crate::stderr::Stderr;

/// How lines look that go to one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) format: Format,
    pub(crate) dress: Dress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dress {
    Plain,
    Colours,
    /// Each line begins with its priority: sd-daemon(3).
    Journal,
}

impl Page {
    pub(crate) fn of_file(format: Format) -> Page {
        Page { format, dress: Dress::Plain }
    }

    /// Looks where standard error leads to, now: leaving the terminal changes that.
    pub(crate) fn of_stderr(format: Format) -> Page {
        let dress = if leads_to_journal() {
            Dress::Journal
        } else if AutoStream::choice(&io::stderr()) != ColorChoice::Never {
            // As for everything else that is printed: `NO_COLOR`, `CLICOLOR_FORCE` and `TERM` are heeded.
            Dress::Colours
        } else {
            Dress::Plain
        };
        Page { format, dress }
    }

    pub(crate) fn write(&self, line: &Line<'_>) -> String {
        match (self.format, self.dress) {
            (Format::Human, dress) => human::write(line, dress),
            (Format::Json, Dress::Journal) => {
                format!("<{}>{}", human::priority(line.level), json::write(line))
            }
            (Format::Json, _) => json::write(line),
        }
    }

    /// Stands where lines were lost.
    pub(crate) fn missing(&self, lost: u64, why: &str) -> String {
        let text = format!("{lost} lines are missing here: {why}");
        match (self.format, self.dress) {
            (Format::Human, Dress::Plain | Dress::Colours) => format!("{text}\n"),
            _ => self.write(&Line::new(Level::WARN, "log", &text)),
        }
    }
}

/// `JOURNAL_STREAM` names the stream that the journal gave to whoever was started: ours may lead elsewhere by now
/// (systemd.exec(5)).
fn leads_to_journal() -> bool {
    let given = env::var("JOURNAL_STREAM").unwrap_or_default();
    let stream = given.split_once(':').and_then(|(dev, ino)| Some((dev.parse().ok()?, ino.parse().ok()?)));
    stream.is_some() && stream == metadata_of_stderr().map(|file| (file.dev(), file.ino()))
}

pub(crate) fn metadata_of_stderr() -> Option<Metadata> {
    let stderr = io::stderr().as_fd().try_clone_to_owned().ok()?;
    File::from(stderr).metadata().ok()
}

/// Says on standard error why a program ends: `error: …`, in the manner of the log's own lines, and like them without waiting
/// for a reader that fell behind. For `main`, after whatever the log has said.
pub fn report(error: &dyn fmt::Display) {
    let error = error.to_string();
    let line = match Page::of_stderr(Format::Human).dress {
        Dress::Journal => {
            let level = Level::ERROR;
            format!("<{}>error: {}\n", human::priority(level), Tame { said: &error, level: Some(level) })
        }
        dress => {
            let style = if dress == Dress::Colours { human::style(Level::ERROR) } else { Style::new() };
            format!("{style}error{style:#}: {}\n", Tame { said: &error, level: None })
        }
    };
    let _ = Stderr::default().put(line.as_bytes(), true); // there is nowhere left to say so
}
