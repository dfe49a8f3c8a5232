//! Public interface of the crate, hostile input built by `mpak-testkit`.

mod advisories;
mod controls;
mod forms;
mod hostile;
mod hostile_files;
mod levels;
mod published;
mod quality;
mod raised;
mod replay;
mod report;
mod schema;
mod sigstore;
mod texts;
mod unchanged;
mod vulnerabilities;
mod world;
