//! The texts that a site is read from: the file, and each `--set`.
//!
//! They lie one after the other in one long imagined text, so that a span alone says which text it is in.

use std::ops::Range;
use std::sync::Arc;

use super::span::Span;

/// How a value from the command line is named in reports.
pub(super) const OVERRIDE: &str = "--set";

#[derive(Clone, Debug, Default)]
pub(super) struct Sources(Vec<Source>);

#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) name: Arc<str>,
    pub(super) text: Arc<str>,
    /// Where it begins in the imagined text.
    pub(super) base: usize,
}

impl Sources {
    pub(super) fn add(&mut self, name: &str, text: &str) {
        // One byte between two texts, so that the end of one is not the beginning of the next.
        let base = self.0.last().map_or(0, |last| last.base + last.text.len() + 1);
        self.0.push(Source { name: name.into(), text: text.into(), base });
    }

    /// The file.
    pub(super) fn file(&self) -> Option<&Source> {
        self.0.first()
    }

    /// What the command line put over it, in order.
    pub(super) fn overrides(&self) -> &[Source] {
        self.0.get(1..).unwrap_or_default()
    }

    /// The text that a span is in, and its range there, cut to whole characters.
    pub(super) fn find(&self, span: Span) -> Option<(&Source, Range<usize>)> {
        let source = self.0.iter().rev().find(|source| source.base <= span.start)?;
        let start = source.text.floor_char_boundary(span.start - source.base);
        let end = source.text.ceil_char_boundary(span.end.saturating_sub(source.base));
        Some((source, start..end.max(start)))
    }

    pub(super) fn text(&self, span: Span) -> &str {
        self.find(span).map_or("", |(source, range)| &source.text[range])
    }
}

impl Source {
    pub(super) fn is_override(&self) -> bool {
        &*self.name == OVERRIDE
    }

    /// Line and column, both from 1; the column counts characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}
