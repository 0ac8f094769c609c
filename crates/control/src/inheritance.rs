//! What survives a restart: the listening socket, the peers that wait for its outcome, and those that have not asked yet.

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sitebus_os::parcel::{Inherited, Item};

/// The kind of our items in a parcel.
const KIND: &str = "control";
const SOCKET: &str = "socket";
const WAITING: &str = "waiting";
const ASKING: &str = "asking";

/// What the next image must know of the socket.
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
    /// With what they have sent of a request.
    pub(crate) asking: Vec<(UnixStream, Vec<u8>)>,
}

/// Nothing if the path is no text: then the next image makes a socket of its own.
pub(crate) fn socket(descriptor: OwnedFd, path: &Path, (device, inode): (u64, u64)) -> Option<Item> {
    let about = serde_json::to_vec(&About { path: path.to_owned(), device, inode }).ok()?;
    Some(Item::new(KIND, SOCKET).with_descriptor(descriptor).with_data(about))
}

pub(crate) fn waiting(descriptor: OwnedFd) -> Item {
    Item::new(KIND, WAITING).with_descriptor(descriptor)
}

pub(crate) fn asking(descriptor: OwnedFd, sent: &[u8]) -> Item {
    Item::new(KIND, ASKING).with_descriptor(descriptor).with_data(sent)
}

impl Inheritance {
    /// Takes what is ours. What is not understood is closed.
    pub(crate) fn take(inherited: &Inherited) -> Inheritance {
        let mut all = Inheritance::default();
        for item in inherited.take_all(KIND) {
            let about = serde_json::from_slice::<About>(item.data());
            let (name, data) = (item.name().to_owned(), item.data().to_owned());
            match (name.as_str(), item.into_descriptor(), about) {
                (SOCKET, Some(descriptor), Ok(About { path, device, inode })) => {
                    let listener = UnixListener::from(descriptor);
                    all.socket = Some(FoundSocket { listener, path, identity: (device, inode) });
                }
                (WAITING, Some(descriptor), _) => all.waiting.push(UnixStream::from(descriptor)),
                (ASKING, Some(descriptor), _) => all.asking.push((UnixStream::from(descriptor), data)),
                _ => {}
            }
        }
        all
    }
}
