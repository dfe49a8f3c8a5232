//! `[outbound]`: what the registry may fetch.

use serde::Deserialize;
use url::Url;

/// `[outbound]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// For tests: http and https to loopback. Has no environment variable.
    pub allow_loopback: bool,
    /// A proxy for everything that is fetched.
    pub proxy: Option<Url>,
}
