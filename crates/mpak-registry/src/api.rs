//! The API of this registry: the upload door, blobs, health.

pub(crate) mod blob;
pub(crate) mod health;
pub(crate) mod upload;
