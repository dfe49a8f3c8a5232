//! Substitution of `${…}` in `mcp_config`: one left-to-right scan, nothing rescanned, names literal.
//!
//! Spec: MCPB MANIFEST.md "Variable substitution", with the recommended fixes: defaults are expanded with
//! the system folders, an unset option drops its variable or argument, lists splice as arguments.

use std::collections::BTreeMap;
use std::path::Path;

use thiserror::Error;

use crate::manifest::{ConfigValue, Manifest};
use crate::platform::Os;

/// What templates may name.
#[derive(Clone, Debug)]
pub struct Variables<'a> {
    /// `${__dirname}`: absolute path of the extracted bundle.
    pub dirname: &'a Path,
    /// Chooses `platform_overrides` and the path separator.
    pub os: Os,
    /// `HOME`, `DESKTOP`, `DOCUMENTS`, `DOWNLOADS`.
    pub system_dirs: BTreeMap<String, String>,
    /// Values the user gave, by option; defaults are added here.
    pub user_config: BTreeMap<String, ConfigValue>,
}

/// A command line ready to start; nothing in it is expanded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substituted {
    /// Program, as the manifest names it.
    pub command: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// For each variable of `env` whose template is exactly `${user_config.x}`: the option `x`.
    pub env_is_option: BTreeMap<String, String>,
    /// Placeholders left literal because nothing of that name exists, for a warning.
    pub unknown: Vec<String>,
}

/// Why no command line could be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SubstituteError {
    /// Required options without a value.
    #[error("missing required config: {}", keys.join(", "))]
    Missing {
        /// Their names.
        keys: Vec<String>,
    },
    /// A value holds NUL, which no argument and no variable can carry.
    #[error("the value of `{key}` holds a NUL character")]
    Nul {
        /// The option.
        key: String,
    },
    /// A value does not fit its declared type or range.
    #[error("the value of `{key}` is not {expected}: `{found}`")]
    Type {
        /// The option.
        key: String,
        /// Type and range.
        expected: String,
        /// The value; `…` for sensitive ones.
        found: String,
    },
    /// One argument or variable is longer than systems allow.
    #[error("the value for `{place}` has {bytes} bytes, expected at most {limit}")]
    Length {
        /// The argument or variable.
        place: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Makes the command line of a manifest. `mcp_config` absent gives the default of the server type.
///
/// # Errors
/// [`SubstituteError`].
pub fn substitute(manifest: &Manifest, variables: &Variables<'_>) -> Result<Substituted, SubstituteError> {
    let _ = (manifest, variables);
    unimplemented!("helper: manifest")
}
