//! Sockets that listen, each with a name.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use crate::Address;
use crate::error::BindError;
use crate::unix_file::UnixFile;

/// How many connections the kernel keeps ready between two accepts; it cuts this down to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Connections inherit this, so a peer that vanished without a word is found within two minutes (tcp(7)).
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(6);

/// A socket that listens: close-on-exec, non-blocking, and known by a name and by what it is bound to.
///
/// Connections are taken from it by [`accept`](crate::accept()). Dropping it closes it, and removes the file of a Unix
/// socket if that file is still the one that was made here.
pub struct Listener {
    name: String,
    asked: Address,
    bound: Address,
    ours: bool,
    /// The name under which the service manager has opened it.
    given: Option<String>,
    // Before the socket: while that is open the number of its inode cannot be given to another file.
    file: Option<UnixFile>,
    socket: Bare,
}

/// The socket without anything around it.
pub(crate) enum Bare {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens on `address`. `name` is what reports call it, such as the name of the server that asks.
    ///
    /// `SO_REUSEADDR` is set, so connections of an earlier run that are still fading away do not matter; `[::]` is IPv6
    /// only. Port 0 becomes a free port, which [`Listener::address`] tells. A Unix socket's file that nobody answers
    /// any more is replaced; two processes that find the same dead file at the same moment are not told apart.
    ///
    /// # Errors
    /// [`BindError`] names the address, the cause, the process that holds the port where that can be found out, and the
    /// cure.
    pub fn bind(name: impl Into<String>, address: &Address) -> Result<Listener, BindError> {
        let name = name.into();
        let listening = match address {
            Address::Systemd(_) => return Err(BindError::not_given(&name, address, Vec::new())),
            Address::Tcp(ip) => tcp(*ip).map(|socket| (Bare::Tcp(socket), None)),
            Address::Unix(path) => {
                UnixFile::bind(path).map(|(file, socket)| (Bare::Unix(socket), Some(file)))
            }
            Address::Abstract(name) => abstract_name(name).map(|socket| (Bare::Unix(socket), None)),
        };
        listening
            .and_then(|(socket, file)| {
                let bound = socket.address()?.unwrap_or_else(|| address.clone());
                let (name, asked) = (name.clone(), address.clone());
                Ok(Listener { name, asked, bound, ours: true, given: None, file, socket })
            })
            .map_err(|cause| BindError::explain(&name, address, cause))
    }

    /// Takes over a TCP socket that listens already, for instance one that was inherited.
    ///
    /// It is known by what it is bound to. Since others may hold it as well, it is only ever closed, never made deaf.
    ///
    /// # Errors
    /// What the system says about the descriptor.
    pub fn from_tcp(name: impl Into<String>, socket: TcpListener) -> io::Result<Listener> {
        Listener::taken_over(name.into(), Bare::Tcp(socket))
    }

    /// Takes over a Unix socket that listens already. Its file is left alone.
    ///
    /// # Errors
    /// What the system says about the descriptor.
    pub fn from_unix(name: impl Into<String>, socket: UnixListener) -> io::Result<Listener> {
        Listener::taken_over(name.into(), Bare::Unix(socket))
    }

    pub(crate) fn taken_over(name: String, socket: Bare) -> io::Result<Listener> {
        socket.prepare()?;
        let unbound = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the socket is bound to no name");
        let bound = socket.address()?.ok_or_else(unbound)?;
        Ok(Listener { name, asked: bound.clone(), bound, ours: false, given: None, file: None, socket })
    }

    /// What reports call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was asked for, where port 0 is still 0.
    #[must_use]
    pub fn asked(&self) -> &Address {
        &self.asked
    }

    /// Known from now on as asked for by this address: for one that comes back to the port which a 0 has found earlier.
    #[must_use]
    pub fn asked_as(mut self, asked: Address) -> Listener {
        self.asked = asked;
        self
    }

    /// What it is bound to, with the real port.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.bound
    }

    /// Whether the service manager has opened it, which may have a copy of its own.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.given.is_some()
    }

    pub(crate) fn into_parts(self) -> (Parts, Known) {
        let Listener { name, asked, bound, ours, given, file, socket } = self;
        (Parts { socket, file }, Known { name, asked, bound, ours, given })
    }

    pub(crate) fn from_parts(parts: Parts, known: Known) -> Listener {
        let Known { name, asked, bound, ours, given } = known;
        Listener { name, asked, bound, ours, given, file: parts.file, socket: parts.socket }
    }
}

/// What there is of a listener.
pub(crate) struct Parts {
    pub(crate) socket: Bare,
    pub(crate) file: Option<UnixFile>,
}

/// What is known of a listener.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) asked: Address,
    pub(crate) bound: Address,
    /// Made here, so that nobody else accepts from it.
    pub(crate) ours: bool,
    pub(crate) given: Option<String>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.name)
            .field("address", &self.bound)
            .finish_non_exhaustive()
    }
}

impl Bare {
    pub(crate) fn reference(&self) -> SockRef<'_> {
        match self {
            Bare::Tcp(socket) => SockRef::from(socket),
            Bare::Unix(socket) => SockRef::from(socket),
        }
    }

    /// What every listener has, whoever made it.
    fn prepare(&self) -> io::Result<()> {
        let socket = self.reference();
        socket.set_nonblocking(true)?;
        if let Bare::Tcp(_) = self {
            inherited_by_connections(&socket)?;
        }
        Ok(())
    }

    /// `None` if it has no name that an [`Address`] can hold.
    pub(crate) fn address(&self) -> io::Result<Option<Address>> {
        match self {
            Bare::Tcp(socket) => socket.local_addr().map(|address| Some(Address::Tcp(address))),
            Bare::Unix(socket) => {
                let address = socket.local_addr()?;
                let path = address.as_pathname().map(|path| Address::Unix(path.to_owned()));
                Ok(path.or_else(|| abstract_of(&address)))
            }
        }
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    inherited_by_connections(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepted connections inherit both on Linux, which saves two calls for each of them.
fn inherited_by_connections(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)
}

/// A Unix socket under a name, close-on-exec and non-blocking.
pub(crate) fn unix(name: &SockAddr) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(name)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(target_os = "linux")]
fn abstract_name(name: &str) -> io::Result<UnixListener> {
    // unix(7): a name that begins with a null byte is abstract.
    unix(&SockAddr::unix(format!("\0{name}"))?)
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &str) -> io::Result<UnixListener> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "only Linux has abstract sockets; write unix:/path/of.sock",
    ))
}

#[cfg(target_os = "linux")]
fn abstract_of(address: &std::os::unix::net::SocketAddr) -> Option<Address> {
    use std::os::linux::net::SocketAddrExt as _;
    let name = std::str::from_utf8(address.as_abstract_name()?).ok()?;
    Some(Address::Abstract(name.to_owned()))
}

#[cfg(not(target_os = "linux"))]
fn abstract_of(_: &std::os::unix::net::SocketAddr) -> Option<Address> {
    None
}
