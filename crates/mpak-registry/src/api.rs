//! The API of this registry: the upload door, blobs, the static index,
//! advisories, health.

pub(crate) mod advisories;
pub(crate) mod blob;
pub(crate) mod device;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod me;
pub(crate) mod package;
pub(crate) mod publishers;
pub(crate) mod report;
pub(crate) mod upload;
