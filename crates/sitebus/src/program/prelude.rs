//! What is done first of all in `main`, while the process has one thread.

use crate::os::alone::{Alone, AloneError};
use crate::os::image::Image;
use crate::os::parcel::Inherited;

/// What the process was told by whoever started it, taken before anything can have changed it.
pub(crate) struct Prelude {
    /// What a restart executes.
    pub(crate) image: Image,
    /// What the image before this one has handed on.
    pub(crate) inherited: Inherited,
    /// Whether this is the only thread: some things can only be done then.
    pub(crate) alone: Result<Alone, AloneError>,
}

impl Prelude {
    pub(crate) fn take() -> anyhow::Result<Prelude> {
        let image = Image::capture()?;
        let alone = Alone::claim();
        let inherited = match &alone {
            Ok(alone) => Inherited::receive(alone)?,
            Err(error) if Inherited::is_announced() => {
                return Err(
                    anyhow::anyhow!("{error}").context("what the image before this one handed on is lost")
                );
            }
            Err(_) => Inherited::nothing(),
        };
        Ok(Prelude { image, inherited, alone })
    }
}
