//! Why nothing listens, and what to do about it.

use std::fmt;
use std::io;

use crate::Address;
use sitebus_os::port;

/// Why a server cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody listens there already.
    #[error("{name}: cannot listen on {address}: {held}; {}", held.cure())]
    InUse {
        /// Who asked.
        name: String,
        /// For what.
        address: Address,
        /// Who holds it, if that can be found out.
        held: Held,
    },
    /// The process may not.
    #[error("{name}: cannot listen on {address}: {cause}; {cure}")]
    Denied {
        /// Who asked.
        name: String,
        /// For what.
        address: Address,
        /// What would help.
        cure: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// No network interface of this machine has the address.
    #[error(
        "{name}: cannot listen on {address}: this machine has no such address; `ip address` lists what it has, and \
         0.0.0.0 or [::] means all of them"
    )]
    NotHere {
        /// Who asked.
        name: String,
        /// For what.
        address: Address,
    },
    /// The folder for the socket's file does not exist.
    #[error(
        "{name}: cannot listen on {address}: there is no such folder; make it, with the right owner, first"
    )]
    NoFolder {
        /// Who asked.
        name: String,
        /// For what.
        address: Address,
    },
    /// Something else than a socket has that path.
    #[error(
        "{name}: cannot listen on {address}: there is a file that is no socket; remove it or choose another path"
    )]
    NotASocket {
        /// Who asked.
        name: String,
        /// For what.
        address: Address,
    },
    /// The service manager has not opened a socket of that name for this process, or another server has taken it.
    #[error("{name}: cannot listen on {address}: {}", not_given(address, given))]
    NotGiven {
        /// Who asked.
        name: String,
        /// For what.
        address: Address,
        /// The names of those that it has opened and nobody has taken.
        given: Vec<String>,
    },
    /// A socket was inherited for this address, but is not what was asked for.
    #[error("{name}: cannot listen on {address} by the socket that was inherited for it: {what}")]
    Unfit {
        /// Who asked.
        name: String,
        /// For what.
        address: Address,
        /// What is wrong with it, and the cure.
        what: String,
    },
    /// Something else.
    #[error("{name}: cannot listen on {address}: {cause}; {}", cure_of(cause, address))]
    Failed {
        /// Who asked.
        name: String,
        /// For what.
        address: Address,
        /// What the system said.
        cause: io::Error,
    },
}

impl BindError {
    pub(crate) fn explain(name: &str, address: &Address, cause: io::Error) -> BindError {
        let (name, address) = (name.to_owned(), address.clone());
        match (cause.kind(), &address) {
            (io::ErrorKind::AddrInUse, _) => BindError::InUse { held: Held::of(&address), name, address },
            (io::ErrorKind::PermissionDenied, Address::Tcp(_)) => {
                let cure = "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; choose a higher one, or \
                            start as root and drop privileges afterwards";
                BindError::Denied { name, address, cure, cause }
            }
            (io::ErrorKind::PermissionDenied, _) => {
                let cure = "the user of this process must be able to write to that folder, and to connect to a socket \
                            that is there already";
                BindError::Denied { name, address, cure, cause }
            }
            (io::ErrorKind::AddrNotAvailable, Address::Tcp(_)) => BindError::NotHere { name, address },
            (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, _) => {
                BindError::NoFolder { name, address }
            }
            (io::ErrorKind::AlreadyExists, _) => BindError::NotASocket { name, address },
            _ => BindError::Failed { name, address, cause },
        }
    }

    pub(crate) fn not_given(name: &str, address: &Address, given: Vec<String>) -> BindError {
        BindError::NotGiven { name: name.to_owned(), address: address.clone(), given }
    }

    /// The address that was asked for.
    #[must_use]
    pub fn address(&self) -> &Address {
        match self {
            BindError::InUse { address, .. }
            | BindError::Denied { address, .. }
            | BindError::NotHere { address, .. }
            | BindError::NoFolder { address, .. }
            | BindError::NotASocket { address, .. }
            | BindError::NotGiven { address, .. }
            | BindError::Unfit { address, .. }
            | BindError::Failed { address, .. } => address,
        }
    }
}

fn not_given(address: &Address, given: &[String]) -> String {
    if given.is_empty() {
        return "the service manager has opened no socket for this process that nobody has taken; start the socket unit, \
                which starts the service"
            .to_owned();
    }
    let Address::Systemd(name) = address else { return "it was not inherited".to_owned() };
    format!(
        "the service manager has opened no socket of that name, but {}; write `FileDescriptorName={name}` in the socket unit, \
         or listen on one of those",
        given.join(", ")
    )
}

fn cure_of(cause: &io::Error, address: &Address) -> &'static str {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match (cause.raw_os_error(), cause.kind(), address.tcp()) {
        (Some(EMFILE | ENFILE), ..) => "close some files, or raise the limit of open files (`ulimit -n`)",
        (_, io::ErrorKind::ReadOnlyFilesystem, _) => "choose a path in a folder that can be written to",
        (.., Some(ip)) if ip.is_ipv6() => {
            "if IPv6 is switched off on this machine, choose an address of IPv4"
        }
        (.., Some(_)) => "choose another address",
        (.., None) => "choose another path, or listen on 127.0.0.1 instead",
    }
}

/// Who listens on an address that was to be ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    holder: Option<String>,
    by_this_process: bool,
}

impl Held {
    fn of(address: &Address) -> Held {
        let holder = match address {
            Address::Tcp(ip) => port::holder_of_tcp(*ip),
            Address::Unix(path) => port::holder_of_unix(path),
            Address::Abstract(_) | Address::Systemd(_) => None,
        };
        let by_this_process = holder.as_ref().is_some_and(|holder| holder.pid == std::process::id());
        Held { holder: holder.map(|holder| holder.to_string()), by_this_process }
    }

    fn cure(&self) -> &'static str {
        if self.by_this_process {
            "choose another port; or stop first, if this is to take the place of an address that overlaps with it"
        } else {
            "end that process or choose another address"
        }
    }

    /// Its name and process number, in words; `None` if the system did not tell, as with processes of other users.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => write!(f, "{holder} listens there"),
            None => f.write_str("somebody else has it (`ss -tnpax`, as root, names the process)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_of_its_own_has_a_cure_too() {
        let address = Address::Tcp(([127, 0, 0, 1], 80).into());
        let said =
            |code| BindError::explain("http", &address, io::Error::from_raw_os_error(code)).to_string();
        assert!(said(24).ends_with("; close some files, or raise the limit of open files (`ulimit -n`)"));
        assert!(said(12).ends_with("; choose another address"), "{}", said(12));
    }
}
