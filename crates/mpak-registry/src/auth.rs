//! Who asks, and what they may do.

pub(crate) mod actor;
pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod issuers;
pub(crate) mod jwks;
pub(crate) mod jwt;
pub(crate) mod token;
