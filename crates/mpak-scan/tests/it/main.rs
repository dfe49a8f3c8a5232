//! Public interface of the crate, hostile input built by `mpak-testkit`.

mod advisories;
mod controls;
mod hostile;
mod quality;
mod report;
mod texts;
mod vulnerabilities;
mod world;
