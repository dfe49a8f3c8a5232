//! The one reader of the environment.
#![expect(clippy::disallowed_methods, reason = "this is the place where the environment is read")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the environment says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `MPAK_HOME`, else `~/.mpak`.
    pub home: PathBuf,
    /// `HOME`: the user's own folder.
    pub user_home: PathBuf,
    /// `MPAK_REGISTRY_URL`: overrides the stored registry, is not stored.
    pub registry_url: Option<String>,
    /// `MPAK_TOKEN`.
    pub token: Option<String>,
    /// `MPAK_ID_TOKEN`: the identity token of a CI job, where the system puts it into the environment.
    pub id_token: Option<String>,
    /// Where a job of GitHub Actions asks for its identity token.
    pub actions_identity: Option<ActionsIdentity>,
    /// `SOURCE_DATE_EPOCH`, seconds.
    pub source_date_epoch: Option<i64>,
    /// `MPAK_CONFIG`: the configuration of a registry.
    pub config: Option<PathBuf>,
    /// The whole environment, for settings of a registry, for `run` (allow-listed there) and for looking up programs.
    pub environment: BTreeMap<OsString, OsString>,
}

/// `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
#[derive(Clone, Debug)]
pub struct ActionsIdentity {
    /// Where to ask.
    pub url: String,
    /// Says which job asks.
    pub token: String,
}

impl Settings {
    /// Reads the process environment once.
    pub fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let user_home = text("HOME").or_else(|| text("USERPROFILE")).map_or_else(|| PathBuf::from("."), PathBuf::from);
        Self {
            home: text("MPAK_HOME").map_or_else(|| user_home.join(".mpak"), PathBuf::from),
            user_home,
            registry_url: text("MPAK_REGISTRY_URL"),
            token: text("MPAK_TOKEN"),
            id_token: text("MPAK_ID_TOKEN"),
            actions_identity: text("ACTIONS_ID_TOKEN_REQUEST_URL")
                .zip(text("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
                .map(|(url, token)| ActionsIdentity { url, token }),
            source_date_epoch: text("SOURCE_DATE_EPOCH").and_then(|v| v.parse().ok()),
            config: text("MPAK_CONFIG").map(PathBuf::from),
            environment: std::env::vars_os().collect(),
        }
    }
}
