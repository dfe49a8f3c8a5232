//! Builds good bundles and spoils them; stands in for issuers of identities, for forges and for Sigstore; starts
//! emulators of object stores; cuts ways to servers; the repository's own rules as tests. Development only.

pub mod emulators;
pub mod forge;
pub mod issuer;
pub mod levels;
pub mod openid_provider;
pub mod otlp;
#[cfg(unix)]
pub mod postgres;
pub mod proxy;
pub mod sigstore;
pub mod zip;
