//! Binary servers: a program inside the bundle, never one of the host.

use std::fs;
use std::path::{Path, PathBuf};

use mpak_bundle::platform::Os;

use super::Chosen;
use crate::launch::{Context, LaunchError};

/// Makes the command line of a binary server: the command where it names a file of the bundle, else the
/// entry point (existing clients look only at the entry point).
///
/// # Errors
/// [`LaunchError`] when neither is a file of the bundle.
pub fn choose(context: &Context<'_>) -> Result<Chosen, LaunchError> {
    let command = &context.command.command;
    let mut notes = Vec::new();
    let entry = &context.manifest.server.entry_point;
    let program = if let Some(program) = inside(context, command) {
        program
    } else {
        if !command.is_empty() && command != entry {
            notes.push(format!("the command `{command}` is no file of the bundle; its entry point is started"));
        }
        inside(context, entry).ok_or_else(|| LaunchError::EntryPoint { path: context.bundle.join(entry) })?
    };
    make_executable(&program)?;
    Ok(Chosen { program, args: context.args(), env: Vec::new(), notes })
}

/// The file of the bundle that a command names, on Windows also with `.exe` behind it.
fn inside(context: &Context<'_>, command: &str) -> Option<PathBuf> {
    if command.is_empty() {
        return None;
    }
    let path = context.contained(command)?;
    if path.is_file() {
        return Some(path);
    }
    if context.os != Os::Win32 {
        return None;
    }
    let mut with_ending = path.into_os_string();
    with_ending.push(".exe");
    let path = PathBuf::from(with_ending);
    path.is_file().then_some(path)
}

/// Archives made on Windows carry no execute bits.
fn make_executable(program: &Path) -> Result<(), LaunchError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let error = |source| LaunchError::Io { path: program.to_owned(), source };
        let mode = fs::metadata(program).map_err(error)?.permissions().mode();
        if mode & 0o111 == 0 {
            fs::set_permissions(program, fs::Permissions::from_mode(mode | (mode & 0o444) >> 2)).map_err(error)?;
        }
    }
    #[cfg(not(unix))]
    let _ = fs::metadata(program);
    Ok(())
}
