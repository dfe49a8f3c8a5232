//! What is managed of a package: owners, versions, yanks, deprecation, transfers, who may publish it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::bundle::WirePlatform;
use crate::index::Deprecated;

/// `GET /api/v1/packages/@scope/name`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ManagedPackage {
    /// `@scope/name`
    pub name: String,
    /// What it was called before.
    pub former_names: Vec<String>,
    /// `public`, `held`, `removed`
    pub state: String,
    /// Why it is held or removed.
    pub reason: Option<String>,
    /// What the bare name means.
    pub latest: String,
    /// RFC 3339.
    pub created_at: String,
    /// Where it is published from, as its publishes pinned it.
    pub repository: Option<String>,
    /// Whether its owners advise against it.
    pub deprecated: Option<Deprecated>,
    /// Who owns it.
    pub owners: Vec<Owner>,
    /// Newest published first.
    pub versions: Vec<ManagedVersion>,
    /// What was deleted of it.
    pub deleted: Vec<DeletedVersion>,
    /// What is under way.
    pub transfer: Option<Transfer>,
}

/// An owner of a package.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Owner {
    /// Their name here.
    pub login: String,
    /// How they came to own it: `publish`, `claim`, …
    pub via: String,
    /// RFC 3339.
    pub since: String,
    /// Whether they allow tokens beside trusted publishing.
    pub allows_tokens: bool,
}

/// A version, as its owners see it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ManagedVersion {
    /// Semver.
    pub version: String,
    /// RFC 3339.
    pub published_at: String,
    /// Resolved downloads.
    pub downloads: u64,
    /// When and why it was yanked, if it was.
    pub yanked: Option<Yanked>,
    /// Of its artifacts.
    pub platforms: Vec<WirePlatform>,
    /// 0 to 4; nothing before all of its artifacts are assessed.
    pub level: Option<i64>,
    /// 0 to 100.
    pub score: Option<i64>,
}

/// When and why a version was yanked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Yanked {
    /// RFC 3339.
    pub at: String,
    /// In the words of who did it.
    pub reason: Option<String>,
}

/// A version that is gone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeletedVersion {
    /// Semver.
    pub version: String,
    /// RFC 3339.
    pub at: String,
    /// In the words of who did it.
    pub reason: Option<String>,
}

/// A package on its way to another name or owner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Transfer {
    /// What it is to be called; its name where that stays.
    pub name: String,
    /// Whose it is to be.
    pub owner: Option<String>,
    /// `requested`, `accepted`, `done`, `cancelled`
    pub state: String,
    /// Who asked for it.
    pub requested_by: String,
    /// RFC 3339.
    pub requested_at: String,
    /// Who accepted it.
    pub accepted_by: Option<String>,
    /// RFC 3339; nothing before it was accepted.
    pub effective_at: Option<String>,
}

/// `GET …/events`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// `@scope/name`
    pub name: String,
    /// Newest first.
    pub events: Vec<HistoryEvent>,
    /// `?before=` of the next page, while there is one.
    pub before: Option<i64>,
}

/// Something that happened to a package.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HistoryEvent {
    /// Its place in the registry's one order.
    pub seq: i64,
    /// RFC 3339.
    pub at: String,
    /// `artifact_published`, `yanked`, …
    pub kind: String,
    /// Which version, where it is about one.
    pub version: Option<String>,
    /// `user:LOGIN`, `token:NAME`, `oidc:…`, `registry`
    pub actor: String,
    /// By kind.
    #[schema(value_type = Object)]
    pub details: Value,
}

/// What was deleted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// `@scope/name`
    pub name: String,
    /// These versions.
    pub versions: Vec<String>,
    /// Whether the package went with them.
    pub package: bool,
}

/// What a version is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct YankChange {
    /// `@scope/name`
    pub name: String,
    /// Semver.
    pub version: String,
    /// Whether it is yanked now.
    pub yanked: bool,
    /// Whether it was otherwise before.
    pub changed: bool,
}

/// What a package is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeprecationChange {
    /// `@scope/name`
    pub name: String,
    /// Whether it is deprecated now.
    pub deprecated: bool,
    /// Whether anything is otherwise than before.
    pub changed: bool,
}

/// Who owns a package now, or does no more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnerChange {
    /// `@scope/name`
    pub name: String,
    /// Whom it is about.
    pub owner: String,
    /// Whether anything is otherwise than before.
    pub changed: bool,
}

/// Whether tokens publish beside trusted publishing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokensAllowed {
    /// `@scope/name`
    pub name: String,
    /// How many owners allow it.
    pub owners_allowing: i64,
    /// Two are needed.
    pub tokens_allowed: bool,
}

/// What a package or a transfer is now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StateChange {
    /// `@scope/name`
    pub name: String,
    /// Of a package `public`, `held`, `removed`; of a transfer `cancelled`.
    pub state: Option<String>,
}

/// `GET …/trusted-publishers`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrustedPublishers {
    /// Who may publish without a password.
    pub trusted_publishers: Vec<TrustedPublisher>,
}

/// Whose workloads may publish a package without a password.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrustedPublisher {
    /// For taking it away.
    pub id: i64,
    /// Who signs its identities.
    pub issuer: String,
    /// `owner/name`
    pub repository: String,
    /// What no other repository can get; nothing where it is known by its name only.
    pub repository_id: Option<String>,
    /// Path of the workflow that published last.
    pub workflow: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// Who added it.
    pub created_by: String,
}

/// `GET …/versions/VERSION/publisher`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PublishPermission {
    /// Always true: what is not allowed is refused.
    pub allowed: bool,
    /// Why it is.
    pub because: String,
    /// What the token says, by claim.
    #[schema(value_type = Object)]
    pub identity: Value,
}

/// `GET …/artifacts/OS-ARCH/report`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ArtifactReport {
    /// `@scope/name`
    pub name: String,
    /// Semver.
    pub version: String,
    /// `any`, or OS-ARCH.
    pub platform: String,
    /// In hexadecimal.
    pub sha256: String,
    /// `pending`, `scanning`, `completed`, `failed`
    pub status: String,
    /// RFC 3339.
    pub scanned_at: Option<String>,
    /// That of `mpak scan --json`; it has a schema of its own.
    #[schema(value_type = Option<Object>)]
    pub report: Option<Value>,
    /// Newest first.
    pub history: Vec<Outcome>,
}

/// What scans of the same bytes came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// RFC 3339: found first.
    pub first_at: String,
    /// RFC 3339: found last.
    pub last_at: String,
    /// Controls and rules.
    pub ruleset: String,
    /// 0 to 4; nothing while it is not assessed.
    pub level: Option<i64>,
    /// 0 to 100; not kept of the oldest.
    pub score: Option<i64>,
}

/// Why something is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reason {
    /// For all to read.
    pub reason: Option<String>,
}

/// What a deprecation says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deprecation {
    /// For all to read.
    pub message: String,
    /// `@scope/name` to use instead.
    pub replacement: Option<String>,
}

/// What a transfer is to change: one of them, or both.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TransferWish {
    /// What it is to be called.
    pub name: Option<String>,
    /// Whose it is to be.
    pub owner: Option<String>,
}

/// What an administrator decides about a package.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// `release`, `reject`, `remove`, `hold`, `restore`
    pub decision: String,
    /// For its owners to read.
    pub reason: Option<String>,
}
