//! The read API under `/v1/bundles`, in the shapes that existing clients parse.
//!
//! Reading is lenient (other registries send more, less, or wrongly typed members); writing is exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// `GET /v1/bundles/search`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SearchResponse {
    /// The page.
    pub bundles: Vec<Summary>,
    /// All that match.
    pub total: u64,
    /// The page asked for.
    pub pagination: Pagination,
}

/// The page asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Pagination {
    /// Most entries, 1 to 100.
    pub limit: u64,
    /// Entries left out before.
    pub offset: u64,
    /// Whether more follow.
    pub has_more: bool,
}

/// One search result.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// `@scope/name`.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// Who made it.
    #[serde(default)]
    pub author: Option<Author>,
    /// Highest stable version.
    pub latest_version: String,
    /// Path or URL, as in the manifest.
    #[serde(default)]
    pub icon: Option<String>,
    /// `node`, `python`, `binary`, `uv`.
    #[serde(default)]
    pub server_type: String,
    /// `[{name, description?}]`; other registries may send anything here.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub tools: Value,
    /// Resolved downloads of all versions.
    #[serde(default)]
    pub downloads: u64,
    /// RFC 3339 with milliseconds.
    #[serde(default)]
    pub published_at: String,
    /// Somebody proved that the source repository is theirs: the build that published the latest version, or an
    /// owner who claimed the package there.
    #[serde(default)]
    pub verified: bool,
    /// Only for keyless publishing. Whole, with claims, where one package is told of.
    #[serde(default)]
    #[schema(value_type = Option<Provenance>)]
    pub provenance: Option<Value>,
    /// 0 to 4; `null` until all L1 controls run.
    #[serde(default)]
    pub certification_level: Option<u8>,
}

/// Who built something, as its issuer said and the registry verified.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Provenance {
    /// 1: a text in lists, a number where there are claims.
    #[schema(value_type = SchemaVersion)]
    pub schema_version: Value,
    /// `github_oidc`, `gitlab_oidc`, …
    pub provider: Option<String>,
    /// `owner/name`
    pub repository: Option<String>,
    /// The commit.
    pub sha: Option<String>,
    /// What else the issuer said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<Object>)]
    pub claims: Option<Value>,
}

/// See [`Provenance::schema_version`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SchemaVersion {
    /// In lists.
    Text(String),
    /// With claims.
    Number(u32),
}

/// What the controls came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Certification {
    /// 0 to 4.
    pub level: Option<u8>,
    /// `L1 Basic`, `L2 Standard`, `L3 Verified`, `L4 Attested`.
    pub level_name: Option<String>,
    /// Passed.
    pub controls_passed: Option<u64>,
    /// Failed.
    pub controls_failed: Option<u64>,
    /// All.
    pub controls_total: Option<u64>,
}

/// The release that a version was announced from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// Its tag.
    pub tag: Option<String>,
    /// Its page.
    pub url: String,
}

/// `GET …/index.json`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BundleIndex {
    /// `0.1`
    pub index_version: String,
    /// Of this document.
    #[serde(rename = "mimeType")]
    pub mime_type: String,
    /// `@scope/name`
    pub name: String,
    /// Semver.
    pub version: String,
    /// For people.
    pub description: Option<String>,
    /// One for each platform.
    pub bundles: Vec<IndexedBundle>,
    /// `dev.mpak.release.url`, `dev.mpak.provenance.…`
    pub annotations: BTreeMap<String, String>,
}

/// A bundle in an index.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IndexedBundle {
    /// Of the bundle.
    #[serde(rename = "mimeType")]
    pub mime_type: String,
    /// `sha256:…`
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// What it fits.
    pub platform: WirePlatform,
    /// Where it is; any of them.
    pub urls: Vec<String>,
}

/// Who made it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// Name.
    #[serde(default)]
    pub name: String,
}

/// `GET /v1/bundles/@scope/name`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// The fields of a search result.
    #[serde(flatten)]
    pub summary: Summary,
    /// URL.
    #[serde(default)]
    pub homepage: Option<String>,
    /// SPDX or free text.
    #[serde(default)]
    pub license: Option<String>,
    /// Present whenever `certification_level` is.
    #[serde(default)]
    #[schema(value_type = Option<Certification>)]
    pub certification: Option<Value>,
    /// Newest published first.
    #[serde(default)]
    pub versions: Vec<DetailVersion>,
}

/// One of `Detail::versions`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DetailVersion {
    /// Semver.
    pub version: String,
    /// RFC 3339.
    #[serde(default)]
    pub published_at: String,
    /// Resolved downloads.
    #[serde(default)]
    pub downloads: u64,
}

/// `{os, arch}` on the wire: free text when reading, since other registries hold anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WirePlatform {
    /// `darwin`, `linux`, `win32`, `any`.
    pub os: String,
    /// `x64`, `arm64`, `any`.
    pub arch: String,
}

impl From<mpak_bundle::platform::Platform> for WirePlatform {
    fn from(p: mpak_bundle::platform::Platform) -> Self {
        Self { os: p.os.as_str().to_owned(), arch: p.arch.as_str().to_owned() }
    }
}

/// `GET …/versions`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionsResponse {
    /// Package.
    pub name: String,
    /// Highest stable version.
    pub latest: String,
    /// Newest published first.
    pub versions: Vec<VersionSummary>,
}

/// One of `VersionsResponse::versions`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionSummary {
    /// Semver.
    pub version: String,
    /// Number of artifacts.
    #[serde(default)]
    pub artifacts_count: u64,
    /// Their platforms.
    #[serde(default)]
    pub platforms: Vec<WirePlatform>,
    /// RFC 3339.
    #[serde(default)]
    pub published_at: String,
    /// Resolved downloads.
    #[serde(default)]
    pub downloads: u64,
    /// `oidc`, `upload`, `cli`, `ingest`.
    #[serde(default)]
    pub publish_method: Option<String>,
    /// Only for keyless publishing.
    #[serde(default)]
    #[schema(value_type = Option<Provenance>)]
    pub provenance: Option<Value>,
}

/// `GET …/versions/{version}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionDetail {
    /// Package.
    pub name: String,
    /// Semver.
    pub version: String,
    /// RFC 3339.
    pub published_at: String,
    /// Resolved downloads.
    pub downloads: u64,
    /// By platform.
    pub artifacts: Vec<WireArtifact>,
    /// As in the bundle.
    #[schema(value_type = Object)]
    pub manifest: Value,
    /// Only for releases.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<Release>)]
    pub release: Option<Value>,
    /// `oidc`, `upload`, `cli`, `ingest`.
    #[serde(default)]
    pub publish_method: Option<String>,
    /// Only for keyless publishing.
    #[serde(default)]
    #[schema(value_type = Option<Provenance>)]
    pub provenance: Option<Value>,
}

/// One artifact of a version.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WireArtifact {
    /// What it fits.
    pub platform: WirePlatform,
    /// `sha256:…`.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// Absolute URL.
    pub download_url: String,
    /// Where it came from, if from a release.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_url: Option<String>,
}

/// `GET …/download` with `Accept: application/json`. Exactly these members: an existing SDK forbids more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Download {
    /// Absolute URL that gives the bytes for any `Accept`.
    pub url: String,
    /// What it gives.
    pub bundle: DownloadBundle,
    /// RFC 3339.
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// See [`Download`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DownloadBundle {
    /// Package.
    pub name: String,
    /// Semver.
    pub version: String,
    /// What it fits.
    pub platform: WirePlatform,
    /// 64 lower-case hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}
