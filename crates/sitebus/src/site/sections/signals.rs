//! `[signals]`

use std::collections::BTreeMap;

use serde::Deserialize;
use sitebus_signals::{Settings, SettingsError};

use crate::site::{Check, Section, Spanned};

/// `[signals]`: names of signals, and what each asks for: `HUP = "restart"`. Those that are not named keep their meaning.
///
/// The words are those of [`Action`](sitebus_signals::Action).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct SignalsSection(BTreeMap<Spanned<String>, Spanned<String>>);

impl SignalsSection {
    /// As settings of the plugin. What is not understood is left out; after [`Known::check`](crate::site::Known::check)
    /// there is nothing of the kind.
    pub fn settings(&self) -> Settings {
        self.0.iter().fold(Settings::default(), |settings, (signal, action)| {
            settings.clone().map(signal, action).unwrap_or(settings)
        })
    }
}

impl Section for SignalsSection {
    fn check(&self, check: &mut Check<'_>) {
        for (signal, action) in &self.0 {
            let Err(error) = Settings::default().map(signal, action) else { continue };
            let at = if matches!(error, SettingsError::Action { .. }) { action } else { signal };
            let said = match error {
                SettingsError::Action { cause, .. } => cause.to_string(),
                other => other.to_string(),
            };
            // What is wrong, and after the last colon the cure.
            match said.rsplit_once(": ") {
                Some((wrong, cure)) => check.problem(at, wrong).help(cure),
                None => check.problem(at, said),
            };
        }
    }
}
