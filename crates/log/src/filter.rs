//! Which lines are written: a level for each source, in the words of `RUST_LOG`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use sitebus_os::names::nearest;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter, Targets};

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Which lines are written. `info,http=debug,hyper=off`: a level for whoever is not named, and levels for those whose name
/// begins so.
///
/// A line of the bus counts under its source (the name of the bus or of a plugin), an event of `tracing` under its target
/// (the module that it comes from); of several that fit, the longest counts. Without a level for the rest, the rest is not
/// written. The syntax is that of `RUST_LOG`, with its selection by spans and their fields: `warn,[request{path=/login}]=debug`.
#[derive(Clone)]
pub struct Filter(Arc<Parsed>);

struct Parsed {
    text: String,
    sources: Targets,
    directives: Vec<Directive>,
}

/// A filter that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a filter of the log: {}, at column {}: {}", self.what(), self.column(), self.cure())]
#[non_exhaustive]
pub struct FilterError {
    /// What was given.
    pub text: String,
    /// The bytes of it that are wrong.
    pub span: Range<usize>,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Empty,
    NoLevel,
    Level,
    Directive,
}

impl Filter {
    /// What the environment asks for in `RUST_LOG`; `None` if it asks for nothing.
    ///
    /// # Errors
    /// It asks for something that is not understood.
    pub fn from_env() -> Result<Option<Filter>, FilterError> {
        let asked = std::env::var_os("RUST_LOG").unwrap_or_default();
        let asked = asked.to_string_lossy();
        if asked.trim().is_empty() { Ok(None) } else { asked.parse().map(Some) }
    }

    /// Whether a line of this source and level is written.
    pub(crate) fn passes(&self, source: &str, level: Level) -> bool {
        self.0.sources.would_enable(source, &level)
    }

    /// The same for events of `tracing`, which may be chosen by their spans too.
    pub(crate) fn for_events(&self) -> EnvFilter {
        // What is not named is not written; the default of this type is to write errors.
        let none = EnvFilter::default().add_directive(LevelFilter::OFF.into());
        self.0.directives.iter().cloned().fold(none, EnvFilter::add_directive)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        let wrong = |span, fault| FilterError { text: text.to_owned(), span, fault };
        let (mut sources, mut directives) = (Targets::new(), Vec::new());
        for span in parts(text) {
            let part = &text[span.clone()];
            let directive = part.parse().map_err(|_| wrong(at_fault(text, &span), fault(part)))?;
            match part.split_once('=') {
                _ if part.contains('[') => {}
                Some((source, level)) => {
                    let level: LevelFilter =
                        level.parse().map_err(|_| wrong(at_fault(text, &span), Fault::Level))?;
                    if part.ends_with('=') {
                        return Err(wrong(span, Fault::NoLevel));
                    }
                    sources = sources.with_target(source, level);
                }
                None => match part.parse::<LevelFilter>() {
                    Ok(level) => sources = sources.with_default(level),
                    // It would be taken for the name of a source, and everything else be switched off.
                    Err(_) if nearest(part, LEVELS).is_some() => return Err(wrong(span, Fault::Level)),
                    Err(_) => sources = sources.with_target(part, LevelFilter::TRACE),
                },
            }
            directives.push(directive);
        }
        if directives.is_empty() {
            return Err(wrong(0..text.len(), Fault::Empty));
        }
        Ok(Filter(Arc::new(Parsed { text: text.to_owned(), sources, directives })))
    }
}

