//! Server lists: the flat shape of existing clients under `/v1`, the official registry's under `/v0.1`
//! and `/v0`.
//!
//! Which packages there are comes from the catalogue in memory, their entries from [`rendered`], and
//! what is missing there from the database in one go.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mpak_api::server::ErrorText;

use crate::db::servers::Wanted;
use crate::db::{Connection, DbError, servers};
use crate::error::ApiError;
use crate::http::json;
use crate::state::AppState;

pub(crate) mod flat;
mod name;
pub(crate) mod official;
mod project;
pub(crate) mod record;
mod rendered;

pub(crate) use rendered::Rendered;
use rendered::{Kept, Shape, Text};

/// For lists that may be a minute old.
const BRIEFLY: &str = "public, max-age=60, s-maxage=300";

/// An error of these routes: `{"error": "…"}`.
#[derive(Debug)]
pub(crate) struct ServerError(StatusCode, String);

/// What these handlers give.
type ServerResult = Result<Response, ServerError>;

impl ServerError {
    fn not_found(message: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, message.into())
    }

    fn bad_request(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

impl From<ApiError> for ServerError {
    fn from(error: ApiError) -> Self {
        let (status, message) = error.into_parts();
        Self(status, message)
    }
}

impl From<DbError> for ServerError {
    fn from(error: DbError) -> Self {
        ApiError::from(error).into()
    }
}

impl IntoResponse for ServerError {
    fn into_response(self) -> Response {
        (self.0, json(&ErrorText { error: self.1 })).into_response()
    }
}

/// A name in a sentence: at most so much of it as a package name can have.
fn quoted(name: &str) -> String {
    name.chars().take(300).collect()
}

/// The entries of the latest versions of some packages, in their order. Packages that are gone meanwhile,
/// and those without a server name, are left out.
async fn latest(
    state: &AppState,
    c: &mut Connection,
    packages: &[&str],
    shape: Shape,
) -> Result<Vec<Arc<Kept>>, ApiError> {
    // 1. What is kept.
    let up_to = state.servers.catch_up(c).await?;
    let mut found = state.servers.get(packages, shape);
    // 2. What is missing, in one go.
    let missing: Vec<&str> = packages.iter().zip(&found).filter(|(_, kept)| kept.is_none()).map(|(p, _)| *p).collect();
    if !missing.is_empty() {
        let rows = servers::of(c, &missing, Wanted::Latest).await?;
        let mut read: HashMap<String, Arc<Kept>> = HashMap::new();
        let entries = record::each(c, rows, |record| {
            let kept = Kept { package_id: record.row.package_id, text: Text::new(record, shape) };
            (record.row.package.clone(), Arc::new(kept), record.is_independent())
        });
        for (package, kept, independent) in entries.await? {
            if independent {
                state.servers.put(&package, shape, &kept, up_to);
            }
            read.insert(package, kept);
        }
        for (package, kept) in packages.iter().zip(&mut found).filter(|(_, kept)| kept.is_none()) {
            *kept = read.get(*package).cloned();
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// Entries as the members of a JSON array.
fn write_entries(state: &AppState, entries: &[Arc<Kept>], base: &str) -> String {
    let downloads: Vec<u64> = {
        let counts = state.counts.lookup();
        entries.iter().map(|kept| counts.package(kept.package_id)).collect()
    };
    let mut out = String::with_capacity(entries.len() * 1_024 + 128);
    for (i, (kept, downloads)) in entries.iter().zip(downloads).enumerate() {
        if i > 0 {
            out.push(',');
        }
        kept.text.write(&mut out, base, downloads);
    }
    out
}
