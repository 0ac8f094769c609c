//! `[signals]`

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::signals::{Settings, SettingsError, Signal};
use crate::site::{Check, Section, Span, Spanned};

/// `[signals]`: names of signals, and what each asks for: `HUP = "restart"`. Those that are not named keep their meaning.
///
/// The words are those of [`Action`](crate::signals::Action).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct SignalsSection(BTreeMap<Spanned<String>, Spanned<String>>);

impl SignalsSection {
    /// Over `defaults`, as settings of the plugin. What is not understood is left out; after [`Known::check`](crate::site::Known::check)
    /// there is nothing of the kind.
    pub fn settings(&self, defaults: Settings) -> Settings {
        self.0.iter().fold(defaults, |settings, (signal, action)| {
            settings.clone().map(signal, action).unwrap_or(settings)
        })
    }
}

impl Section for SignalsSection {
    fn check(&self, check: &mut Check<'_>) {
        let mut mapped: Vec<(Signal, Span)> = Vec::new();
        for (signal, action) in &self.0 {
            if let Err(error) = Settings::default().map(signal, action) {
                refuse(check, signal, action, &error);
            } else if let Ok(number) = signal.parse::<Signal>() {
                if let Some((_, first)) = mapped.iter().find(|(known, _)| *known == number) {
                    check
                        .problem(signal, format!("{number} is mapped twice"))
                        .note(*first, "first here")
                        .help("remove one of the two: they are names of one signal");
                }
                mapped.push((number, signal.span()));
            }
        }
    }
}

fn refuse(check: &mut Check<'_>, signal: &Spanned<String>, action: &Spanned<String>, error: &SettingsError) {
    match error {
        SettingsError::Action { cause, .. } => check.problem(action, cause.what()).help(cause.cure()),
        SettingsError::Signal(unknown) => check.problem(signal, unknown.what()).help(unknown.cure()),
        SettingsError::Refused(refused) => check.problem(signal, refused.what()).help(refused.cure()),
        other => check.problem(signal, other.to_string()),
    };
}
