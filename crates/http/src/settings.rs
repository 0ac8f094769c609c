//! What can be set, with defaults that suit a site on the open network.

use std::collections::BTreeMap;
use std::time::Duration;

use sitebus_serve::Address;

/// What one peer may cost the server. Every limit is for the peers' side: none of them cuts a handler
/// short whose client is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// For the whole head of a request, from its first byte; for the first request, from the connection's start. Default
    /// 10 s. Also how long a stop waits for a head that is half there.
    pub header_time: Duration,
    /// Request line and header fields together, in bytes; more is answered with 431. Default 65,536.
    pub header_bytes: usize,
    /// Header fields; more are answered with 431. Default 100; any other number costs HTTP/1 requests about 5 % of speed,
    /// since hyper then keeps them on the heap.
    pub header_count: usize,
    /// The body of a request, in bytes. One that announces more is answered with 413; one that turns out to be longer
    /// gives its reader [`BodyError::TooLarge`](crate::BodyError::TooLarge). Default 16 MiB.
    pub body_bytes: u64,
    /// How long a connection may be open without a request in progress. Default 75 s.
    pub idle_time: Duration,
    /// How long a peer may take no byte of its answer, or send no byte of a body that a handler waits for, before the
    /// connection is cut. With HTTP/2 only the first, and only if the whole connection is stuck. Default 60 s.
    pub stall_time: Duration,
    /// How long a handler may go on without sending anything for a client that has ended its side of the connection, before
    /// it is dropped. Such a client may be waiting for its answer, or be gone, and nothing tells the two apart; one that
    /// resets the connection is known to be gone, and its handler is dropped at once. HTTP/1 only; zero takes
    /// every end for a client that is gone. Default 5 s.
    pub half_closed_time: Duration,
    /// How long a connection that we close goes on reading, so that the last answer is not lost to a reset. Default 2 s.
    pub linger: Duration,
    /// Connections at a time, over all listeners. At the limit the ones that were idle for longest are closed; while none
    /// is idle, accepting pauses. Default 10,000.
    pub connections: usize,
    /// Requests at a time on one HTTP/2 connection. Default 200.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_time: Duration::from_secs(10),
            header_bytes: 64 * 1024,
            header_count: DEFAULT_HEADER_COUNT,
            body_bytes: 16 * 1024 * 1024,
            idle_time: Duration::from_secs(75),
            stall_time: Duration::from_secs(60),
            half_closed_time: Duration::from_secs(5),
            linger: Duration::from_secs(2),
            connections: 10_000,
            streams: 200,
        }
    }
}

/// What hyper keeps on the stack.
pub(crate) const DEFAULT_HEADER_COUNT: usize = 100;

/// The settings of one HTTP server. Offered in a reload ([`sitebus_bus::Graceful`]), they are taken up without losing a
/// connection; see [`SettingsOf`] for a bus with several servers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Where to listen. In a reload, addresses that are still there keep their sockets.
    pub listen: Vec<Address>,
    /// What a peer may cost. In a reload: for new connections.
    pub limits: Limits,
    /// Whether HTTP/2 is spoken with clients that begin with it (RFC 9113, 3.3). Default true.
    pub http2: bool,
    /// Whether each answered request, also one that is refused without asking the service, becomes a line of the log, under the name of the server followed by `.access`.
    /// Default false.
    pub access_log: bool,
    /// How long requests in progress may take when the server stops, before they are cut; never longer than the bus gives
    /// its stop listeners. Default none of its own.
    pub drain_time: Option<Duration>,
    /// Threads that run handlers; 0 means one for each processor. Default 0. A reload does not change it, a restart does.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: Vec::new(),
            limits: Limits::default(),
            http2: true,
            access_log: false,
            drain_time: None,
            threads: 0,
        }
    }
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting and what it must be.
    pub fn check(&self) -> Result<(), SettingsError> {
        let Limits {
            header_time,
            header_bytes,
            header_count,
            idle_time,
            stall_time,
            connections,
            streams,
            ..
        } = self.limits;
        for (setting, value) in
            [("header_time", header_time), ("idle_time", idle_time), ("stall_time", stall_time)]
        {
            if value.is_zero() {
                return Err(SettingsError::Zero { setting });
            }
        }
        for (setting, value) in
            [("header_count", header_count), ("connections", connections), ("streams", streams as usize)]
        {
            if value == 0 {
                return Err(SettingsError::Zero { setting });
            }
        }
        if !HEADER_BYTES.contains(&header_bytes) {
            return Err(SettingsError::HeaderBytes { value: header_bytes });
        }
        match self.listen.iter().enumerate().find(|(place, address)| self.listen[..*place].contains(address))
        {
            Some((_, twice)) => Err(SettingsError::Twice { address: twice.clone() }),
            None => Ok(()),
        }
    }
}

const HEADER_BYTES: std::ops::RangeInclusive<usize> = 256..=16 * 1024 * 1024;

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Zero where that would refuse everything.
    #[error("{setting} = 0 would refuse every request; leave it out for the default")]
    Zero {
        /// Which one.
        setting: &'static str,
    },
    /// A size of heads that is too small for any request, or larger than makes sense.
    #[error("header_bytes = {value} is not from 256 to 16777216")]
    HeaderBytes {
        /// What was asked for.
        value: usize,
    },
    /// An address stands there twice.
    #[error("the address {address} is listed twice; remove one of them")]
    Twice {
        /// Which one.
        address: Address,
    },
    /// No address at all.
    #[error("nowhere to listen; add an address such as 127.0.0.1:8080")]
    Nowhere,
}

/// Settings of several HTTP servers on one bus, by the server's name. A server that finds its name here does not look at a
/// plain [`Settings`] of the same reload.
pub type SettingsOf = BTreeMap<String, Settings>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_work() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn settings_that_refuse_everything_are_refused() {
        let mut settings = Settings::default();
        settings.limits.connections = 0;
        assert_eq!(settings.check(), Err(SettingsError::Zero { setting: "connections" }));
        let mut settings = Settings::default();
        settings.limits.header_bytes = 10;
        assert!(settings.check().is_err());
        let mut settings = Settings::default();
        settings.limits.idle_time = Duration::ZERO;
        assert!(settings.check().is_err());
    }
}
