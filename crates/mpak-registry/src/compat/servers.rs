//! Server lists: the flat shape of existing clients under `/v1`, the official registry's under `/v0.1`
//! and `/v0`.
//!
//! Which packages there are comes from the search index, and so do the entries of their latest versions;
//! other versions, and entries that depend on several packages, come from the database.

use std::collections::HashMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mpak_api::server::ErrorText;
use serde_json::Value;

use crate::answers::Part;
use crate::answers::template::{self, Fill};
use crate::db::servers::Wanted;
use crate::db::{Connection, DbError, DbResult, servers};
use crate::error::ApiError;
use crate::http::json;
use crate::search::{self, Found};
use crate::state::AppState;

pub(crate) mod flat;
mod looking;
mod name;
pub(crate) mod official;
mod project;
pub(crate) mod record;
mod since;

use record::{Record, Told};

/// For lists that may be a minute old.
const BRIEFLY: &str = "public, max-age=60, s-maxage=300";
/// About as long as an entry is.
const ENTRY_BYTES: usize = 1_200;

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

/// The two shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Flat,
    Official,
}

impl Shape {
    fn part(self) -> Part {
        match self {
            Self::Flat => Part::Flat,
            Self::Official => Part::Official,
        }
    }

    fn template(self, record: &Record) -> Vec<u8> {
        let downloads = Value::from(template::package_downloads());
        let told = Told { base: template::base(), downloads: &downloads };
        let entry = match self {
            Self::Flat => record.flat(told),
            Self::Official => record.official(told),
        };
        template::of(entry.to_string().as_bytes(), &[])
    }
}

/// The templates of one package's entries, flat and official.
type Both = (Vec<u8>, Vec<u8>);

/// Templates of the entries of the latest versions of some packages, flat and official, by the packages'
/// keys. Entries that depend on other packages are left out: they are written when they are asked for.
pub(crate) async fn templates(c: &mut Connection, packages: &[&str]) -> DbResult<HashMap<i64, Both>> {
    let rows = servers::of(c, packages, Wanted::Latest).await?;
    let made = record::each(c, rows, |record| {
        let both = || (Shape::Flat.template(record), Shape::Official.template(record));
        (record.row.package_id, if record.is_independent() { both() } else { Default::default() })
    });
    Ok(made.await?.into_iter().collect())
}

/// Writes the entries of the latest versions of some packages as the members of a JSON array, in their order;
/// gives their number. Packages that are gone meanwhile, and those without a server name, are left out.
async fn write_latest(
    state: &AppState,
    packages: &[Found],
    shape: Shape,
    base: &str,
    out: &mut Vec<u8>,
) -> Result<usize, ApiError> {
    // 1. What is kept.
    let kept = search::texts(packages, &[shape.part()]).map_err(|e| ApiError::internal(&e))?;
    // 2. What depends on other packages, in one go.
    let missing: Vec<&str> =
        packages.iter().zip(kept.all()).filter(|(_, t)| t.is_empty()).map(|(p, _)| p.name()).collect();
    let mut read = HashMap::new();
    if !missing.is_empty() {
        let mut c = state.db.read().await?;
        let rows = servers::of(&mut c, &missing, Wanted::Latest).await?;
        read.extend(record::each(&mut c, rows, |record| (record.row.package_id, shape.template(record))).await?);
    }
    // 3. Both with what differs between answers.
    let counts = state.counts.lookup();
    let mut written = 0;
    for (found, text) in packages.iter().zip(kept.all()) {
        let package = found.package_id();
        let text = if text.is_empty() { read.get(&package).map(Vec::as_slice) } else { Some(text) };
        let Some(text) = text else { continue };
        if written > 0 {
            out.push(b',');
        }
        Fill { base, package, summary: b"", counts: Some(&counts) }.write(text, out);
        written += 1;
    }
    Ok(written)
}
