//! The name that was meant, where one was written that there is not.

/// Longer ones are no slip of the finger, and comparing takes time by the square of the length.
const LONGEST: usize = 64;

/// The candidate that is most like `name`, if any is like it at all.
///
/// Letters count the same in either case, and `-` as `_`. One slip is forgiven in three letters, and always one; three
/// letters or more that a candidate begins with count as one slip.
///
/// ```
/// use sitebus_os::names::nearest;
///
/// assert_eq!(nearest("grcaeful", ["graceful", "restart"]), Some("graceful"));
/// assert_eq!(nearest("quit", ["graceful", "restart"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let name = plain(name);
    let length = name.chars().count();
    if length > LONGEST {
        return None;
    }
    let distance = |candidate: &str| {
        let candidate = plain(candidate);
        let is_start = length >= 3 && candidate.starts_with(&name);
        if is_start { 1 } else { strsim::damerau_levenshtein(&name, &candidate) }
    };
    let best = candidates.into_iter().map(|candidate| (distance(candidate), candidate)).min();
    best.filter(|(distance, _)| *distance <= (length / 3).max(1)).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_found_and_other_words_are_not() {
        let keys = ["listen", "max_connections", "drain_timeout"];
        for (written, meant) in [
            ("listn", Some("listen")),
            ("lisetn", Some("listen")),
            ("Listen", Some("listen")),
            ("max-connection", Some("max_connections")),
            ("drian_timeout", Some("drain_timeout")),
            ("drain", Some("drain_timeout")),
            ("dr", None),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, keys), meant, "{written}");
        }
        assert_eq!(nearest(&"listen".repeat(1000), keys), None);
    }
}
