//! Where a server listens, as one line of text.

mod error;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use error::AddressError;

/// What `sockaddr_un` holds (unix(7)): 108 bytes, of which a path needs one for its end and an abstract name one for
/// its beginning.
const LONGEST_UNIX_NAME: usize = 107;

/// Where a server listens.
///
/// | text | meaning |
/// |---|---|
/// | `127.0.0.1:8080` | this address of IPv4; `0.0.0.0` is all of them |
/// | `[::1]:8080` | this address of IPv6 and nothing else; `[::]` is all of IPv6, never IPv4 as well |
/// | `localhost:8080` | `127.0.0.1:8080` |
/// | `127.0.0.1:0` | any free port |
/// | `unix:/run/site.sock` | a socket in the file system |
/// | `unix:@site` | a socket in Linux' abstract name space |
/// | `systemd:web` | all sockets that the service manager has opened under this name (`FileDescriptorName=`) |
///
/// Other names are not looked up: an answer that comes late, or another one tomorrow, would decide where the site
/// listens. [`fmt::Display`] writes what [`FromStr`] reads.
///
/// ```
/// use sitebus_serve::Address;
///
/// let address: Address = "localhost:8080".parse()?;
/// assert_eq!(address.to_string(), "127.0.0.1:8080");
/// let cure = ":8080".parse::<Address>().unwrap_err().to_string();
/// assert!(cure.contains("127.0.0.1:8080"));
/// # Ok::<(), sitebus_serve::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A whole path in the file system.
    Unix(PathBuf),
    /// A name in Linux' abstract name space, without the `@`.
    Abstract(String),
    /// The name under which the service manager has opened sockets (`FileDescriptorName=` in systemd.socket(5)). It is
    /// inherited, never bound.
    Systemd(String),
}

impl Address {
    /// The IP address and port, unless it is a Unix socket.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) | Address::Abstract(_) | Address::Systemd(_) => None,
        }
    }

    /// The path, if it is a Unix socket in the file system.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Address::Unix(path) => Some(path),
            Address::Tcp(_) | Address::Abstract(_) | Address::Systemd(_) => None,
        }
    }

    /// What a person or a client writes to reach this address: `http://127.0.0.1:8080` for the scheme `http`, and
    /// `unix:/run/site.sock` for a Unix socket under any scheme.
    ///
    /// The address of all networks is written as it is, since which of them reaches the reader is not known here.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        match self {
            Address::Tcp(address) => format!("{scheme}://{address}"),
            Address::Unix(_) | Address::Abstract(_) | Address::Systemd(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Abstract(name) => write!(f, "unix:@{name}"),
            Address::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Tcp(address)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        if text.trim().is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some(name) = text.strip_prefix("unix:") {
            return unix(text, name);
        }
        if let Some(name) = text.strip_prefix("systemd:") {
            return systemd(text, name);
        }
        if let Ok(address) = text.parse() {
            return Ok(Address::Tcp(address));
        }
        if let Some(Ok(port)) = text.strip_prefix("localhost:").map(str::parse::<u16>) {
            return Ok(Address::Tcp(SocketAddr::from(([127, 0, 0, 1], port))));
        }
        Err(refuse(text))
    }
}

fn unix(text: &str, name: &str) -> Result<Address, AddressError> {
    let whole = text.to_owned();
    if name.is_empty() || name == "@" || name == "/" {
        return Err(AddressError::NoName { text: whole });
    }
    if name.contains('\0') {
        return Err(AddressError::Unreadable { text: text.escape_debug().to_string() });
    }
    if name.trim_start_matches('@').len() > LONGEST_UNIX_NAME {
        return Err(AddressError::TooLong { text: whole, most: LONGEST_UNIX_NAME });
    }
    match name.strip_prefix('@') {
        Some(name) => Ok(Address::Abstract(name.to_owned())),
        None if name.starts_with('/') => Ok(Address::Unix(PathBuf::from(name))),
        None => Err(AddressError::Relative { text: whole }),
    }
}

/// What systemd takes for a name: printable, without the colon that stands between two of them.
fn systemd(text: &str, name: &str) -> Result<Address, AddressError> {
    const LONGEST: usize = 255;
    let printable = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b':';
    if name.is_empty() || name.len() > LONGEST || !name.bytes().all(printable) {
        return Err(AddressError::NoSocketName { text: text.escape_debug().to_string() });
    }
    Ok(Address::Systemd(name.to_owned()))
}

fn refuse(text: &str) -> AddressError {
    let text = text.to_owned();
    if text.contains("://") {
        return AddressError::Scheme { text };
    }
    if text.starts_with('/') || text.starts_with("./") || text.starts_with('@') {
        return AddressError::NoPrefix { text };
    }
    if let Ok(port) = text.strip_prefix(':').unwrap_or(&text).parse::<u16>() {
        return AddressError::OnlyPort { text, port };
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return AddressError::NoPort { example: SocketAddr::new(ip, 8080), text };
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return AddressError::Unreadable { text };
    };
    if port.parse::<u16>().is_err() {
        return AddressError::BadPort { port: port.to_owned(), text };
    }
    if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
        return AddressError::Name { host: host.to_owned(), port: port.to_owned(), text };
    }
    AddressError::Unreadable { text }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// Somebody on this machine, through a Unix socket; clients of those have no address.
    Unix,
}

impl Peer {
    /// The IP address and port, unless it came through a Unix socket.
    #[must_use]
    pub fn tcp(self) -> Option<SocketAddr> {
        match self {
            Peer::Tcp(address) => Some(address),
            Peer::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
    use super::*;

    #[test]
    fn what_display_writes_is_what_parsing_reads() {
        for text in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "0.0.0.0:0",
            "unix:/run/x.sock",
            "unix:@abstract",
            "systemd:site.socket",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn localhost_is_the_loopback_of_ipv4() {
        assert_eq!("localhost:80".parse::<Address>().unwrap().to_string(), "127.0.0.1:80");
    }

    #[test]
    fn every_refusal_names_the_cure() {
        for (text, cure) in [
            ("", "127.0.0.1:8080"),
            ("8080", "127.0.0.1:8080"),
            (":8080", "0.0.0.0:8080"),
            ("127.0.0.1", "127.0.0.1:8080"),
            ("::1", "[::1]:8080"),
            ("[::1]", "[::1]:8080"),
            ("127.0.0.1:99999", "65535"),
            ("127.0.0.1:http", "65535"),
            ("example.org:80", "0.0.0.0:80"),
            ("http://127.0.0.1:80/", "leave out"),
            ("/run/x.sock", "unix:/run/x.sock"),
            ("unix:run/x.sock", "whole path"),
            ("unix:", "unix:@site"),
            ("unix:@", "unix:@site"),
            ("unix:/a\0b", "127.0.0.1:8080"),
            ("systemd:", "FileDescriptorName="),
            ("systemd:a:b", "FileDescriptorName="),
            ("a b:1", "127.0.0.1:8080"),
            ("nonsense", "127.0.0.1:8080"),
        ] {
            let said = text.parse::<Address>().unwrap_err().to_string();
            assert!(said.contains(cure), "{text:?}: {said}");
        }
        let long = format!("unix:/{}", "x".repeat(107));
        assert!(matches!(long.parse::<Address>(), Err(AddressError::TooLong { .. })));
        assert!(long[..long.len() - 1].parse::<Address>().is_ok());
    }
}