/// The parts between commas, without the spaces round them; a comma between the fields of a span divides nothing.
fn parts(text: &str) -> Vec<Range<usize>> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0_u32);
    for (index, c) in text.char_indices().chain([(text.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 || index == text.len() => {
                let part = &text[begin..index];
                let start = begin + part.len() - part.trim_start().len();
                parts.push(start..start + part.trim().len());
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn fault(part: &str) -> Fault {
    let level = part.rsplit_once('=').filter(|(source, _)| !source.is_empty() && !part.contains(['{', '[']));
    if level.is_some() { Fault::Level } else { Fault::Directive }
}

/// Where in the part it is wrong: at the level, if that is what is wrong.
fn at_fault(text: &str, part: &Range<usize>) -> Range<usize> {
    match (fault(&text[part.clone()]), text[part.clone()].rfind('=')) {
        (Fault::Level, Some(equals)) => part.start + equals + 1..part.end,
        _ => part.clone(),
    }
}

impl FilterError {
    /// What is wrong, without the cure.
    #[must_use]
    pub fn what(&self) -> String {
        let part = self.text.get(self.span.clone()).unwrap_or_default();
        match self.fault {
            Fault::Empty => "it is empty".to_owned(),
            Fault::NoLevel => format!("{part:?} has no level"),
            Fault::Level => format!("{part:?} is not a level"),
            Fault::Directive => format!("{part:?} is not understood"),
        }
    }

    /// What to write instead.
    #[must_use]
    pub fn cure(&self) -> String {
        let part = self.text.get(self.span.clone()).unwrap_or_default();
        match (self.fault, nearest(part, LEVELS)) {
            (Fault::Level, Some(level)) => format!("did you mean \"{level}\"?"),
            (Fault::Directive, _) => "write such as \"info,http=debug\"".to_owned(),
            _ => format!("a level is one of {}", LEVELS.join(", ")),
        }
    }

    fn column(&self) -> usize {
        self.text.get(..self.span.start).unwrap_or_default().chars().count() + 1
    }
}

impl Default for Filter {
    fn default() -> Filter {
        let sources = Targets::new().with_default(LevelFilter::INFO);
        let directives = vec![LevelFilter::INFO.into()];
        Filter(Arc::new(Parsed { text: "info".to_owned(), sources, directives }))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.0.text).finish()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Filter {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn filter(text: &str) -> Filter {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_name_that_fits_counts_and_the_rest_has_the_level_without_a_name() {
        let chosen = filter(" warn , http=debug,http.access=off,site file=info");
        assert!(chosen.passes("http", Level::DEBUG) && !chosen.passes("http", Level::TRACE));
        assert!(!chosen.passes("http.access", Level::ERROR));
        assert!(chosen.passes("site file", Level::INFO));
        assert!(chosen.passes("signals", Level::WARN) && !chosen.passes("signals", Level::INFO));
        assert!(!filter("http=debug").passes("signals", Level::ERROR));
        assert!(filter("http").passes("http", Level::TRACE));
        assert!(
            Filter::default().passes("http", Level::INFO) && !Filter::default().passes("http", Level::DEBUG)
        );
        assert_eq!(Filter::default(), filter("info"));
    }

    #[test]
    fn spans_and_their_fields_are_understood_with_commas_between_them() {
        let chosen = filter("warn,[request{path=/,method=GET}]=debug");
        let understood = chosen.for_events().to_string();
        assert!(understood.contains("path=/") && understood.contains("method=GET"), "{understood}");
        assert!(!chosen.passes("http", Level::INFO));
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place_and_its_cure() {
        let wrong = |text: &str| text.parse::<Filter>().unwrap_err();
        let error = wrong("info, http=inof");
        assert_eq!(&error.text[error.span.clone()], "inof");
        assert_eq!(
            error.to_string(),
            "\"info, http=inof\" is not a filter of the log: \"inof\" is not a level, at column 12: did you mean \"info\"?"
        );
        assert!(wrong("inof").to_string().contains("did you mean \"info\"?"));
        assert!(
            wrong("http=7").to_string().ends_with("a level is one of off, error, warn, info, debug, trace")
        );
        assert_eq!(
            wrong("é,http=").to_string().split(": ").nth(1),
            Some("\"http=\" has no level, at column 3")
        );
        for text in ["", " ", ",", "===,[[", "[a{}]=info", "info,=debug", "http=debug=info", "\u{1b}"] {
            let error = wrong(text);
            assert!(error.text.get(error.span.clone()).is_some(), "{error}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }
}
