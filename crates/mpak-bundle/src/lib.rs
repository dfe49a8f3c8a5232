//! What a bundle is: names, versions, digests, manifest, archive; packing and extracting without surprises.
//!
//! This crate touches only the folder or archive that it is given: no network, no clock, no
//! environment. Registry, scanner and client share it, so they cannot disagree about what a bundle
//! contains.

pub mod archive;
pub mod collect;
pub mod dependencies;
pub mod digest;
pub mod durable;
pub mod extract;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod native;
pub mod pack;
pub mod path;
pub mod platform;
pub mod sbom;
pub mod substitute;
pub mod version;
