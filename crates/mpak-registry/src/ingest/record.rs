//! Stage 8, record: one transaction makes the artifact known, with its event and its scan job.
//!
//! In: [`Stored`]. Out: [`Recorded`]. The rules of this stage: a version's bytes for a platform never
//! change, and versions follow each other as in `succession`. Spec: MTF 0.1 RG-06.

use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use mpak_bundle::version::Version;
use serde_json::json;
use thiserror::Error;

use super::admit::Admitted;
use super::receive::Upload;
use super::scan;
use super::store::Stored;
use super::succession::{self, Known, SuccessionError};
use crate::auth::actor::{self, Action};
use crate::auth::binding::{self, BindingError};
use crate::auth::error::AuthError;
use crate::blob::BlobError;
use crate::config::VersionPolicy;
use crate::db::artifacts::{self, Artifact};
use crate::db::packages::Package;
use crate::db::{
    Connection, Db, DbError, DbResult, blobs, events, jobs, owners, packages, reservations, tokens, tombstones,
    trusted_publishers, versions,
};
use crate::state::AppState;

/// An artifact that is known to all.
#[derive(Debug)]
pub(crate) struct Recorded {
    upload: Upload,
    sha256: Sha256,
    bytes: u64,
    event_seq: i64,
    held: Option<String>,
    already: Option<Artifact>,
}

impl Recorded {
    /// What another replica recorded meanwhile: the same bytes, so that nothing was written.
    pub(crate) fn already(&self) -> Option<&Artifact> {
        self.already.as_ref()
    }

    /// Why nobody sees the package yet.
    pub(crate) fn held(&self) -> Option<&str> {
        self.held.as_deref()
    }

    /// What was published.
    pub(crate) fn upload(&self) -> &Upload {
        &self.upload
    }

    /// Its digest.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Its length.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The event that tells of it.
    pub(crate) fn event_seq(&self) -> i64 {
        self.event_seq
    }
}

/// How an admitted bundle stands to what is known.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nothing is known under this version and platform.
    New,
    /// The same bytes are.
    Same(Artifact),
}

