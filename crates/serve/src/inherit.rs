//! Listeners that come from somebody else: the image before this one, or the service manager; and those that are handed on.
//!
//! A listening socket has one queue, whoever holds the socket. So one that is handed on instead of being closed loses no
//! client: those who connect meanwhile wait for the next who accepts.
//!
//! In a parcel a listener is an item of the kind `listener`, named after its server. Its data are fields between null bytes:
//! what was asked for, as text, and then those of `ours`, `file DEVICE INODE` and `given NAME` that hold. A field that is not
//! known is skipped, so that versions can follow each other.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use socket2::{Domain, SockRef, Type};

use crate::listener::{Bare, Known, Parts};
use crate::unix_file::UnixFile;
use crate::{Address, BindError, Inherited, Item, Listener};

/// What listeners are called in a parcel.
const KIND: &str = "listener";

impl Listener {
    /// A listener that the service manager has opened under the name `given`; see [`Address::Systemd`]. It is never made
    /// deaf, and its file never removed: both are the manager's.
    ///
    /// # Errors
    /// It is no stream socket that listens, or is bound to no name.
    pub fn given(given: impl Into<String>, descriptor: impl Into<OwnedFd>) -> io::Result<Listener> {
        let given = given.into();
        let mut listener = Listener::taken_over(given.clone(), bare(descriptor.into())?)?;
        let (parts, mut known) = listener.into_parts();
        known.asked = Address::Systemd(given.clone());
        known.given = Some(given);
        listener = Listener::from_parts(parts, known);
        Ok(listener)
    }

    /// The listener as an item for a parcel, open, with all that [`Listener::inherit`] needs. Clients can connect all the time.
    #[must_use]
    pub fn into_item(self) -> Item {
        let (Parts { socket, file }, known) = self.into_parts();
        let mut data = known.asked.to_string();
        if known.ours {
            data.push_str("\0ours");
        }
        if let Some((device, inode)) = file.map(UnixFile::leave) {
            data.push_str(&format!("\0file {device} {inode}"));
        }
        if let Some(given) = known.given {
            data.push_str(&format!("\0given {given}"));
        }
        let descriptor = match socket {
            Bare::Tcp(socket) => OwnedFd::from(socket),
            Bare::Unix(socket) => OwnedFd::from(socket),
        };
        Item::new(KIND, known.name).with_descriptor(descriptor).with_data(data)
    }

    /// Takes over what was inherited for `address`, from the first of `sources` that has it; nothing if none has.
    ///
    /// It is found by what the socket is really bound to; for port 0, by the server's name and what it had asked for; for
    /// [`Address::Systemd`], by the name that the manager gave, and these may be several. What is taken over is as if it had
    /// been bound here: close-on-exec, non-blocking, and a Unix socket's file that the image before this one had made is
    /// removed when the listener is closed. A socket whose file somebody has replaced is closed, since nobody finds it.
    ///
    /// # Errors
    /// [`BindError::NotGiven`] names the sockets that the service manager did open; [`BindError::Unfit`] says why one that is
    /// bound to that address cannot serve.
    pub fn inherit(
        name: &str,
        address: &Address,
        sources: &[&Inherited],
    ) -> Result<Vec<Listener>, BindError> {
        for source in sources {
            let (found, others): (Vec<_>, Vec<_>) =
                source.take_all(KIND).into_iter().partition(|item| fits(item, name, address));
            source.put(others);
            let found = found.into_iter().filter_map(|item| take_over(item, name, address).transpose());
            let found = found.collect::<Result<Vec<Listener>, BindError>>()?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        match address {
            Address::Systemd(_) => Err(BindError::not_given(name, address, all_given(sources))),
            _ => Ok(Vec::new()),
        }
    }

    /// Closes what was inherited for another address that overlaps with this one, as `0.0.0.0:80` does with `127.0.0.1:80`,
    /// and so would keep it from being bound. Says whether there was any. Clients that wait in its queue are reset.
    #[must_use]
    pub fn make_way(address: &Address, sources: &[&Inherited]) -> bool {
        let in_the_way = |item: &Item| {
            let there = item.descriptor().and_then(address_of);
            Fields::of(item).given.is_none() && there.is_some_and(|there| overlap(&there, address))
        };
        let mut made = false;
        for source in sources {
            let (closed, others): (Vec<_>, Vec<_>) = source.take_all(KIND).into_iter().partition(in_the_way);
            source.put(others);
            made |= !closed.is_empty();
        }
        made
    }

    /// All listeners that were inherited and that nobody has taken. Dropping them closes them, and removes the files that
    /// belong to them, which dropping the items would not.
    #[must_use]
    pub fn left(inherited: &Inherited) -> Vec<Listener> {
        let left = inherited.take_all(KIND).into_iter();
        left.filter_map(|item| {
            let (name, address) = (item.name().to_owned(), address_of(item.descriptor()?)?);
            take_over(item, &name, &address).ok()?
        })
        .collect()
    }
}

/// What the data of an item say.
#[derive(Default)]
struct Fields<'a> {
    asked: &'a str,
    ours: bool,
    file: Option<(u64, u64)>,
    given: Option<&'a str>,
}

