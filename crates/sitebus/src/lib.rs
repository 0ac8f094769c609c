//! sitebus-sitebus
