//! Node.js servers: `node` on `PATH`, its version against the manifest's range.
//!
//! Dependencies stand in `node_modules/` inside the bundle and are found by Node itself.

use std::path::Path;

use super::{Chosen, ProbeCache};
use crate::environment::Environment;
use crate::launch::{Context, LaunchError};

/// Makes the command line of a Node.js server. An empty command is `node`, no arguments mean the entry point.
///
/// # Errors
/// [`LaunchError`] when Node.js is missing or its version does not fit.
pub fn choose(context: &Context<'_>, probes: &mut ProbeCache) -> Result<Chosen, LaunchError> {
    let command = if context.command.command.is_empty() { "node" } else { &context.command.command };
    let program = context.program(command)?;
    if let (true, Some(range)) = (is_node(command), &context.manifest.compatibility.node) {
        check_version(&program, range, context.host, probes)?;
    }
    let mut args = context.args();
    if args.is_empty() {
        args.push(context.entry_point()?.into());
    }
    Ok(Chosen { program, args, env: Vec::new(), notes: Vec::new() })
}

fn is_node(command: &str) -> bool {
    matches!(command, "node" | "node.exe" | "nodejs")
}

fn check_version(program: &Path, range: &str, host: &Environment, probes: &mut ProbeCache) -> Result<(), LaunchError> {
    let answer = probes
        .ask(program, &["--version"], host)
        .ok_or_else(|| LaunchError::Unusable { program: program.to_owned(), question: "--version" })?;
    let found = answer.trim().trim_start_matches('v').to_owned();
    if super::allows(range, &found) {
        return Ok(());
    }
    Err(LaunchError::Version { runtime: "Node.js", range: range.to_owned(), found, program: program.to_owned() })
}
