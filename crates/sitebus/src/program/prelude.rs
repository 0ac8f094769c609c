//! What is done first of all in `main`, while the process has one thread.

use crate::daemonize::Supervisor;
use crate::os::alone::{Alone, AloneError};
use crate::os::image::Image;
use crate::os::parcel::Inherited;
use crate::systemd::{self, Environment};

/// What the process was told by whoever started it, taken before anything can have changed it.
pub(crate) struct Prelude {
    /// What a restart executes.
    pub(crate) image: Image,
    /// What the image before this one has handed on.
    pub(crate) inherited: Inherited,
    /// What the service manager has told and left.
    pub(crate) systemd: Environment,
    /// The service manager that watches this process, if one does.
    pub(crate) supervisor: Option<Supervisor>,
    /// Whether this is the only thread: some things can only be done then.
    pub(crate) alone: Result<Alone, AloneError>,
}

impl Prelude {
    pub(crate) fn take() -> anyhow::Result<Prelude> {
        // The next image gets its sockets from the parcel.
        let image = Image::capture()?.without(&systemd::FOR_ONE_IMAGE);
        let supervisor = Supervisor::detect();
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
        // A program that has threads already is told nothing, and takes no sockets: nobody may change its environment.
        let systemd = match &alone {
            Ok(alone) => Environment::take(alone)?,
            Err(_) => Environment::nothing(),
        };
        systemd.give_listeners_to(&inherited);
        Ok(Prelude { image, inherited, systemd, supervisor, alone })
    }
}
