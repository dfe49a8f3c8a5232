//! What a server was seen to do in a sandbox, as a plain struct: who watched is not the scanner's business.

use serde::{Deserialize, Serialize};

/// An observed run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Behaviour {
    /// Who watched, and how.
    pub observed_by: Option<String>,
    /// Whether the server started and answered.
    pub started: bool,
    /// Tools that it listed.
    pub tools_listed: Vec<String>,
    /// Tools that were called with valid inputs.
    pub tools_called: Vec<String>,
    /// Connections that it opened or tried to open.
    pub network: Vec<Connection>,
    /// Files outside its own folder that it opened.
    pub files: Vec<FileUse>,
    /// Environment variables that it read beyond those it is given.
    pub environment: Vec<VariableUse>,
    /// Processes that it started.
    pub processes: Vec<ProcessUse>,
    /// OAuth scopes that it asked for.
    pub scopes: Vec<String>,
    /// Tools that did something else than their description says.
    pub differences: Vec<Difference>,
}

/// When something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum During {
    /// Between start and the end of the handshake.
    Init,
    /// While a tool was called, or later.
    #[default]
    Call,
}

/// A connection.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Connection {
    /// When.
    #[serde(default)]
    pub during: During,
    /// Name or address of the other side.
    pub host: String,
    /// Port.
    #[serde(default)]
    pub port: Option<u16>,
}

/// What was done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read.
    Read,
    /// Written, made, renamed or removed.
    Write,
}

/// A use of a file.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct FileUse {
    /// When.
    #[serde(default)]
    pub during: During,
    /// Path on the sandbox's file system.
    pub path: String,
    /// What was done.
    pub access: Access,
    /// Whether the watcher counts the path among the sensitive ones (keys, wallets, browser profiles).
    #[serde(default)]
    pub sensitive: bool,
}

/// A use of an environment variable.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct VariableUse {
    /// When.
    #[serde(default)]
    pub during: During,
    /// Its name.
    pub name: String,
}

/// A process that was started.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ProcessUse {
    /// When.
    #[serde(default)]
    pub during: During,
    /// Program and arguments, as one text.
    pub command: String,
}

/// A tool that did something else.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Difference {
    /// The tool.
    pub tool: String,
    /// What it did.
    pub text: String,
}
