//! 08: placeholder.
fn main() {}
