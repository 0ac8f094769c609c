//! Why a text is no address.

use std::net::SocketAddr;

/// Why a text is not an [`Address`](crate::Address), and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}; {}", self.what(), self.cure())]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing was written.
    Empty,
    /// A port alone, which could mean this machine or the whole world.
    OnlyPort {
        /// What was written.
        text: String,
        /// The port in it.
        port: u16,
    },
    /// An address alone.
    NoPort {
        /// What was written.
        text: String,
        /// The same with a port.
        example: SocketAddr,
    },
    /// The port is no number from 0 to 65535.
    BadPort {
        /// What was written.
        text: String,
        /// The port in it.
        port: String,
    },
    /// A name other than `localhost`.
    Name {
        /// What was written.
        text: String,
        /// The name in it.
        host: String,
        /// The port in it.
        port: String,
    },
    /// A URL.
    Scheme {
        /// What was written.
        text: String,
    },
    /// A path without `unix:` before it.
    NoPrefix {
        /// What was written.
        text: String,
    },
    /// A path that depends on the current directory, which changes when a site becomes a daemon.
    Relative {
        /// What was written.
        text: String,
    },
    /// `unix:` alone.
    NoName {
        /// What was written.
        text: String,
    },
    /// `systemd:` without a name that a socket unit could give.
    NoSocketName {
        /// What was written.
        text: String,
    },
    /// More than the kernel takes (unix(7)).
    TooLong {
        /// What was written.
        text: String,
        /// The most that is allowed, in bytes.
        most: usize,
    },
    /// Anything else.
    Unreadable {
        /// What was written.
        text: String,
    },
}

impl AddressError {
    /// What is wrong, without the cure.
    #[must_use]
    pub fn what(&self) -> String {
        let (text, fault) = match self {
            AddressError::Empty => return "the address to listen on is empty".to_owned(),
            AddressError::OnlyPort { text, .. } => (text, "is only a port".to_owned()),
            AddressError::NoPort { text, .. } => (text, "has no port".to_owned()),
            AddressError::BadPort { text, port } => (text, format!("has the port {port:?}")),
            AddressError::Name { text, .. } => {
                (text, "names a host, and names are not looked up for listening".to_owned())
            }
            AddressError::Scheme { text } => (text, "is a URL".to_owned()),
            AddressError::NoPrefix { text } => (text, "looks like a Unix socket".to_owned()),
            AddressError::Relative { text } => (text, "depends on the current directory".to_owned()),
            AddressError::NoName { text } => (text, "names no socket".to_owned()),
            AddressError::NoSocketName { text } => {
                (text, "has no name that a socket unit could give".to_owned())
            }
            AddressError::TooLong { text, most } => {
                (text, format!("is longer than a Unix socket's name may be ({most} bytes)"))
            }
            AddressError::Unreadable { text } => (text, "is not understood".to_owned()),
        };
        format!("the address {text:?} {fault}")
    }

    /// What to write instead.
    #[must_use]
    pub fn cure(&self) -> String {
        match self {
            AddressError::Empty => "write one such as 127.0.0.1:8080 or unix:/run/site.sock".to_owned(),
            AddressError::OnlyPort { port, .. } => format!(
                "write 127.0.0.1:{port} for this machine, 0.0.0.0:{port} for every network of IPv4 or [::]:{port} for \
                 every network of IPv6"
            ),
            AddressError::NoPort { example, .. } => format!("write it as in {example}"),
            AddressError::BadPort { .. } => {
                "write a number from 1 to 65535, or 0 for any free port".to_owned()
            }
            AddressError::Name { host, port, .. } => {
                format!("write the address of {host:?}, or 0.0.0.0:{port} for every network of IPv4")
            }
            AddressError::Scheme { .. } => {
                "leave out what stands before and after host and port: 127.0.0.1:8080".to_owned()
            }
            AddressError::NoPrefix { text } => format!("write unix:{text}"),
            AddressError::Relative { .. } => "write the whole path: unix:/run/site.sock".to_owned(),
            AddressError::NoName { .. } => "write unix:/run/site.sock or unix:@site".to_owned(),
            AddressError::NoSocketName { .. } => {
                "write systemd:NAME with the FileDescriptorName= of the socket unit".to_owned()
            }
            AddressError::TooLong { .. } => "use a shorter path".to_owned(),
            AddressError::Unreadable { .. } => {
                "write one such as 127.0.0.1:8080, [::1]:8080 or unix:/run/site.sock".to_owned()
            }
        }
    }
}
