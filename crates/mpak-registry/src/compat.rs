//! The API that existing clients speak, quirks and all.

pub(crate) mod announce;
pub(crate) mod badge;
pub(crate) mod bundles;
pub(crate) mod claim;
pub(crate) mod download;
pub(crate) mod provenance;
pub(crate) mod query;
pub(crate) mod security;
pub(crate) mod servers;
