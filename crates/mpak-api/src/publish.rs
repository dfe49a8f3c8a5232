//! The upload door: `PUT /api/v1/packages/@scope/name/versions/VERSION/artifacts/OS-ARCH` with the raw
//! file, `Authorization: Bearer …` and `Digest: sha-256=<base64>`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The answer: 201 when the artifact is new, 200 when the same bytes were there already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Published {
    /// Package.
    pub package: String,
    /// Semver.
    pub version: String,
    /// `any`, `linux-x64`, …
    pub platform: String,
    /// 64 lower-case hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// `created` or `unchanged`.
    pub status: String,
    /// Address of the package's page.
    pub url: String,
    /// Sequence number of the event.
    pub event: Option<i64>,
    /// Why nobody sees the package until an administrator decides; absent where everybody does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held: Option<String>,
}

/// What `POST /v1/bundles/announce` is sent; other members are left unread.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Announce {
    /// `@scope/name`, in any case.
    pub name: String,
    /// Semver.
    #[schema(max_length = 50)]
    pub version: String,
    /// That of the bundle.
    #[schema(value_type = Object)]
    pub manifest: Value,
    /// Of the release that holds the bundle.
    pub release_tag: String,
    /// Read by nobody: the version tells.
    #[serde(default)]
    pub prerelease: Option<bool>,
    /// The bundle.
    pub artifact: AnnounceArtifact,
}

/// See [`Announce`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AnnounceArtifact {
    /// Of the release's asset: `NAME.mcpb`.
    #[schema(max_length = 255)]
    pub filename: String,
    /// `darwin`, `linux`, `win32`, `any`
    pub os: String,
    /// `x64`, `arm64`, `any`
    pub arch: String,
    /// In hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// `POST /v1/bundles/announce`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Announced {
    /// `@scope/name`
    pub package: String,
    /// Semver.
    pub version: String,
    /// What was announced.
    pub artifact: AnnouncedArtifact,
    /// Artifacts of the version now.
    pub total_artifacts: u64,
    /// `created`, or `updated` where it was known already.
    pub status: String,
    /// Why nobody sees the package until an administrator decides; absent where everybody does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held: Option<String>,
}

/// See [`Announced`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AnnouncedArtifact {
    /// `darwin`, `linux`, `win32`, `any`
    pub os: String,
    /// `x64`, `arm64`, `any`
    pub arch: String,
    /// As in the release.
    pub filename: Option<String>,
}

/// `GET /app/packages/@scope/name/claim-status`
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ClaimStatus {
    /// Whether it can be claimed.
    pub claimable: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claimed_by: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claimed_at: Option<String>,
    /// What can be claimed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package_name: Option<String>,
    /// Where the proof is looked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub github_repo: Option<String>,
    /// How it is given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instructions: Option<ClaimInstructions>,
}

/// How a package is claimed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimInstructions {
    /// In order.
    pub steps: Vec<String>,
    /// The file to add.
    pub example_mpak_json: ClaimProof,
    /// The same as a text.
    pub mpak_json_example: String,
}

/// `mpak.json` of a repository.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimProof {
    /// `@scope/name`
    pub name: String,
    /// Logins.
    pub maintainers: Vec<String>,
}

/// `POST /app/packages/@scope/name/claim`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Claimed {
    /// Always true: what is not granted is refused.
    pub success: bool,
    /// For people.
    pub message: String,
    /// What is the caller's now.
    pub package: ClaimedPackage,
    /// How it was proved.
    pub verification: ClaimVerification,
}

/// See [`Claimed`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimedPackage {
    /// `@scope/name`
    pub name: String,
    /// Login.
    pub claimed_by: String,
    /// RFC 3339.
    pub claimed_at: String,
    /// `owner/name`
    pub github_repo: String,
}

/// See [`Claimed`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClaimVerification {
    /// Where the proof stood.
    pub mpak_json_url: String,
    /// RFC 3339.
    pub verified_at: String,
}
