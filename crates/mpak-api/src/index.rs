//! The static index, version 1: files that any web server can serve. Unknown members are ignored.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a registry says where things are.
pub const WELL_KNOWN: &str = "/.well-known/mpak.json";

/// `/.well-known/mpak.json`. Addresses may be relative to the registry's.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WellKnown {
    /// Always 1: another number would mean something else.
    pub version: u32,
    /// The registry's own address.
    pub registry: String,
    /// The API, without a slash at the end: `…/v1`.
    pub api: String,
    /// Package files: `…/index/v1`.
    pub index: String,
    /// Bundles by digest: `…/blobs`.
    pub blobs: String,
    /// The transparency log.
    pub log: Option<String>,
    /// The revocation feed.
    pub revocations: Option<String>,
    /// The registry's key.
    pub key: Option<String>,
}

/// `/index/v1/@scope/name.json`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Package {
    /// `@scope/name`
    pub name: String,
    /// What the bare name means; nothing while every version is yanked.
    pub latest: Option<String>,
    /// What the package is called now, where this is one of its former names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
    /// Whether its owner advises against it.
    pub deprecated: Option<Deprecated>,
    /// Ascending.
    pub versions: Vec<PackageVersion>,
}

/// Why a package should not be used any more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Deprecated {
    /// The owner's words.
    pub message: String,
    /// `@scope/name` to use instead.
    pub replacement: Option<String>,
}

/// A version of a package.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PackageVersion {
    /// Semver.
    pub version: String,
    /// RFC 3339.
    pub published_at: String,
    /// Withdrawn: only for those who ask for exactly this version.
    pub yanked: bool,
    /// MTF level.
    pub level: Option<u8>,
    /// MTF score.
    pub score: Option<f64>,
    /// One per platform.
    pub artifacts: Vec<PackageArtifact>,
    /// The event that made the version known.
    pub event: Option<i64>,
}

/// The bytes of a version for a platform.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PackageArtifact {
    /// `darwin`, `linux`, `win32`, `any`.
    pub os: String,
    /// `x64`, `arm64`, `any`.
    pub arch: String,
    /// 64 hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}
