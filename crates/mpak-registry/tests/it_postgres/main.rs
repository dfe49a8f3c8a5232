//! The tests of `it`, on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../it/announce.rs"]
mod announce;
#[path = "../it/attestations.rs"]
mod attestations;
#[path = "../it/blobs.rs"]
mod blobs;
#[path = "../it/both.rs"]
mod both;
#[path = "../it/checklist_a.rs"]
mod checklist_a;
#[path = "../it/checklist_b.rs"]
mod checklist_b;
#[path = "../it/ci.rs"]
mod ci;
#[path = "../it/claim.rs"]
mod claim;
#[path = "../it/concurrency.rs"]
mod concurrency;
#[path = "../it/counts.rs"]
mod counts;
mod frozen;
#[path = "../it/held.rs"]
mod held;
#[path = "../it/hostile.rs"]
mod hostile;
#[path = "../it/http.rs"]
mod http;
#[path = "../it/identity.rs"]
mod identity;
#[path = "../it/issuers.rs"]
mod issuers;
#[path = "../it/lifecycle.rs"]
mod lifecycle;
#[path = "../it/link.rs"]
mod link;
#[path = "../it/metrics.rs"]
mod metrics;
#[path = "../it/official.rs"]
mod official;
#[path = "../it/openapi.rs"]
mod openapi;
mod outage;
#[path = "../it/person.rs"]
mod person;
#[path = "../it/private.rs"]
mod private;
#[path = "../it/publish.rs"]
mod publish;
#[path = "../it/rates.rs"]
mod rates;
#[path = "../it/reindex.rs"]
mod reindex;
#[path = "../it/releases.rs"]
mod releases;
#[path = "../it/replay_action.rs"]
mod replay_action;
#[path = "../it/replays.rs"]
mod replays;
mod replicas;
#[path = "../it/repository_readme.rs"]
mod repository_readme;
#[path = "../it/restart.rs"]
mod restart;
#[path = "../it/routes.rs"]
mod routes;
#[path = "../it/scans.rs"]
mod scans;
#[path = "../it/scopes.rs"]
mod scopes;
#[path = "../it/search.rs"]
mod search;
#[path = "../it/sessions.rs"]
mod sessions;
#[path = "../it/sign_in.rs"]
mod sign_in;
#[path = "../it/static_index.rs"]
mod static_index;
#[path = "../it/storage.rs"]
mod storage;
#[path = "../it/tokens.rs"]
mod tokens;
#[path = "../it/traps.rs"]
mod traps;
#[path = "../it/trust.rs"]
mod trust;
#[path = "../it/web.rs"]
mod web;
#[path = "../it/world.rs"]
mod world;
