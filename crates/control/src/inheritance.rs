//! What survives a restart: the listening socket, and the peers that wait for the restart's outcome.

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A descriptor with what must be known about it: what one image of the program hands to the next.
///
/// An exit listener of the plugin hands them on when the bus exits for a restart
/// ([`Exiting::hand_on`](sitebus_bus::Exiting::hand_on)); whoever performs the restart keeps the descriptors open, and the
/// next image gives them to [`Control::resume`](crate::Control::resume).
#[derive(Debug)]
pub struct Handed {
    /// What it is: `socket` or `waiting`.
    pub name: String,
    /// The descriptor.
    pub descriptor: OwnedFd,
    /// What the next image must know about it, in the plugin's own form.
    pub data: Vec<u8>,
}

const SOCKET: &str = "socket";
const WAITING: &str = "waiting";

/// What the next image knows of the socket.
#[derive(Serialize, Deserialize)]
struct About {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// The listening socket, as it is found again.
#[derive(Debug)]
pub(crate) struct FoundSocket {
    pub(crate) listener: UnixListener,
    pub(crate) path: PathBuf,
    pub(crate) identity: (u64, u64),
}

/// All that was handed on, as it is found again.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    pub(crate) socket: Option<FoundSocket>,
    pub(crate) waiting: Vec<UnixStream>,
}

impl Handed {
    /// Nothing if the path is no text: then the next image makes a socket of its own.
    pub(crate) fn socket(descriptor: OwnedFd, path: &Path, (device, inode): (u64, u64)) -> Option<Handed> {
        let data = serde_json::to_vec(&About { path: path.to_owned(), device, inode }).ok()?;
        Some(Handed { name: SOCKET.to_owned(), descriptor, data })
    }

    pub(crate) fn waiting(descriptor: OwnedFd) -> Handed {
        Handed { name: WAITING.to_owned(), descriptor, data: Vec::new() }
    }
}

impl Inheritance {
    /// What is not understood is closed.
    pub(crate) fn of(handed: impl IntoIterator<Item = Handed>) -> Inheritance {
        let mut all = Inheritance::default();
        for Handed { name, descriptor, data } in handed {
            match (name.as_str(), serde_json::from_slice::<About>(&data)) {
                (SOCKET, Ok(About { path, device, inode })) => {
                    let listener = UnixListener::from(descriptor);
                    all.socket = Some(FoundSocket { listener, path, identity: (device, inode) });
                }
                (WAITING, _) => all.waiting.push(UnixStream::from(descriptor)),
                _ => {}
            }
        }
        all
    }
}
