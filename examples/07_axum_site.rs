//! 07: placeholder until the HTTP plugin is there.
fn main() {}
