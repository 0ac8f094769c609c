//! What a command prints: tables for a reader, Markdown for the documentation, JSON for a program.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde::Serialize;

use crate::busy::Busy;
use crate::machine::Machine;
use crate::options::Options;
use crate::summary::Summary;

/// Everything that one command found.
#[derive(Serialize)]
pub struct Report {
    /// The command.
    pub bench: &'static str,
    /// How many rounds the figures are the median of; 0 if they are the same each time.
    pub rounds: usize,
    /// True if the figures mean nothing.
    pub quick: bool,
    /// What it ran on.
    pub machine: Machine,
    /// Cores that others kept busy meanwhile.
    pub cores_of_others: Option<f64>,
    /// The figures.
    pub tables: Vec<Table>,
    /// What had been promised, and whether it holds.
    pub marks: Vec<Mark>,
    /// What could not be measured, and why.
    pub left_out: Vec<String>,
}

/// Rows under columns; the first column names the row.
#[derive(Serialize)]
pub struct Table {
    /// What it shows, with the unit.
    pub title: String,
    /// The columns after the first.
    pub columns: Vec<String>,
    /// Name and cells of each row.
    pub rows: Vec<(String, Vec<Cell>)>,
}

/// One field of a table.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Not measured.
    Nothing,
    /// A figure over rounds.
    Figure(Summary),
    /// One that is the same each time.
    Count(u64),
    /// A word.
    Text(String),
}

/// A promise about a ratio, and what was measured.
#[derive(Serialize)]
pub struct Mark {
    /// Which ratio.
    pub what: String,
    /// The limit in words, such as `at most 1.25`.
    pub promise: String,
    /// Over the rounds.
    pub measured: Summary,
    /// The same program against itself.
    pub against_itself: Option<Summary>,
    /// Whether the median keeps the promise.
    pub kept: bool,
    /// Whether the median is further from the limit than that of the same program may be from itself.
    pub decided: bool,
}

impl Mark {
    /// A ratio whose median may not be above `limit`. `None` if it was not measured.
    #[must_use]
    pub fn at_most(
        limit: f64,
        what: impl Into<String>,
        measured: Option<Summary>,
        itself: Option<Summary>,
    ) -> Option<Mark> {
        Mark::new(format!("at most {limit}"), limit, what.into(), measured?, itself, |median| median <= limit)
    }

    /// A ratio whose median may not be below `limit`. `None` if it was not measured.
    #[must_use]
    pub fn at_least(
        limit: f64,
        what: impl Into<String>,
        measured: Option<Summary>,
        itself: Option<Summary>,
    ) -> Option<Mark> {
        Mark::new(format!("at least {limit}"), limit, what.into(), measured?, itself, |median| {
            median >= limit
        })
    }

    fn new(
        promise: String,
        limit: f64,
        what: String,
        measured: Summary,
        itself: Option<Summary>,
        keeps: impl Fn(f64) -> bool,
    ) -> Option<Mark> {
        let noise = itself.map_or(0.0, |itself| (itself.median - 1.0).abs() + itself.uncertainty());
        let decided = (measured.median / limit - 1.0).abs() > noise;
        Some(Mark { kept: keeps(measured.median), what, promise, measured, against_itself: itself, decided })
    }

    fn verdict(&self) -> &'static str {
        match (self.kept, self.decided) {
            (true, true) => "kept",
            (true, false) => "kept, but within the noise of this run",
            (false, true) => "MISSED",
            (false, false) => "missed, but within the noise of this run",
        }
    }
}

impl From<Option<Summary>> for Cell {
    fn from(summary: Option<Summary>) -> Cell {
        summary.map_or(Cell::Nothing, Cell::Figure)
    }
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Cell::Nothing => "-".to_owned(),
            Cell::Figure(summary) => summary.to_string(),
            Cell::Count(count) => count.to_string(),
            Cell::Text(text) => text.clone(),
        }
    }
}

