//! Who asks, and what they may do.

pub(crate) mod access;
pub(crate) mod actor;
pub(crate) mod asker;
pub(crate) mod binding;
pub(crate) mod cookie;
pub(crate) mod device;
mod door;
pub(crate) mod error;
pub(crate) mod form;
pub(crate) mod identity;
pub(crate) mod issuers;
pub(crate) mod jwks;
pub(crate) mod jwt;
pub(crate) mod link;
pub(crate) mod provider;
mod role;
pub(crate) mod session;
pub(crate) mod sign_in;
pub(crate) mod token;
pub(crate) mod workload;
