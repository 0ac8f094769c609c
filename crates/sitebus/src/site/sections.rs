//! The sections that sitebus itself knows. Each file is one of them.

pub(super) mod autoreload;
pub(super) mod daemon;
pub(super) mod http;
pub(super) mod log;
pub(super) mod pidfile;
pub(super) mod privileges;
pub(super) mod route;
mod route_check;
pub(super) mod signals;
pub(super) mod site;
pub(super) mod systemd;
