//! Durations, sizes and permissions as people write them.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A duration in the site file: `"10s"`, `"500ms"`, `"1m30s"`.
///
/// The units are `ms`, `s`, `m`, `h` and `d`; several parts are added. A number without a unit is refused, since
/// nobody can tell what it meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    /// The duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Period {
        Period(duration)
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Duration {
        period.0
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
        deserializer.deserialize_str(PeriodVisitor)
    }
}

struct PeriodVisitor;

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"10s\", \"500ms\" or \"1m30s\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
        period(text).map(Period).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn period(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut whole = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = take_while(rest, |c| c.is_ascii_digit());
        let (unit, after) = take_while(after.trim_start(), |c| c.is_ascii_alphabetic());
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            "d" => 24 * 60 * 60 * 1000,
            _ => return None,
        };
        let part = number.parse::<u64>().ok()?.checked_mul(milliseconds)?;
        whole = whole.checked_add(Duration::from_millis(part))?;
        rest = after.trim_start();
    }
    Some(whole)
}

fn take_while(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !wanted(c)).unwrap_or(text.len()))
}

/// A number of bytes in the site file: `65536`, `"64 KiB"`, `"1M"`, `"2 MB"`.
///
/// `K`, `M` and `G`, alone or with `iB`, are powers of 1024; with `B` alone they are powers of 1000. Small letters
/// mean the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Size {
        Size(bytes)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as 65536, \"64 KiB\" or \"1M\"")
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<Size, E> {
        u64::try_from(bytes).map(Size).map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &self))
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<Size, E> {
        Ok(Size(bytes))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
        size(text).map(Size).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = take_while(text.trim(), |c| c.is_ascii_digit() || c == '_');
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.replace('_', "").parse::<u64>().ok()?.checked_mul(factor)
}

/// Permissions in the site file, in octal: `"027"`, `"0644"`.
///
/// They are text, since a number in TOML is decimal unless it begins with `0o`, and hardly anybody writes that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(u32);

impl Mode {
    /// The bits, of which there are nine.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mode, D::Error> {
        deserializer.deserialize_str(ModeVisitor)
    }
}

struct ModeVisitor;

impl Visitor<'_> for ModeVisitor {
    type Value = Mode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permissions in octal, in quotes, such as \"027\" or \"0644\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Mode, E> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let octal = !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = octal.then(|| u32::from_str_radix(digits, 8).ok()).flatten();
        let mode = mode.filter(|mode| *mode <= 0o777);
        mode.map(Mode).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_with_their_units_and_refused_without() {
        for (text, milliseconds) in [
            ("10s", Some(10_000)),
            ("500ms", Some(500)),
            ("1m30s", Some(90_000)),
            ("1h 5min", Some(3_900_000)),
            (" 2 d ", Some(172_800_000)),
            ("0s", Some(0)),
            ("10", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("10S", None),
            ("10 sec", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(period(text), milliseconds.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn permissions_are_nine_bits_in_octal() {
        use serde::de::IntoDeserializer as _;
        use serde::de::value::{Error, StrDeserializer};
        for (text, bits) in [
            ("027", Some(0o27)),
            ("0644", Some(0o644)),
            ("0o600", Some(0o600)),
            ("777", Some(0o777)),
            ("0", Some(0)),
            ("1000", None),
            ("8", None),
            ("", None),
            ("-7", None),
            ("+7", None),
            ("rw", None),
        ] {
            let read: StrDeserializer<'_, Error> = text.into_deserializer();
            assert_eq!(Mode::deserialize(read).ok().map(Mode::get), bits, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024_unless_they_end_in_a_lone_b() {
        for (text, bytes) in [
            ("64 KiB", Some(65_536)),
            ("64k", Some(65_536)),
            ("1M", Some(1_048_576)),
            ("2 MB", Some(2_000_000)),
            ("1GiB", Some(1_073_741_824)),
            ("10_000", Some(10_000)),
            ("7B", Some(7)),
            ("", None),
            ("K", None),
            ("1.5M", None),
            ("1 TB", None),
            ("-1", None),
            ("18446744073709551615G", None),
        ] {
            assert_eq!(size(text), bytes, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_of_a_duration_or_a_size_panics(text in "\\PC{0,30}", number in "[0-9]{1,25} ?[a-zA-Z]{0,3}") {
            for text in [text, number] {
                let _ = (period(&text), size(&text));
            }
        }
    }
}
