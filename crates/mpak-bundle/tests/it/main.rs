//! Public interface of the crate, hostile input built by `mpak-testkit`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod container;
mod extract;
mod manifest;
mod manifest_contents;
mod manifest_docs;
mod manifest_random;
mod manifest_schema;
mod manifest_substitute;
mod pack;
mod whole;
