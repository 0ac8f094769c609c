//! One thing that is handed on.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// One thing that is handed on: what kind it is, which one of its kind, an open descriptor, and bytes that say more.
#[derive(Debug)]
pub struct Item {
    kind: String,
    name: String,
    descriptor: Option<OwnedFd>,
    data: Vec<u8>,
}

impl Item {
    /// Something without a descriptor. `kind` says who knows what to do with it, such as `listener`; `name` which one it is.
    #[must_use]
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Item {
        Item { kind: kind.into(), name: name.into(), descriptor: None, data: Vec::new() }
    }

    /// With this descriptor.
    #[must_use]
    pub fn with_descriptor(mut self, descriptor: impl Into<OwnedFd>) -> Item {
        self.descriptor = Some(descriptor.into());
        self
    }

    /// With these bytes.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Item {
        self.data = data.into();
        self
    }

    /// Who knows what to do with it.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which one of its kind it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What says more about it.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The open descriptor.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor.as_ref().map(|descriptor| descriptor.as_fd())
    }

    /// Takes the open descriptor out of it.
    #[must_use]
    pub fn into_descriptor(self) -> Option<OwnedFd> {
        self.descriptor
    }
}
