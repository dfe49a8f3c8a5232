//! Who asks, and what they may do.

pub(crate) mod token;
