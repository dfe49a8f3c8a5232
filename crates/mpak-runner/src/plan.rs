//! A plan: everything that starting a server needs, nothing left to decide. It can be shown before it is
//! carried out.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::environment::Environment;

/// What will be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments; there is no shell.
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: Environment,
    /// Working folder: the extracted bundle.
    pub cwd: PathBuf,
    /// What must be done once before the first start.
    pub prepare: Option<Prepare>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// A step that must succeed once before the server starts; its output goes to stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// What it does, for people.
    pub title: String,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments.
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: Environment,
    /// Working folder.
    pub cwd: PathBuf,
    /// Written after success; while it exists the step is not planned again.
    pub marker: PathBuf,
}
