//! How a parcel is written down: a line that says what it is, then each item as a line of lengths followed by its parts.
//!
//! ```text
//! sitebus parcel 1 2
//! 8 4 7:25:1034 22
//! listenerhttptcp 127.0.0.1:8080 …
//! ```
//!
//! The lengths are those of kind, name and data in bytes; between them stand number, device and inode of the descriptor, or
//! `-`.

#![expect(unsafe_code, reason = "a descriptor that was handed on is only a number until somebody owns it")]

use super::{Item, ParcelError, set};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::stat::fstat;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

const TITLE: &str = "sitebus parcel 1";

/// An open file by its number, and by what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    number: RawFd,
    device: u64,
    inode: u64,
}

/// Where the parcel is, and whose.
pub(super) struct Address {
    receiver: u32,
    place: Place,
}

/// An item as it was written down.
#[derive(Debug)]
pub(super) struct Written {
    kind: String,
    name: String,
    place: Option<Place>,
    data: Vec<u8>,
}

impl Place {
    fn of(descriptor: BorrowedFd<'_>) -> io::Result<Place> {
        let is = fstat(descriptor)?;
        Ok(Place { number: descriptor.as_raw_fd(), device: is.st_dev, inode: is.st_ino })
    }

    fn parse(text: &str) -> Option<Place> {
        let mut parts = text.splitn(3, ':');
        let (number, device, inode) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Place {
            number: number.parse().ok().filter(|number| *number > 2)?,
            device: device.parse().ok()?,
            inode: inode.parse().ok()?,
        })
    }

    /// Takes the descriptor, if it still leads where it did and nobody in this image has it, and has it closed on exec.
    fn take(self) -> Option<OwnedFd> {
        // SAFETY: it is only asked what it leads to and for its flags, which is an error if it is not open.
        let there = unsafe { BorrowedFd::borrow_raw(self.number) };
        if Place::of(there).ok()? != self || is_close_on_exec(there)? {
            return None;
        }
        // SAFETY: it is open and came through the exec, as only what is not close-on-exec does. So the image before this one
        // has left it for us, and nobody in this image has opened it: a parcel is opened before anything else runs. From the
        // next line on its flag keeps it from being taken again, even if the parcel names it twice.
        let descriptor = unsafe { OwnedFd::from_raw_fd(self.number) };
        set(descriptor.as_fd(), FdFlag::FD_CLOEXEC).ok()?;
        Some(descriptor)
    }
}

fn is_close_on_exec(descriptor: BorrowedFd<'_>) -> Option<bool> {
    let flags = fcntl(descriptor, FcntlArg::F_GETFD).ok()?;
    Some(FdFlag::from_bits_truncate(flags).contains(FdFlag::FD_CLOEXEC))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { number, device, inode } = self;
        write!(f, "{number}:{device}:{inode}")
    }
}

impl Address {
    pub(super) fn of(file: &File, receiver: u32) -> io::Result<Address> {
        Ok(Address { receiver, place: Place::of(file.as_fd())? })
    }

    pub(super) fn parse(text: &str) -> Option<Address> {
        let (receiver, place) = text.split_once(':')?;
        Some(Address { receiver: receiver.parse().ok()?, place: Place::parse(place)? })
    }

    /// The parcel, if it is there and for this process.
    pub(super) fn file(&self) -> Option<File> {
        let ours = self.receiver == std::process::id();
        ours.then(|| self.place.take())?.map(File::from)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.receiver, self.place)
    }
}

pub(super) fn write(items: &[Item]) -> io::Result<Vec<u8>> {
    let mut text = format!("{TITLE} {}\n", items.len()).into_bytes();
    for item in items {
        let place = item.descriptor().map(Place::of).transpose()?;
        let place = place.map_or_else(|| "-".to_owned(), |place| place.to_string());
        let (kind, name, data) = (item.kind(), item.name(), item.data());
        text.extend(format!("{} {} {place} {}\n", kind.len(), name.len(), data.len()).into_bytes());
        for part in [kind.as_bytes(), name.as_bytes(), data, b"\n"] {
            text.extend_from_slice(part);
        }
    }
    Ok(text)
}

