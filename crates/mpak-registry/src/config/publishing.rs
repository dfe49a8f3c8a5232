//! `[publishing]`: who may publish without a password, and which versions.

use serde::Deserialize;
use url::Url;

/// Which version may follow which.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum VersionPolicy {
    /// Rising within each `major.minor` line, so that backports work.
    #[default]
    Lines,
    /// Rising over all (MTF 0.1 UP-04).
    Strict,
}

/// How the claims of an issuer's tokens are read; see `auth/issuers.toml`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum IssuerKind {
    /// GitHub Actions, also of GitHub Enterprise Server.
    Github,
    /// GitLab CI, also self-managed.
    Gitlab,
    /// Any other, by its claim mapping.
    Generic,
}

/// `[[publishing.issuer]]`: one whose workloads may publish.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// How its claims are read.
    pub kind: IssuerKind,
    /// `iss` of its tokens.
    pub issuer: Url,
    /// Its keys; otherwise found by discovery.
    pub jwks_url: Option<Url>,
    /// Accepted audiences besides the registry's own address and, for announce, `https://mpak.dev`.
    #[serde(default)]
    pub audience: Vec<String>,
    /// API for releases and files.
    pub api_url: Option<Url>,
    /// Whether its owners may create the scope of their name; usual for `github` only.
    pub default_scopes: Option<bool>,
    /// For `generic`: the name of a mapping in `auth/issuers.toml`; otherwise what the issuer is known for.
    pub mapping: Option<String>,
}

/// `[publishing]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Publishing {
    /// Which version may follow which.
    pub version_policy: VersionPolicy,
    /// Whether announcements may have the audience `https://mpak.dev`, which the existing Action asks for.
    pub default_audience: bool,
    /// Empty: GitHub Actions and GitLab CI under their public names.
    pub issuer: Vec<Issuer>,
}

impl Default for Publishing {
    fn default() -> Self {
        Self { version_policy: VersionPolicy::default(), default_audience: true, issuer: Vec::new() }
    }
}
