//! Who asks, and what they may do.

pub(crate) mod actor;
pub(crate) mod error;
pub(crate) mod token;
