//! Public interface of the crate, hostile input built by `mpak-testkit`: real HTTP over loopback.
//!
//! The same files run on SQLite here and on PostgreSQL in `it_postgres`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod announce;
mod attestations;
mod blobs;
mod both;
mod checklist_a;
mod checklist_b;
mod ci;
mod claim;
mod concurrency;
mod counts;
mod held;
mod hostile;
mod http;
mod identity;
mod issuers;
mod lifecycle;
mod link;
mod metrics;
mod official;
mod openapi;
mod person;
mod private;
mod publish;
mod rates;
mod reindex;
mod releases;
mod replay_action;
mod replays;
mod repository_readme;
mod restart;
mod routes;
mod scans;
mod scopes;
mod search;
mod sessions;
mod sign_in;
mod static_index;
mod storage;
mod tokens;
mod traps;
mod trust;
mod web;
mod world;
