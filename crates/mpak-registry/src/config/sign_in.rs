//! `[sign_in]`: the OpenID provider of the registry's people.

use serde::Deserialize;
use url::Url;

use super::Secret;

/// `[sign_in]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The provider.
    pub issuer: Url,
    /// As the provider knows this registry.
    pub client_id: String,
    /// None for a public client.
    pub client_secret: Option<Secret>,
    /// Asked for besides `openid`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The claim that holds roles or groups.
    #[serde(default)]
    pub role_claim: Option<String>,
    /// Values of that claim that make an administrator.
    #[serde(default)]
    pub admins: Vec<String>,
    /// Values that make a publisher; empty: everybody who signs in.
    #[serde(default)]
    pub publishers: Vec<String>,
    /// The claim with the login at GitHub, if the provider vouches for one.
    #[serde(default)]
    pub github_claim: Option<String>,
}
