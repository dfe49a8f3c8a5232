//! Public interface of the crate, hostile input built by `mpak-testkit`.

mod manifest;
mod pack;
