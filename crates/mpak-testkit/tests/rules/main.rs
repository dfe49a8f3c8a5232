//! The repository's own rules as tests: what ARCHITECTURE.md and CONTRIBUTING.md promise.

mod crates;
mod layout;
mod source;
mod tree;
