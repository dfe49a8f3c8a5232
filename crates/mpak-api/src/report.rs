//! What a registry says of itself and of scans, beside bundles and servers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /health`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Alive {
    /// `ok`
    pub status: String,
    /// RFC 3339.
    pub timestamp: String,
}

/// `GET /ready`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// `ready`
    pub status: String,
    /// Public packages.
    pub packages: u64,
}

/// `GET /v1/bundles/@scope/name/security`
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Security {
    /// `CRITICAL`, `HIGH`, `MEDIUM`, `LOW`, `NONE`; nothing before a scan.
    pub risk_score: Option<String>,
    /// `pending`, `scanning`, `completed`, `failed`
    pub status: String,
    /// RFC 3339.
    pub scanned_at: Option<String>,
    /// How many findings there are.
    pub summary: Option<Findings>,
    /// By domain.
    pub scans: Option<BTreeMap<String, SecurityDomain>>,
}

/// How many findings there are, by severity; remarks are not counted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Findings {
    pub critical_findings: u64,
    pub high_findings: u64,
    pub medium_findings: u64,
    pub low_findings: u64,
    pub total_findings: u64,
}

/// What was found in a domain.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecurityDomain {
    /// `pass`, `error`, `fail`
    pub status: String,
    /// Findings of its controls.
    pub finding_count: u64,
}
