//! How a type becomes a section of the site file.

use serde::de::DeserializeOwned;

use super::check::Check;

/// The settings of a plugin, as they stand in their section of the site file.
///
/// The type says which keys there are; derive `Deserialize` with `#[serde(deny_unknown_fields)]`, so that a key that
/// does not exist is a complaint and not silence. Put [`Spanned`](super::Spanned) round what [`Section::check`] may
/// complain about, and use [`Period`](super::Period) and [`Size`](super::Size) for durations and sizes, not `Duration`, which serde reads
/// from a table of seconds and nanoseconds alone.
///
/// Do not use `#[serde(flatten)]` or `#[serde(tag = "…")]`: both forget where in the file a value stands.
pub trait Section: DeserializeOwned + 'static {
    /// Whether the section stands in double brackets and may be repeated: `[[route]]`. Its type is then read from an
    /// array of tables.
    const REPEATED: bool = false;

    /// Looks at what the type cannot say: that a folder exists, that an address is one, that two keys go together.
    ///
    /// It must not change anything, since the command `check` calls it too.
    fn check(&self, check: &mut Check<'_>) {
        let _ = check;
    }
}
