//! The permissions that a manifest should declare, told from what the code does.

use std::path::Path;
use std::process::ExitCode;

use super::subject::Subject;
use crate::error::{CommandError, CommandResult, Kind};
use crate::ui;

/// The block on stdout, and for people what it was made from.
pub(super) fn suggest(path: &Path) -> CommandResult {
    let evidence = Subject::open(path)?.evidence(path, None, None)?;
    let Some(block) = evidence.suggested_permissions() else {
        return Err(CommandError::new(
            Kind::No,
            "the bundle holds no code that can be read, so there is nothing to suggest",
        )
        .hint("declare the permissions by hand, and see `mpak explain CD-02`"));
    };
    let found = evidence.capabilities();
    for line in found.summary() {
        ui::note(&ui::safe(&line));
    }
    if found.partly {
        ui::note("some code could not be read: the server may do more");
    }
    ui::note("put this into manifest.json, after removing from the code what should not be there:");
    ui::text(&format!("{block:#}\n"));
    Ok(ExitCode::SUCCESS)
}
