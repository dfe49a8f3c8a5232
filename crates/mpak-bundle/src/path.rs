//! Paths inside a bundle: relative, `/`-separated, safe to join to a folder on every system.

use std::fmt;

/// A checked path inside a bundle, for example `server/index.js`. No `..`, no empty part, no backslash,
/// no control or bidi character, no drive; within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundlePath(String);

impl BundlePath {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
