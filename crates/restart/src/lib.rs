#![doc = include_str!("../README.md")]

mod plugin;
mod settings;
mod trial;

pub use plugin::Restart;
pub use settings::Settings;
pub use sitebus_os::image::{Image, ImageError};
pub use sitebus_os::parcel::{Inherited, Item, ParcelError};
