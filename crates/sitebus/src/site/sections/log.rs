//! `[log]`

use serde::Deserialize;

use crate::site::Section;

/// `[log]`: what is written down.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LogSection {
    /// Whether every request is a line.
    pub access: Option<bool>,
}

impl Section for LogSection {}
