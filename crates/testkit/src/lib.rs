//! sitebus-testkit
