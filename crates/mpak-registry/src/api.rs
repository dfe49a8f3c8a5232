//! The API of this registry: the upload door, blobs, the static index, health.

pub(crate) mod blob;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod upload;
