//! Holds up a site that changes what is watched whenever it starts.
//!
//! The times of the last restarts are kept in a small file, since nothing else of a process outlives its own replacement. A
//! clock that was set back makes it forget rather than hold for ever.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::settings;

pub(crate) struct Brake {
    times: usize,
    within: Duration,
    file: Option<PathBuf>,
    /// Oldest first.
    past: VecDeque<SystemTime>,
}

impl Brake {
    /// What the file says of former images of this program; what it cannot say did not happen.
    pub(crate) fn load(settings: &settings::Brake, folder: &Path) -> Brake {
        let file = settings.file.as_ref().map(|file| folder.join(file));
        let text = file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let past =
            text.lines().filter_map(|line| UNIX_EPOCH.checked_add(Duration::from_millis(line.parse().ok()?)));
        let mut past = past.collect::<Vec<_>>();
        past.sort_unstable();
        Brake { times: settings.times.max(1), within: settings.within, file, past: past.into() }
    }

    /// How long the next one has to wait; none if it need not.
    pub(crate) fn hold(&mut self, now: SystemTime) -> Option<Duration> {
        self.past.retain(|past| now.duration_since(*past).is_ok_and(|age| age < self.within));
        let beyond = self.past.len().checked_sub(self.times)?;
        let first_to_go = self.past.get(beyond)?;
        let age = now.duration_since(*first_to_go).unwrap_or_default();
        Some(self.within.saturating_sub(age))
    }

    /// One more.
    ///
    /// # Errors
    /// It could not be written down, so the next image will not know of it.
    pub(crate) fn note(&mut self, now: SystemTime) -> io::Result<()> {
        self.past.push_back(now);
        while self.past.len() > self.times {
            self.past.pop_front();
        }
        let Some(file) = &self.file else { return Ok(()) };
        let lines = self.past.iter().filter_map(|past| past.duration_since(UNIX_EPOCH).ok());
        let text = lines.map(|past| format!("{}\n", past.as_millis())).collect::<String>();
        // Renamed into its place: half a file would be none.
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = file.with_file_name(name);
        fs::write(&new, text)?;
        fs::rename(&new, file)
    }

    pub(crate) fn times(&self) -> usize {
        self.times
    }

    pub(crate) fn within(&self) -> Duration {
        self.within
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn settings(file: Option<PathBuf>) -> settings::Brake {
        settings::Brake { times: 3, within: Duration::from_secs(60), file }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn the_fourth_waits_until_the_first_is_old() {
        let mut brake = Brake::load(&settings(None), Path::new("/"));
        for second in [0, 10, 20] {
            assert_eq!(brake.hold(at(second)), None);
            brake.note(at(second)).unwrap();
        }
        assert_eq!(brake.hold(at(30)), Some(Duration::from_secs(30)));
        assert_eq!(brake.hold(at(60)), None);
        brake.note(at(60)).unwrap();
        assert_eq!(brake.hold(at(61)), Some(Duration::from_secs(9)));
    }

    #[test]
    fn the_next_image_knows_of_the_restarts_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(Some("brake".into()));
        for second in 0..3 {
            let mut brake = Brake::load(&settings, folder.path());
            assert_eq!(brake.hold(at(second)), None);
            brake.note(at(second)).unwrap();
        }
        let mut brake = Brake::load(&settings, folder.path());
        assert_eq!(brake.hold(at(3)), Some(Duration::from_secs(57)));
        fs::write(folder.path().join("brake"), "nonsense\n\n-1\n99999999999999999999999\n").unwrap();
        assert_eq!(Brake::load(&settings, folder.path()).hold(at(3)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing() {
        let mut brake = Brake::load(&settings(None), Path::new("/"));
        for _ in 0..3 {
            brake.note(at(500)).unwrap();
        }
        assert_eq!(brake.hold(at(0)), None);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_and_the_brake_holds_nevertheless() {
        let mut brake = Brake::load(&settings(Some("/nowhere/at/all".into())), Path::new("/"));
        for _ in 0..3 {
            assert!(brake.note(at(0)).is_err());
        }
        assert!(brake.hold(at(1)).is_some());
    }
}
