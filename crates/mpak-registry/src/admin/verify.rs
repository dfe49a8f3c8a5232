//! Proves that database, blobs and events agree.
//!
//! One snapshot of the database is compared with itself, then with the store. Blobs are put before the rows
//! that name them, so this holds beside a running server too.

use std::collections::HashMap;

use futures_util::StreamExt as _;
use mpak_bundle::digest::{Hashing, Sha256};
use serde::Serialize;
use serde_json::Value;
use std::io::Write as _;

use super::upkeep::{UpkeepError, with_registry};
use crate::blob::{BlobError, Blobs};
use crate::config::Config;
use crate::db::{self, Connection, Db, DbError, DbResult, verify};

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Whether everything agrees.
    pub agrees: bool,
    /// Artifacts that were compared with their events.
    pub artifacts: u64,
    /// Blobs that were looked at.
    pub blobs: u64,
    /// Whether their bytes were hashed, or only their lengths compared.
    pub hashed: bool,
    /// What does not agree, one sentence each.
    pub problems: Vec<String>,
    /// Blobs in the store that no row names: a publish that was cut off leaves them, and they do no harm.
    pub strays: u64,
}

/// Compares everything; without `hash` the lengths of blobs only.
///
/// # Errors
/// [`UpkeepError`], when nothing can be said.
pub fn verify(config: &Config, hash: bool) -> Result<Verdict, UpkeepError> {
    with_registry(config, async |db, blobs| check(db, blobs, hash).await)
}

pub(super) async fn check(db: &Db, blobs: &Blobs, hash: bool) -> Result<Verdict, UpkeepError> {
    // 1. The database with itself.
    let mut c = db.snapshot().await?;
    let mut problems = verify::contradictions(&mut c).await?;
    let artifacts = events(&mut c, &mut problems).await?;
    // 2. What the store must hold, in the same state.
    let mut kept = HashMap::new();
    {
        let mut rows = std::pin::pin!(verify::kept_blobs(&mut c));
        while let Some(row) = rows.next().await {
            let (digest, size) = row?;
            kept.insert(db::digest(&digest)?, db::unsigned(size));
        }
    }
    drop(c);
    // 3. What it holds.
    let mut strays = 0;
    let mut listed = HashMap::new();
    let mut list = blobs.list();
    while let Some(item) = list.next().await {
        let (sha256, size) = item?;
        if kept.contains_key(&sha256) {
            listed.insert(sha256, size);
        } else {
            strays += 1;
        }
    }
    // 4. Blob by blob.
    let mut digests: Vec<&Sha256> = kept.keys().collect();
    digests.sort_by_key(|d| *d.as_bytes());
    for sha256 in digests {
        let problem = blob(blobs, sha256, kept[sha256], listed.get(sha256).copied(), hash).await?;
        if let Some(problem) = problem {
            // A deletion may have come between.
            if verify::is_kept(&mut *db.read().await?, sha256.as_bytes()).await? {
                problems.push(problem);
            }
        }
    }
    let blobs = kept.len() as u64;
    Ok(Verdict { agrees: problems.is_empty(), artifacts, blobs, hashed: hash, problems, strays })
}

/// Compares every artifact with the event that it names.
async fn events(c: &mut Connection, problems: &mut Vec<String>) -> DbResult<u64> {
    let aliases = verify::aliases(c).await?;
    let mut count = 0;
    let mut rows = std::pin::pin!(verify::artifacts(c));
    while let Some(row) = rows.next().await {
        let row = row?;
        count += 1;
        let formerly = |name: &str| aliases.iter().any(|(alias, id)| alias == name && *id == row.package_id);
        if let Some(problem) = event(&row, &formerly)? {
            let verify::ArtifactRow { package, version, os, arch, event_seq, .. } = &row;
            problems.push(format!("{package} {version} {os}-{arch} and event {event_seq} do not agree: {problem}"));
        }
    }
    Ok(count)
}

fn event(row: &verify::ArtifactRow, formerly: &dyn Fn(&str) -> bool) -> Result<Option<String>, DbError> {
    let Some(payload) = &row.payload_json else { return Ok(Some("there is no such event".to_owned())) };
    let payload: Value = serde_json::from_str(payload).unwrap_or_default();
    let (expected, found) = (db::digest(&row.digest)?.to_string(), payload["sha256"].as_str().unwrap_or("nothing"));
    if found != expected {
        return Ok(Some(format!("the artifact is {expected}, the event tells of {found}")));
    }
    if payload["size"].as_i64().is_some_and(|size| size != row.size_bytes) {
        return Ok(Some(format!("the artifact has {} bytes, the event tells of {}", row.size_bytes, payload["size"])));
    }
    let named = row.event_package.as_deref().unwrap_or_default();
    if row.event_version.as_deref() != Some(&row.version) || !(named == row.package || formerly(named)) {
        let version = row.event_version.as_deref().unwrap_or_default();
        return Ok(Some(format!("the event tells of {named} {version}")));
    }
    Ok(None)
}

/// Compares one blob with what is known of it.
async fn blob(
    blobs: &Blobs,
    sha256: &Sha256,
    expected: u64,
    found: Option<u64>,
    hash: bool,
) -> Result<Option<String>, UpkeepError> {
    // It may have been put after the list was made.
    let found = match found {
        Some(size) => Some(size),
        None => blobs.size(sha256).await?,
    };
    let Some(found) = found else { return Ok(Some(format!("the blob {sha256} is missing"))) };
    if found != expected {
        return Ok(Some(format!("the blob {sha256} has {found} bytes instead of {expected}")));
    }
    if !hash {
        return Ok(None);
    }
    let damaged = |found: &str| Some(format!("the blob {sha256} is damaged: {found} was found"));
    match read(blobs, sha256).await {
        Ok(digest) if digest == *sha256 => Ok(None),
        Ok(digest) => Ok(damaged(&digest.to_string())),
        Err(BlobError::Damaged { found, .. }) => Ok(damaged(&found)),
        Err(BlobError::Missing { .. }) => Ok(Some(format!("the blob {sha256} is missing"))),
        Err(error) => Err(error.into()),
    }
}

async fn read(blobs: &Blobs, sha256: &Sha256) -> Result<Sha256, BlobError> {
    let mut hashing = Hashing::new(std::io::sink());
    let mut reading = blobs.read(sha256, None).await?;
    while let Some(piece) = reading.pieces.next().await {
        hashing.write_all(&piece?)?;
    }
    Ok(hashing.finish().1)
}
