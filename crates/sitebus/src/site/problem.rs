//! One complaint.

use super::span::Span;

/// One thing that is wrong: what, where, what else to look at, and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) is_warning: bool,
    pub(super) message: String,
    pub(super) at: Option<Span>,
    pub(super) label: Box<str>,
    pub(super) notes: Vec<(Span, String)>,
    pub(super) help: Vec<String>,
}

impl Problem {
    pub(crate) fn nowhere(message: impl Into<String>) -> Problem {
        Problem {
            is_warning: false,
            message: message.into(),
            at: None,
            label: Box::default(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A complaint about this place.
    pub fn new(at: impl Into<Span>, message: impl Into<String>) -> Problem {
        Problem { at: Some(at.into()), ..Problem::nowhere(message) }
    }

    /// Makes it something to know rather than to mend: the file is right all the same.
    pub(crate) fn warning(&mut self) -> &mut Problem {
        self.is_warning = true;
        self
    }

    /// Says something at the caret.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Problem {
        self.label = label.into().into_boxed_str();
        self
    }

    /// Points at another place that has to do with it.
    pub fn note(&mut self, at: impl Into<Span>, label: impl Into<String>) -> &mut Problem {
        self.notes.push((at.into(), label.into()));
        self
    }

    /// Says what to do. Several are several lines.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Problem {
        self.help.push(help.into());
        self
    }
}