/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &[u8]) -> Result<Vec<Written>, String> {
    let mut rest = text;
    let title = line(&mut rest).ok_or("it has no first line")?;
    let count = title.strip_prefix(TITLE).and_then(|count| count.trim().parse::<usize>().ok());
    let count = count.ok_or_else(|| format!("it begins with {title:?} and not with \"{TITLE}\""))?;
    let items = std::iter::from_fn(|| (!rest.is_empty()).then(|| item(&mut rest)));
    let items =
        items.collect::<Option<Vec<_>>>().ok_or("an item in it is cut short, or longer than it says")?;
    if items.len() != count {
        return Err(format!("it has {} items where it should have {count}", items.len()));
    }
    Ok(items)
}

fn item(rest: &mut &[u8]) -> Option<Written> {
    let head = line(rest)?;
    let mut words = head.split(' ');
    let (kind, name, place, data) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let place = if place == "-" { None } else { Some(Place::parse(place)?) };
    let item = Written {
        kind: String::from_utf8(part(rest, kind)?).ok()?,
        name: String::from_utf8(part(rest, name)?).ok()?,
        place,
        data: part(rest, data)?,
    };
    (part(rest, "1")? == b"\n" && words.next().is_none()).then_some(item)
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = rest.split_at(end);
    *rest = &after[1..];
    std::str::from_utf8(line).ok()
}

fn part(rest: &mut &[u8], length: &str) -> Option<Vec<u8>> {
    let (part, after) = rest.split_at_checked(length.parse().ok()?)?;
    *rest = after;
    Some(part.to_vec())
}

impl Written {
    /// The item, with the descriptor that was left open for it.
    pub(super) fn claim(self) -> Result<Item, ParcelError> {
        let Written { kind, name, place, data } = self;
        let item = Item::new(kind, name).with_data(data);
        let Some(place) = place else { return Ok(item) };
        match place.take() {
            Some(descriptor) => Ok(item.with_descriptor(descriptor)),
            None => {
                let (kind, name, number) = (item.kind(), item.name(), place.number);
                Err(ParcelError::Malformed(format!("descriptor {number} is not the {kind} {name} any more")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn items() -> Vec<Item> {
        vec![
            Item::new("listener", "http"),
            Item::new("", "").with_data(*b"\n\0\xff 4 4 - 4\n"),
            Item::new("file", "name\nwith a line").with_descriptor(File::open("/dev/null").unwrap()),
        ]
    }

    #[test]
    fn what_was_written_is_read_whatever_is_in_it() {
        let items = items();
        let read = read(&write(&items).unwrap()).unwrap();
        assert_eq!(read.len(), items.len());
        for (read, item) in read.iter().zip(&items) {
            assert_eq!((&*read.kind, &*read.name, &*read.data), (item.kind(), item.name(), item.data()));
            assert_eq!(read.place, item.descriptor().map(|descriptor| Place::of(descriptor).unwrap()));
        }
    }

    #[test]
    fn whatever_is_cut_short_or_changed_is_refused_and_nothing_panics() {
        let whole = write(&items()).unwrap();
        for end in 0..whole.len() {
            read(&whole[..end]).unwrap_err();
        }
        for place in 0..whole.len() {
            for byte in [0, b'\n', b' ', b'9', b'-', 0xff] {
                let mut changed = whole.clone();
                changed[place] = byte;
                let _ = read(&changed); // some of them are parcels still
            }
        }
        assert!(read(b"sitebus parcel 2 0\n").unwrap_err().contains("sitebus parcel 1"));
        assert!(read(b"sitebus parcel 1 1\n").unwrap_err().contains("0 items where it should have 1"));
        read(b"sitebus parcel 1 1\n99999999999999999999 0 - 0\n\n").unwrap_err();
        read(b"sitebus parcel 1 1\n0 0 1:1:1 0\n\n").unwrap_err();
    }
}
