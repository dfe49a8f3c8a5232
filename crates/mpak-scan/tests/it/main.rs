//! Public interface of the crate, hostile input built by `mpak-testkit`.

mod controls;
mod hostile;
mod quality;
mod report;
mod world;
