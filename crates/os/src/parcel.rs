//! What one image of a program hands on to the next: open descriptors with names, and bytes.
//!
//! An exec keeps the process and replaces everything in it. Descriptors that are not close-on-exec stay open, but the new
//! image finds only numbers. The parcel is the list of what they are: a file in memory (memfd_create(2)), itself handed on,
//! whose descriptor an environment variable, [`VARIABLE`], names.
//!
//! **Only its receiver opens it.** The variable carries the number of the process that it is for and the identity of the
//! file, so a child that inherited the variable, or a process that finds another file at that descriptor, ignores it. What is
//! for this process but cannot be understood is refused with the reason, and so is an item whose descriptor leads elsewhere
//! than when it was packed.
//!
//! | file | what is in it |
//! |---|---|
//! | `parcel/item.rs` | [`Item`]: one thing that is handed on |
//! | `parcel/form.rs` | how items are written down and read |
//! | `parcel/inherited.rs` | [`Inherited`]: what came, for whoever knows what to do with it |
//! | `parcel.rs` | packing, and opening |

mod form;
mod inherited;
mod item;

pub use inherited::Inherited;
pub use item::Item;

use crate::alone::{Alone, AloneError};
use crate::{descriptors, environment};
use form::Address;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};

/// The environment variable that names the parcel.
pub const VARIABLE: &str = "SITEBUS_PARCEL";

/// More is no parcel of ours: the list is a few lines, and what it carries are the first bytes of connections.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Items on their way to the next image of this process.
#[derive(Debug)]
pub struct Parcel {
    file: File,
    items: Vec<Item>,
}

/// Why a parcel that is for this process is no good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParcelError {
    /// It can only be opened while nothing else runs, since its variable is removed.
    #[error(transparent)]
    Alone(#[from] AloneError),
    /// It could not be read.
    #[error("what the image before this one handed on cannot be read: {0}; stop the site and start it again")]
    Unreadable(io::Error),
    /// It was written by a version that we do not understand, or is damaged.
    #[error("what the image before this one handed on makes no sense: {0}; stop the site and start it again")]
    Malformed(String),
}

impl Parcel {
    /// Packs the items for the next image of this very process.
    ///
    /// # Errors
    /// The system has no room for it: the items come back.
    pub fn pack(items: Vec<Item>) -> Result<Parcel, (io::Error, Vec<Item>)> {
        match written(&items) {
            Ok(file) => Ok(Parcel { file, items }),
            Err(cause) => Err((cause, items)),
        }
    }

    /// The variable's value, which goes into the environment of the next image under [`VARIABLE`].
    ///
    /// # Errors
    /// What fstat(2) says.
    pub fn variable(&self) -> io::Result<OsString> {
        Address::of(&self.file, std::process::id()).map(|address| address.to_string().into())
    }

    /// From here on an exec closes every descriptor but the standard streams and what is in the parcel.
    ///
    /// # Errors
    /// What the system says; call [`take_back`](Parcel::take_back) then.
    pub fn open_for_exec(&self) -> io::Result<()> {
        descriptors::close_on_exec_from(3)?;
        self.descriptors().try_for_each(|descriptor| set(descriptor, FdFlag::empty()))
    }

    /// The exec failed, or is not to be: every descriptor is closed on exec again, and the items are as they were.
    #[must_use]
    pub fn take_back(self) -> Vec<Item> {
        for descriptor in self.descriptors() {
            let _ = set(descriptor, FdFlag::FD_CLOEXEC); // it can be set on whatever is open
        }
        self.items
    }

    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.items.iter().filter_map(Item::descriptor).chain([self.file.as_fd()])
    }
}

impl Inherited {
    /// Whether this process was told of a parcel, and has not opened it.
    #[must_use]
    pub fn is_announced() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    /// Opens the parcel that this process was handed, if there is one, and removes the variable. All that was handed on is
    /// close-on-exec from here.
    ///
    /// A variable that is not for this process is removed too, and nothing else is touched.
    ///
    /// # Errors
    /// [`ParcelError`] says what is wrong with a parcel that is for this process.
    pub fn receive(alone: &Alone) -> Result<Inherited, ParcelError> {
        let variable = environment::take(alone, VARIABLE)?;
        let address = variable.as_deref().and_then(OsStr::to_str).and_then(Address::parse);
        let Some(mut file) = address.and_then(|address| address.file()) else {
            return Ok(Inherited::nothing());
        };
        let mut text = Vec::new();
        let read = file.rewind().and_then(|()| (&mut file).take(LARGEST).read_to_end(&mut text));
        read.map_err(ParcelError::Unreadable)?;
        let items = form::read(&text).map_err(ParcelError::Malformed)?;
        items.into_iter().map(form::Written::claim).collect::<Result<Vec<_>, _>>().map(Inherited::of)
    }
}

fn written(items: &[Item]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"sitebus parcel", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(&form::write(items)?)?;
    Ok(file)
}

fn set(descriptor: BorrowedFd<'_>, flags: FdFlag) -> io::Result<()> {
    fcntl(descriptor, FcntlArg::F_SETFD(flags))?;
    Ok(())
}
