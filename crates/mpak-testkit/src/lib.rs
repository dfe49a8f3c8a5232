//! Builds good bundles and spoils them; the repository's own rules as tests. Development only.

pub mod zip;
