//! Routes that can be replaced while requests come in.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::Request;

use crate::front::serve;
use crate::table::Table;
use crate::{BoxError, Front, ResponseFuture};

/// A [`Front`] that can be replaced as a whole. All clones are one.
///
/// A request sees the old routes or the new ones, never some of both; requests that have begun end on the old ones.
/// A reload first builds the new front, which may fail and then nothing has changed, and then replaces the old one,
/// which cannot fail.
///
/// ```
/// use sitebus_front::{Respond, Routes, Swap};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let site = Swap::new(Routes::new().respond("/", Respond::new("one")).build()?);
/// let served = site.clone(); // given to the server
///
/// let next = Routes::new().respond("/", Respond::new("two")).build()?; // prepare: an error changes nothing
/// let old = site.replace(next); // commit
/// # let _ = (served, old); Ok(()) }
/// ```
#[derive(Clone)]
pub struct Swap(Arc<ArcSwap<Table>>);

impl Swap {
    /// Begins with these routes.
    #[must_use]
    pub fn new(front: Front) -> Swap {
        Swap(Arc::new(ArcSwap::new(front.0)))
    }

    /// Serves these routes from now on and returns the ones before.
    #[must_use = "these are the routes that were served before; drop them if nobody needs them"]
    pub fn replace(&self, front: Front) -> Front {
        Front(self.0.swap(front.0))
    }

    /// The routes that are being served.
    #[must_use]
    pub fn current(&self) -> Front {
        Front(self.0.load_full())
    }

    /// Answers a request, without a `&mut`.
    pub fn serve<B>(&self, request: Request<B>) -> ResponseFuture
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        serve(&self.0.load(), request)
    }
}

impl fmt::Debug for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Swap").field(&*self.0.load()).finish()
    }
}
