//! The upload door: `PUT /api/v1/packages/@scope/name/versions/VERSION/artifacts/OS-ARCH` with the raw
//! file, `Authorization: Bearer …` and `Digest: sha-256=<base64>`.

use serde::{Deserialize, Serialize};
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
}
