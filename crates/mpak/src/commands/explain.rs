//! `mpak explain`: explain a control.

use std::process::ExitCode;

use mpak_scan::control::Control;
use mpak_scan::controls::{self, CONTROLS};
use mpak_scan::{outside, policy, report, suppressions};
use serde_json::{Value, json};

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Control, for example CQ-01, or the schema of a format: `report`, `evidence`, `policy`, `suppressions`;
    /// without one all controls are listed
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, _: &Settings) -> CommandResult {
    match &args.id {
        Some(id) if schema(id).is_some() => ui::data(schema(id).unwrap_or_default().trim_end()),
        Some(id) => {
            let control = controls::find(id.trim()).ok_or_else(|| unknown(id))?;
            if args.json {
                let mut value = head(control);
                value["page"] = json!(control.page);
                ui::json(&value);
            } else {
                ui::data(control.page.trim_end());
            }
        }
        None if args.json => ui::json(&json!({"controls": CONTROLS.iter().map(head).collect::<Vec<_>>()})),
        None => {
            let row = |c: &Control| {
                let code = if c.judge.is_some() { "yes" } else { "not yet" };
                vec![c.id.to_owned(), format!("L{}", c.level), code.to_owned(), c.name.to_owned()]
            };
            let rows: Vec<Vec<String>> = CONTROLS.iter().map(row).collect();
            for line in ui::table(&["CONTROL", "LEVEL", "CHECKED", "NAME"], &rows) {
                ui::data(line.trim_end());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The schema of a format, which is JSON already.
fn schema(name: &str) -> Option<&'static str> {
    let known = [
        ("report", report::SCHEMA),
        ("evidence", outside::SCHEMA),
        ("policy", policy::SCHEMA),
        ("suppressions", suppressions::SCHEMA),
    ];
    known.into_iter().find(|(word, _)| name.trim().eq_ignore_ascii_case(word)).map(|(_, schema)| schema)
}

fn head(control: &Control) -> Value {
    let implemented = control.judge.is_some();
    json!({"id": control.id, "name": control.name, "level": control.level, "domain": control.domain, "implemented": implemented})
}

/// Suggests the controls whose id or name shares something with what was typed.
fn unknown(id: &str) -> CommandError {
    let typed = id.trim().to_lowercase();
    let letters: String = typed.chars().filter(char::is_ascii_alphabetic).collect();
    let near = |c: &&Control| {
        let (id, name) = (c.id.to_lowercase(), c.name.to_lowercase());
        id.replace('-', "") == typed.replace(['-', '_', ' '], "")
            || (!letters.is_empty() && (id.starts_with(&letters) || (letters.len() > 2 && name.contains(&letters))))
    };
    let suggestions: Vec<&str> = CONTROLS.iter().filter(near).map(|c| c.id).collect();
    let error = CommandError::new(Kind::NotFound, format!("there is no control `{id}`"));
    let error =
        if suggestions.is_empty() { error } else { error.hint(format!("did you mean {}?", suggestions.join(", "))) };
    error.hint("`mpak explain` lists all controls")
}
