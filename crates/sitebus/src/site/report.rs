//! Complaints as a person or a program reads them. The only file that knows how the pictures are drawn.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str as tame,
};
use serde::Serialize;

use super::problem::Problem;
use super::source::{Source, Sources};

/// Nobody reads more than these, and drawing them takes time.
const MOST: usize = 100;

/// Everything that is wrong with a site file: an error with at least one [`Problem`].
///
/// [`Display`](fmt::Display) is plain text, with file, line and caret for each problem, up to 100. [`Report::print`] adds colours
/// if there is a terminal to show them. [`Report::to_json`] is for editors and other programs. [`Debug`](fmt::Debug) is
/// the plain text too, since that is what a `main` shows that returns it.
#[derive(Clone)]
pub struct Report {
    file: String,
    sources: Sources,
    problems: Vec<Problem>,
}

impl Report {
    /// Fails if there is anything to report.
    pub(super) fn unless_empty(file: &str, sources: &Sources, problems: Vec<Problem>) -> Result<(), Report> {
        if problems.is_empty() { Ok(()) } else { Err(Report::new(file, sources, problems)) }
    }

    pub(super) fn new(file: &str, sources: &Sources, mut problems: Vec<Problem>) -> Report {
        problems.sort_by_key(|problem| problem.at.map(|span| (span.start, span.end)));
        problems.dedup();
        Report { file: file.to_owned(), sources: sources.clone(), problems }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// How many problems there are.
    #[expect(clippy::len_without_is_empty, reason = "a report without problems is never made")]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// Writes it to standard error, with colours if that is a terminal that shows them (`NO_COLOR` and
    /// `CLICOLOR_FORCE` are heeded).
    ///
    /// # Errors
    ///
    /// If standard error cannot be written to.
    pub fn print(&self) -> io::Result<()> {
        writeln!(anstream::stderr(), "{}", self.render(&Renderer::styled().decor_style(DecorStyle::Ascii)))
    }

    /// A JSON array with an object `{level, file, line, column, message, help}` for each problem, up to 100.
    ///
    /// `level` is `error`, or `warning` where the file is right all the same. `line` and `column` count from 1, the column in characters; they are `null` where there is no place. `file` is
    /// `--set` for a value from the command line. `help` is `null` or a text, perhaps of several lines.
    pub fn to_json(&self) -> String {
        let entries: Vec<Entry<'_>> = self.shown().map(|problem| self.entry(problem)).collect();
        serde_json::to_string_pretty(&entries).unwrap_or_default() // maps with text keys cannot fail
    }

    fn shown(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().take(MOST)
    }

    fn entry<'a>(&'a self, problem: &'a Problem) -> Entry<'a> {
        let place = problem.at.and_then(|span| self.sources.find(span));
        let position = place.as_ref().map(|(source, range)| source.position(range.start));
        let label = if problem.label.is_empty() { String::new() } else { format!(" ({})", problem.label) };
        Entry {
            level: if problem.is_warning { "warning" } else { "error" },
            file: place.as_ref().map_or(&self.file, |(source, _)| &source.name),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            message: format!("{}{label}", problem.message),
            help: (!problem.help.is_empty()).then(|| problem.help.join("\n")),
        }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut pictures: Vec<String> = self.shown().map(|one| self.picture(renderer, one)).collect();
        if self.problems.len() > 1 {
            let rest = if self.problems.len() > MOST { ", of which these are the first" } else { "" };
            let summary = format!("{} problems in {}{rest}", self.problems.len(), self.file);
            pictures.push(renderer.render(&[Group::with_title(Level::ERROR.primary_title(summary))]));
        }
        pictures.join("\n\n")
    }

    fn picture(&self, renderer: &Renderer, problem: &Problem) -> String {
        let level = if problem.is_warning { Level::WARNING } else { Level::ERROR };
        let mut group = Group::with_title(level.primary_title(&problem.message));
        for (source, marks) in self.marks(problem) {
            group = group.element(snippet(source, &marks));
        }
        if problem.at.is_some() {
            let helps = problem.help.iter().map(|help| Level::HELP.message(tame_lines(help)));
            return renderer.render(&[group.elements(helps)]);
        }
        if !problem.message.contains(&self.file) {
            group = group.element(Origin::path(&self.file));
        }
        // Each drawn by itself: without a place, a line between them would lead from nowhere to nowhere.
        let helps = problem.help.iter().map(|help| Level::HELP.secondary_title(tame_lines(help)));
        let groups = std::iter::once(group).chain(helps.map(Group::with_title));
        groups.map(|group| renderer.render(&[group])).collect::<Vec<_>>().join("\n")
    }

    /// The places of a problem, by text, the main one first.
    fn marks<'a>(&'a self, problem: &'a Problem) -> Vec<(&'a Source, Vec<Mark<'a>>)> {
        let main = problem.at.map(|span| (AnnotationKind::Primary, span, &*problem.label));
        let notes = problem.notes.iter().map(|(span, label)| (AnnotationKind::Context, *span, &**label));
        let mut found: Vec<(&Source, Vec<Mark<'_>>)> = Vec::new();
        for (kind, span, label) in main.into_iter().chain(notes) {
            let Some((source, range)) = self.sources.find(span) else { continue };
            let mark = Mark { kind, range, label };
            match found.iter_mut().find(|(known, _)| known.base == source.base) {
                Some((_, marks)) => marks.push(mark),
                None => found.push((source, vec![mark])),
            }
        }
        found
    }
}

/// Help is drawn as it is, and may quote what somebody else has written.
fn tame_lines(help: &str) -> String {
    help.lines().map(tame).collect::<Vec<_>>().join("\n")
}

struct Mark<'a> {
    kind: AnnotationKind,
    range: Range<usize>,
    label: &'a str,
}

/// The lines from the first mark to the last; drawing a whole file for each problem would take long.
fn snippet<'a>(source: &'a Source, marks: &[Mark<'a>]) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = &*source.text;
    let first = marks.iter().map(|mark| mark.range.start).min().unwrap_or(0);
    let last = marks.iter().map(|mark| mark.range.end).max().unwrap_or(0);
    let start = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[last..].find('\n').map_or(text.len(), |newline| last + newline);
    let mut snippet = Snippet::source(&text[start..end])
        .path(&*source.name)
        .line_start(source.position(start).0)
        .fold(true);
    for mark in marks {
        let range = mark.range.start - start..mark.range.end - start;
        let label = (!mark.label.is_empty()).then_some(mark.label);
        snippet = snippet.annotation(mark.kind.span(range).label(label));
    }
    snippet
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Report {}

#[derive(Serialize)]
struct Entry<'a> {
    level: &'static str,
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    help: Option<String>,
}