impl Report {
    /// A report without figures yet.
    #[must_use]
    pub fn new(bench: &'static str, options: &Options, rounds: usize, machine: Machine) -> Report {
        let (tables, marks, left_out) = (Vec::new(), Vec::new(), Vec::new());
        let quick = options.quick;
        Report { bench, rounds, quick, machine, cores_of_others: None, tables, marks, left_out }
    }

    /// Writes it to stdout in the form that was asked for.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn print(mut self, options: &Options, busy: &Busy) -> anyhow::Result<()> {
        self.cores_of_others = busy.cores_of_others();
        let text = match (options.json, options.markdown) {
            (true, _) => serde_json::to_string_pretty(&self)? + "\n",
            (_, true) => self.markdown(),
            _ => self.plain(),
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }

    fn plain(&self) -> String {
        let mut text = format!("{}: {}\n", self.bench, self.method());
        for (name, value) in self.circumstances() {
            let _ = writeln!(text, "  {name}: {value}");
        }
        for table in &self.tables {
            let lines = table.lines();
            let widths = table.widths(&lines);
            let _ = writeln!(text, "\n{}", table.title);
            for line in &lines {
                let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                    if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                });
                let _ = writeln!(text, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
            }
        }
        text.push('\n');
        for line in self.closing() {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!("### `{}`\n\n", self.bench);
        let _ = writeln!(text, "{}\n", self.method());
        for (name, value) in self.circumstances() {
            let _ = writeln!(text, "* {name}: {value}");
        }
        for table in &self.tables {
            let _ = writeln!(text, "\n{}:\n", table.title);
            for (index, line) in table.lines().iter().enumerate() {
                let _ = writeln!(text, "| {} |", line.join(" | "));
                if index == 0 {
                    let _ = writeln!(text, "|---{}|", "|---:".repeat(line.len() - 1));
                }
            }
        }
        text.push('\n');
        for line in self.closing() {
            let _ = writeln!(text, "* {line}");
        }
        text
    }

    fn method(&self) -> String {
        match self.rounds {
            0 => "counted, not timed".to_owned(),
            rounds => format!("medians of {rounds} rounds (least..greatest)"),
        }
    }

    fn circumstances(&self) -> Vec<(String, String)> {
        let mut lines = self.machine.lines();
        let others = match self.cores_of_others {
            Some(cores) => format!("kept {cores:.2} cores busy meanwhile"),
            None => "unknown on this system".to_owned(),
        };
        lines.push(("others".to_owned(), others));
        if self.quick {
            lines.push((
                "quick".to_owned(),
                "a run to see whether it works: these figures mean nothing".to_owned(),
            ));
        }
        lines
    }

    fn closing(&self) -> Vec<String> {
        let marks = self.marks.iter().map(|mark| {
            let Mark { what, promise, measured, .. } = mark;
            let itself = mark.against_itself.map(|itself| format!("; against itself {itself}"));
            format!("{}: {what} {promise}: {measured}{}", mark.verdict(), itself.unwrap_or_default())
        });
        let left_out = self.left_out.iter().map(|what| format!("left out: {what}"));
        marks.chain(left_out).collect()
    }
}

impl Table {
    fn lines(&self) -> Vec<Vec<String>> {
        let head = std::iter::once(String::new()).chain(self.columns.iter().cloned()).collect();
        let rows = self.rows.iter().map(|(name, cells)| {
            std::iter::once(name.clone()).chain(cells.iter().map(Cell::text)).collect::<Vec<_>>()
        });
        std::iter::once(head).chain(rows).collect()
    }

    fn widths(&self, lines: &[Vec<String>]) -> Vec<usize> {
        let width = |column: usize| {
            lines.iter().filter_map(move |line| line.get(column)).map(|cell| cell.chars().count())
        };
        (0..=self.columns.len()).map(|column| width(column).max().unwrap_or_default()).collect()
    }
}
