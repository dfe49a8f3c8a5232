//! Receives, stores, scans, indexes and serves bundles, by API and by web pages.
//!
//! A bundle arrives at the upload door (`api/upload`) and walks the stages of `ingest/` 5 to 10; readers
//! are answered by `api/`, `compat/` (what existing clients ask) and `web/`. The database (`db/`) is the
//! one source of truth; the search index and the counts in memory are made from it at start.

pub mod admin;
mod answers;
mod api;
mod auth;
pub mod bench;
mod blob;
pub mod clock;
mod compat;
pub mod config;
mod counts;
mod db;
mod error;
mod follow;
mod forge;
mod http;
mod ingest;
mod jobs;
mod lanes;
mod lifecycle;
mod linked;
mod metrics;
mod openapi;
mod outbound;
mod public_files;
mod rates;
mod router;
mod search;
mod server;
mod stall;
mod state;
mod telemetry;
mod turns;
mod web;

pub use telemetry::TelemetryError;

pub use server::{Running, ServeError, serve, start};