/// Why nothing was recorded.
#[derive(Debug, Error)]
pub(crate) enum RecordError {
    /// Other bytes are known under this version and platform.
    #[error("version {version} of `{package}` for platform `{platform}` exists with other bytes")]
    Immutable {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The platform.
        platform: mpak_bundle::platform::Platform,
        /// What is there.
        expected: Sha256,
        /// What was sent.
        found: Sha256,
    },
    /// The registry took the package away.
    #[error("`{package}` was taken away by this registry{}", because(reason.as_deref()))]
    Removed {
        /// The package.
        package: PackageName,
        /// What its administrators said.
        reason: Option<String>,
    },
    /// This version may not be published, or not any more.
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    /// The publisher may not, or not any more.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The person may not, or not any more: another publish was faster.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The scope is kept for somebody else.
    #[error("the scope `@{scope}` is reserved: {reason}")]
    Reserved {
        /// Without `@`.
        scope: String,
        /// Why.
        reason: String,
    },
    /// The bytes were dropped between their storing and their recording.
    #[error("the bytes were removed while they were published; publish again")]
    BytesGone,
    /// Our storage.
    #[error(transparent)]
    Storage(#[from] BlobError),
    /// Our database.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Asks whether an admitted bundle is new, before anything is kept. The caller holds its turn.
pub(crate) async fn standing(
    db: &Db,
    admitted: &Admitted,
    policy: VersionPolicy,
    now_ms: i64,
) -> Result<Standing, RecordError> {
    let received = admitted.received();
    check(&mut *db.read().await?, received.upload(), received.sha256(), policy, now_ms).await
}

async fn check(
    c: &mut Connection,
    upload: &Upload,
    found: Sha256,
    policy: VersionPolicy,
    now_ms: i64,
) -> Result<Standing, RecordError> {
    let package = upload.publisher.package();
    still_there(c, package).await?;
    let known = artifacts::find(c, package.as_str(), &upload.version.to_string(), upload.platform).await?;
    match known {
        None => {
            unreserved(c, package).await?;
            succession::may_follow(&upload.version, &known_versions(c, package).await?, policy, now_ms)?;
            Ok(Standing::New)
        }
        Some(artifact) if artifact.sha256 == found => Ok(Standing::Same(artifact)),
        Some(artifact) => Err(RecordError::Immutable {
            package: package.clone(),
            version: upload.version.clone(),
            platform: upload.platform,
            expected: artifact.sha256,
            found,
        }),
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// What an administrator rejected or removed takes nothing more, and says why to those who may publish it. Its
/// bytes are kept, and nobody is served them: the same ones again are no publish either. What was deleted has no
/// versions any more, and is refused with its name.
async fn still_there(c: &mut Connection, package: &PackageName) -> Result<(), RecordError> {
    let removed = packages::find_any(c, package.as_str()).await?.filter(|found| found.state == packages::REMOVED);
    match removed {
        Some(found) if !versions::list(c, found.id).await?.is_empty() => {
            Err(RecordError::Removed { package: package.clone(), reason: found.held_reason })
        }
        _ => Ok(()),
    }
}

/// A reserved scope takes no new packages; the ones that it has go on.
async fn unreserved(c: &mut Connection, package: &PackageName) -> Result<(), RecordError> {
    match reservations::reserved(c, package.scope()).await? {
        Some(reason) if packages::find_any(c, package.as_str()).await?.is_none() => {
            Err(RecordError::Reserved { scope: package.scope().to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// What the version of a package has to follow.
async fn known_versions(c: &mut Connection, package: &PackageName) -> DbResult<Known> {
    let mut known = Known { renamed_to: packages::renamed(c, package.as_str()).await?, ..Known::default() };
    if let Some(package) = packages::find_any(c, package.as_str()).await? {
        known.name_deleted = package.state == packages::REMOVED;
        let listed = versions::list(c, package.id).await?;
        let parsed = listed.iter().filter_map(|v| Some((Version::parse(&v.version).ok()?, v.published_at_ms)));
        known.published = parsed.collect();
    }
    for gone in tombstones::of_package(c, package.as_str()).await? {
        match Version::parse(&gone.version) {
            Ok(version) => known.deleted.push(version),
            Err(_whole) => known.name_deleted = true,
        }
    }
    Ok(known)
}

/// Records a stored bundle. A new package is seen by its owners and administrators only when it is `held`.
pub(crate) async fn record(
    stored: Stored,
    state: &AppState,
    held: Option<&str>,
    now_ms: i64,
) -> Result<Recorded, RecordError> {
    let (upload, policy) = (stored.upload(), state.config.publishing.version_policy);
    let mut tx = state.db.write().await?;
    // 1. Still new: another process may write to the same database.
    if let Standing::Same(artifact) = check(&mut tx, upload, stored.sha256(), policy, now_ms).await? {
        let event_seq = artifact.event_seq;
        let held = packages::find_any(&mut tx, upload.publisher.package().as_str()).await?.and_then(held_because);
        return Ok(Recorded { already: Some(artifact), ..recorded(&stored, event_seq, held) });
    }
    // 2. The publisher still may, and what the publish fixes for the next ones.
    let package = upload.publisher.package();
    match upload.publisher.identity() {
        Some(identity) => binding::bind(&mut tx, identity, package, &upload.version, now_ms).await?,
        None => binding::tokens_may(&mut tx, &upload.publisher).await?,
    }
    if let Some(user_id) = upload.publisher.user_id() {
        actor::person(&mut tx, user_id).await?.may(&mut tx, Action::Publish, Some(package)).await?;
    }
    // 3. Bytes that a deletion dropped meanwhile are not named again.
    if !stored.kept() {
        blobs::insert_linked(&mut tx, &stored.sha256(), stored.bytes(), now_ms).await?;
    } else if blobs::insert(&mut tx, &stored.sha256(), stored.bytes(), now_ms).await?
        && state.blobs.size(&stored.sha256()).await? != Some(stored.bytes())
    {
        return Err(RecordError::BytesGone);
    }
    // 4. What happened.
    let event_seq = append_event(&mut tx, &stored, now_ms).await?;
    // 5. Package, version and artifact.
    let (package_id, held) = ensure_package(&mut tx, upload, held, now_ms).await?;
    if let Some(identity) = upload.publisher.identity() {
        trusted_publishers::pin(&mut tx, package.as_str(), &identity.repository).await?;
    }
    let version_id = ensure_version(&mut tx, (package_id, held.is_none()), &stored, now_ms).await?;
    let artifact = artifacts::New {
        version_id,
        platform: upload.platform,
        sha256: stored.sha256(),
        size_bytes: stored.bytes(),
        published_at_ms: now_ms,
        event_seq,
        source_url: upload.release.as_ref().map(|r| r.source_url.as_str()),
    };
    let artifact_id = artifacts::insert(&mut tx, artifact).await?;
    // 5. Which version the bare name means now.
    packages::choose_latest(&mut tx, package_id).await?;
    // 6. What is to be done about it.
    jobs::enqueue(&mut tx, scan::JOB, &artifact_id.to_string(), jobs::priority::NEW, now_ms).await?;
    if let Some(token_id) = upload.publisher.token_id() {
        tokens::used(&mut tx, token_id, now_ms).await?;
    }
    tx.commit().await?;
    Ok(recorded(&stored, event_seq, held))
}

fn recorded(stored: &Stored, event_seq: i64, held: Option<String>) -> Recorded {
    let upload = stored.upload().clone();
    Recorded { sha256: stored.sha256(), bytes: stored.bytes(), upload, event_seq, held, already: None }
}

/// Why nobody sees a package; what was taken away is refused before.
pub(crate) fn held_because(package: Package) -> Option<String> {
    let is_hidden = package.state != packages::PUBLIC;
    is_hidden.then(|| package.held_reason.unwrap_or_else(|| "an administrator holds it".to_owned()))
}

async fn append_event(c: &mut Connection, stored: &Stored, now_ms: i64) -> DbResult<i64> {
    let upload = stored.upload();
    let mut payload = json!({
        "os": upload.platform.os.as_str(), "arch": upload.platform.arch.as_str(),
        "sha256": stored.sha256().to_string(), "size": stored.bytes(), "publish_method": upload.publisher.method(),
    });
    if let Some(identity) = upload.publisher.identity() {
        payload["identity"] = json!(identity);
    }
    if let Some(user_id) = upload.publisher.user_id() {
        payload["user_id"] = user_id.into();
    }
    if upload.publisher.is_operators() {
        payload[owners::BY_OPERATOR] = true.into();
    }
    if let Some(release) = &upload.release {
        payload["release"] = json!({"tag": release.tag, "url": release.url, "tag_sha": release.tag_sha});
        payload["source_url"] = release.source_url.as_str().into();
    }
    let event = events::New {
        at_ms: now_ms,
        kind: "artifact_published",
        package: Some(upload.publisher.package().as_str()),
        version: Some(&upload.version.to_string()),
        actor: &upload.publisher.actor(),
        payload: &payload,
    };
    events::append(c, event).await
}

/// The package's key, and why not all see it.
async fn ensure_package(
    c: &mut Connection,
    upload: &Upload,
    held: Option<&str>,
    now_ms: i64,
) -> Result<(i64, Option<String>), RecordError> {
    let package = upload.publisher.package();
    if let Some(package) = packages::find_any(c, package.as_str()).await? {
        let id = package.id;
        return Ok((id, held_because(package)));
    }
    let id = packages::insert(c, package.as_str(), &upload.version.to_string(), now_ms).await?;
    if let Some(user_id) = upload.publisher.user_id() {
        owners::add(c, id, user_id, "publish", now_ms).await?;
    }
    if let Some(reason) = held {
        packages::set_state(c, id, packages::HELD, Some(reason)).await?;
        let payload = json!({"reason": reason});
        let event = events::New {
            at_ms: now_ms,
            kind: "held",
            package: Some(package.as_str()),
            version: None,
            actor: "registry",
            payload: &payload,
        };
        events::append(c, event).await?;
    }
    Ok((id, held.map(str::to_owned)))
}

async fn ensure_version(
    c: &mut Connection,
    (package_id, shown): (i64, bool),
    stored: &Stored,
    now_ms: i64,
) -> DbResult<i64> {
    let version = stored.upload().version.to_string();
    if let Some(id) = versions::id_of(c, package_id, &version).await? {
        return Ok(id);
    }
    let release = stored.upload().release.as_ref();
    let provenance = stored.upload().publisher.identity().map(|identity| identity.provenance().to_string());
    let new = versions::New {
        package_id,
        version: &version,
        server_type: stored.texts().server_type,
        manifest_json: &stored.texts().manifest_json,
        readme: stored.texts().readme.as_deref(),
        publish_method: stored.upload().publisher.method(),
        release_tag: release.map(|r| r.tag.as_str()),
        release_url: release.map(|r| r.url.as_str()),
        provenance_json: provenance.as_deref(),
        shown,
        published_at_ms: now_ms,
    };
    versions::insert(c, new).await
}
