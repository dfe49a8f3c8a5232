//! Public interface of the crate, hostile input built by `mpak-testkit`: real HTTP over loopback.

mod blobs;
mod concurrency;
mod counts;
mod http;
mod publish;
mod read_api;
mod restart;
mod scans;
mod search;
mod tokens;
mod world;
