//! The sections that sitebus itself knows. Each file is one of them.

pub(super) mod http;
pub(super) mod log;
pub(super) mod route;
mod route_check;
pub(super) mod signals;
pub(super) mod site;
