//! uv servers: `uv run` in the bundle, with its virtual environment kept outside of it.
//!
//! The first start fetches what `uv.lock` or `pyproject.toml` name; this is a step of its own, before the
//! server starts and outside the host's start-up time-out. Later starts do not touch the network.

use std::ffi::OsString;

use super::Chosen;
use crate::environment::Environment;
use crate::launch::{Context, LaunchError};
use crate::plan::Prepare;

/// Makes the command line of a uv server, and the step before its first start.
///
/// # Errors
/// [`LaunchError`] when uv is missing.
pub fn choose(context: &Context<'_>) -> Result<(Chosen, Option<Prepare>), LaunchError> {
    let given = context.manifest.server.mcp_config.as_ref().map_or("", |_| context.command.command.as_str());
    let command = if given.is_empty() { "uv" } else { given };
    let program = context.program(command)?;
    let mut args = if given.is_empty() { Vec::new() } else { context.args() };
    if args.is_empty() {
        args = ["run", "--directory"].map(OsString::from).into();
        args.push(context.bundle.into());
        args.push(context.manifest.server.entry_point.clone().into());
    }
    let mut env = shared(context);
    let prepare =
        if command == "uv" && !context.uv_marker().is_file() { Some(prepare(context, &program)?) } else { None };
    if command == "uv" {
        env.extend([("UV_NO_SYNC", "1"), ("UV_OFFLINE", "1")].map(pair));
    }
    Ok((Chosen { program, args, env, notes: Vec::new() }, prepare))
}

fn shared(context: &Context<'_>) -> Vec<(OsString, OsString)> {
    let mut env: Vec<_> =
        [("UV_NO_DEV", "1"), ("UV_NO_PROGRESS", "1"), ("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONUTF8", "1")]
            .map(pair)
            .into();
    env.push(("UV_PROJECT_ENVIRONMENT".into(), context.uv_environment.into()));
    if context.bundle.join("uv.lock").is_file() {
        env.push(pair(("UV_FROZEN", "1")));
    }
    env
}

fn pair((name, value): (&str, &str)) -> (OsString, OsString) {
    (name.into(), value.into())
}

/// `uv sync`, with the host's own uv settings (index, mirrors, cache), which the server does not get.
fn prepare(context: &Context<'_>, program: &std::path::Path) -> Result<Prepare, LaunchError> {
    if !context.bundle.join("pyproject.toml").is_file() {
        return Err(LaunchError::EntryPoint { path: context.bundle.join("pyproject.toml") });
    }
    let mut env: Environment =
        context.host.iter().filter(|(name, _)| *name != "MPAK_TOKEN").map(|(n, v)| (n.clone(), v.clone())).collect();
    env.extend(shared(context));
    let mut args: Vec<OsString> = ["sync", "--no-dev", "--no-progress", "--directory"].map(OsString::from).into();
    args.insert(1, "--quiet".into());
    args.push(context.bundle.into());
    if context.bundle.join("uv.lock").is_file() {
        args.insert(1, "--frozen".into());
    }
    Ok(Prepare {
        title: "installing what the server needs (first start only)".into(),
        program: program.to_owned(),
        args,
        env,
        cwd: context.bundle.to_owned(),
        marker: context.uv_marker(),
    })
}
