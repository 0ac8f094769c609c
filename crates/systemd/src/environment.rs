//! What the service manager has left in the environment of this process.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use sitebus_os::alone::Alone;
use sitebus_os::{activation, environment};
use sitebus_serve::{Inherited, Listener};

use crate::EnvironmentError;

/// The variables that are about this image of the process and no other. Whoever executes the next one leaves them out:
/// `Image::capture()?.without(&FOR_ONE_IMAGE)`. All others of the service manager belong to the process, and stay.
pub const FOR_ONE_IMAGE: [&str; 4] = activation::VARIABLES;

/// What the service manager has left in the environment of this process: where it listens (`NOTIFY_SOCKET`), how often it
/// wants to hear from us (`WATCHDOG_USEC`), and sockets (`LISTEN_FDS`).
#[derive(Clone, Debug, Default)]
pub struct Environment {
    notify: Option<OsString>,
    watchdog: Option<Duration>,
    listeners: Inherited,
}

impl Environment {
    /// Takes all of it, and removes the variables: none of it is for the programs that this one starts. To be called in the
    /// prelude, after the image was captured and the parcel of a restart was received, and before anything is opened.
    ///
    /// What is meant for another process (`LISTEN_PID`, `WATCHDOG_PID`) is ignored.
    ///
    /// # Errors
    /// [`EnvironmentError`] says what makes no sense, or that there are threads already.
    pub fn take(alone: &Alone) -> Result<Environment, EnvironmentError> {
        let received = activation::take(alone)?;
        let notify = environment::take(alone, "NOTIFY_SOCKET")?.filter(|address| !address.is_empty());
        let (time, receiver) =
            (environment::take(alone, "WATCHDOG_USEC")?, environment::take(alone, "WATCHDOG_PID")?);
        let listeners = Inherited::nothing();
        for received in received {
            match Listener::given(received.name.clone(), received.descriptor) {
                Ok(listener) => listeners.put([listener.into_item()]),
                Err(cause) => return Err(EnvironmentError::NotAListener { name: received.name, cause }),
            }
        }
        Ok(Environment { notify, watchdog: watchdog(time, receiver.as_deref())?, listeners })
    }

    /// As where no service manager is.
    #[must_use]
    pub fn nothing() -> Environment {
        Environment::default()
    }

    /// With another address to tell: a path, or a name in the abstract name space after an `@`.
    #[must_use]
    pub fn with_notify_socket(mut self, address: impl Into<OsString>) -> Environment {
        self.notify = Some(address.into());
        self
    }

    /// With another time within which the manager wants to hear from us.
    #[must_use]
    pub fn with_watchdog(mut self, time: Duration) -> Environment {
        self.watchdog = Some(time).filter(|time| !time.is_zero());
        self
    }

    /// Whether the manager waits to be told that the site is ready: then the process must stay in the foreground.
    #[must_use]
    pub fn waits_for_readiness(&self) -> bool {
        self.notify.is_some()
    }

    /// The sockets, as servers take them: by what they are bound to, or by the name that the manager gave them
    /// (`systemd:NAME`, an [`Address`](sitebus_serve::Address)).
    #[must_use]
    pub fn listeners(&self) -> Inherited {
        self.listeners.clone()
    }

    /// Puts the sockets to what the image before this one has handed on, so that servers look in one place only.
    pub fn give_listeners_to(&self, inherited: &Inherited) {
        inherited.put(self.listeners.take_everything());
    }

    pub(crate) fn notify_socket(&self) -> Option<&OsStr> {
        self.notify.as_deref()
    }

    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }
}

/// sd_watchdog_enabled(3): without a process number it is for whoever reads it.
fn watchdog(time: Option<OsString>, receiver: Option<&OsStr>) -> Result<Option<Duration>, EnvironmentError> {
    let number = |text: &OsStr| text.to_str().and_then(|text| text.parse::<u64>().ok());
    let Some(value) = time.filter(|value| !value.is_empty()) else { return Ok(None) };
    if receiver.is_some_and(|receiver| number(receiver) != Some(u64::from(std::process::id()))) {
        return Ok(None);
    }
    match number(&value) {
        Some(0) => Ok(None),
        Some(micros) => Ok(Some(Duration::from_micros(micros))),
        None => Err(EnvironmentError::Watchdog { value }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn read(time: &str, receiver: Option<&str>) -> Result<Option<Duration>, EnvironmentError> {
        watchdog(Some(time.into()), receiver.map(OsStr::new))
    }

    #[test]
    fn a_watchdog_is_ours_if_it_has_our_number_or_none() {
        let own = std::process::id().to_string();
        let time = Some(Duration::from_secs(3));
        assert_eq!(read("3000000", Some(&own)).unwrap(), time);
        assert_eq!(read("3000000", None).unwrap(), time);
        for other in ["1", "", "me"] {
            assert_eq!(read("3000000", Some(other)).unwrap(), None);
            assert_eq!(read("soon", Some(other)).unwrap(), None, "it is not ours to judge");
        }
    }

    #[test]
    fn no_time_is_no_watchdog_and_nonsense_is_refused() {
        assert_eq!(watchdog(None, None).unwrap(), None);
        assert_eq!(read("0", None).unwrap(), None);
        assert_eq!(read("", None).unwrap(), None);
        let said = read("soon", None).unwrap_err().to_string();
        assert!(said.contains("WATCHDOG_USEC=\"soon\"") && said.contains("WatchdogSec="), "{said}");
    }
}
