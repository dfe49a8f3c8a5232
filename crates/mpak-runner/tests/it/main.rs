//! Public interface of the crate, hostile input built by `mpak-testkit`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod launching;
#[cfg(unix)]
mod running;