impl Fields<'_> {
    fn of(item: &Item) -> Fields<'_> {
        let mut fields = std::str::from_utf8(item.data()).unwrap_or_default().split('\0');
        let asked = fields.next().unwrap_or_default();
        fields.fold(Fields { asked, ..Fields::default() }, |known, field| match field.split_once(' ') {
            None if field == "ours" => Fields { ours: true, ..known },
            Some(("file", file)) => {
                let parse = |(device, inode): (&str, &str)| Some((device.parse().ok()?, inode.parse().ok()?));
                Fields { file: file.split_once(' ').and_then(parse), ..known }
            }
            Some(("given", name)) => Fields { given: Some(name), ..known },
            _ => known,
        })
    }
}

fn fits(item: &Item, name: &str, address: &Address) -> bool {
    let fields = Fields::of(item);
    match address {
        Address::Systemd(given) => fields.given == Some(given),
        Address::Tcp(ip) if ip.port() == 0 => item.name() == name && fields.asked == address.to_string(),
        _ => item.descriptor().and_then(address_of).as_ref() == Some(address),
    }
}

fn all_given(sources: &[&Inherited]) -> Vec<String> {
    let mut names = Vec::new();
    for source in sources {
        let items = source.take_all(KIND);
        names.extend(items.iter().filter_map(|item| Fields::of(item).given.map(str::to_owned)));
        source.put(items);
    }
    names.dedup();
    names
}

fn overlap(one: &Address, other: &Address) -> bool {
    let (Some(one), Some(other)) = (one.tcp(), other.tcp()) else { return false };
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.is_ipv4() == other.is_ipv4() && (everywhere || one.ip() == other.ip())
}

/// Nothing if the socket's file is not its own any more.
fn take_over(item: Item, name: &str, address: &Address) -> Result<Option<Listener>, BindError> {
    let unfit = |what: String| BindError::Unfit { name: name.to_owned(), address: address.clone(), what };
    let Fields { ours, file, given, .. } = Fields::of(&item);
    let given = given.map(str::to_owned);
    let Some(descriptor) = item.into_descriptor() else {
        return Err(unfit("it has no descriptor".to_owned()));
    };
    let listener = bare(descriptor).and_then(|socket| Listener::taken_over(name.to_owned(), socket));
    let (Parts { socket, .. }, known) = listener.map_err(|cause| unfit(cause.to_string()))?.into_parts();
    if address.tcp().is_some_and(|ip| ip.is_ipv6() && ip.ip().is_unspecified())
        && !socket.reference().only_v6().unwrap_or(false)
    {
        return Err(unfit(
            "it takes IPv4 as well, and [::] is IPv6 alone; write `BindIPv6Only=ipv6-only` in the socket unit, or listen on \
             it by its name, as systemd:NAME"
                .to_owned(),
        ));
    }
    let file = match (file, known.bound.path()) {
        (Some(left), Some(path)) => match UnixFile::found(path, left) {
            Some(file) => Some(file),
            None => return Ok(None),
        },
        _ => None,
    };
    let known = Known { asked: address.clone(), ours, given, ..known };
    Ok(Some(Listener::from_parts(Parts { socket, file }, known)))
}

/// The descriptor as what it is, if that is a stream socket that listens.
fn bare(descriptor: OwnedFd) -> io::Result<Bare> {
    let refused = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
    let domain = {
        let socket = SockRef::from(&descriptor);
        if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
            return Err(refused("it is no stream socket that listens (`Accept=no` and `ListenStream=`)"));
        }
        socket.set_cloexec(true)?;
        socket.domain()?
    };
    match domain {
        Domain::IPV4 | Domain::IPV6 => Ok(Bare::Tcp(descriptor.into())),
        Domain::UNIX => Ok(Bare::Unix(descriptor.into())),
        _ => Err(refused("it is a socket of neither IP nor Unix")),
    }
}

/// What a socket is bound to.
fn address_of(descriptor: BorrowedFd<'_>) -> Option<Address> {
    bare(descriptor.try_clone_to_owned().ok()?).ok()?.address().ok()?
}
