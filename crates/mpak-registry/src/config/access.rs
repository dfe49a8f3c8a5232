//! `[access]`: who may read.

use serde::Deserialize;

/// Who may read.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    /// Everybody.
    #[default]
    Public,
    /// Whoever signed in or holds a token.
    Private,
}

/// `[access]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// For the whole registry.
    pub reads: Reads,
    /// Scopes, without `@`, that are private in a public registry.
    pub private_scopes: Vec<String>,
}
