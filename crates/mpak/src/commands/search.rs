//! `mpak search` and `mpak bundle search`: find packages.
//!
//! For people on stderr, as existing clients do; with `--json` on stdout, also when nothing is found.

use std::process::ExitCode;

use mpak_api::bundle::{SearchResponse, Summary};

use crate::client::{ClientError, SearchQuery};
use crate::commands::{client, configured_registry};
use crate::error::CommandResult;
use crate::settings::Settings;
use crate::ui;

/// The order that is asked for where nobody says one.
const BEST_FIRST: &str = "relevance";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Words to look for
    pub query: String,
    /// Order of the results
    #[arg(long, value_parser = [BEST_FIRST, "downloads", "recent", "name"])]
    pub sort: Option<String>,
    /// Most results, 1 to 100
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub limit: Option<u64>,
    /// Results to leave out
    #[arg(long, value_name = "N")]
    pub offset: Option<u64>,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `bundle search`.
#[derive(Debug, clap::Args)]
pub struct BundleArgs {
    #[command(flatten)]
    common: Args,
    /// Kind of server
    #[arg(long = "type", value_name = "TYPE", value_parser = ["node", "python", "binary", "uv"])]
    server_type: Option<String>,
}

impl BundleArgs {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        self.common.json
    }
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let found = ask(args, None, settings)?;
    if args.json {
        ui::json(&serde_json::json!({"results": found.bundles, "totals": {"bundles": found.total}}));
        return Ok(ExitCode::SUCCESS);
    }
    let query = ui::safe(&args.query);
    if found.bundles.is_empty() {
        ui::note(&format!("\nNo results found for \"{query}\""));
        return Ok(ExitCode::SUCCESS);
    }
    ui::note(&format!("\nFound {} result(s) for \"{query}\":", found.total));
    ui::note(&format!("\nBundles ({}):\n", found.total));
    table(&found.bundles, "", 40);
    if found.pagination.has_more {
        ui::note(&format!("\n  Use --offset {} to see more results.", next(&found)));
    }
    ui::note("\nUse \"mpak bundle show <name>\" for details.");
    Ok(ExitCode::SUCCESS)
}

/// Runs `bundle search`.
pub fn run_bundle(args: &BundleArgs, settings: &Settings) -> CommandResult {
    let found = ask(&args.common, args.server_type.as_deref(), settings)?;
    if args.common.json {
        ui::json(&found);
        return Ok(ExitCode::SUCCESS);
    }
    let query = ui::safe(&args.common.query);
    if found.bundles.is_empty() {
        ui::note(&format!("\nNo bundles found for \"{query}\""));
        return Ok(ExitCode::SUCCESS);
    }
    ui::note(&format!("\nFound {} bundle(s) for \"{query}\":\n", found.total));
    table(&found.bundles, "v", 50);
    if found.pagination.has_more {
        ui::note(&format!("\nMore results available. Use --offset {} to see more.", next(&found)));
    }
    ui::note("\nUse \"mpak bundle show <bundle>\" for more details");
    Ok(ExitCode::SUCCESS)
}

fn ask(
    args: &Args,
    server_type: Option<&str>,
    settings: &Settings,
) -> Result<SearchResponse, crate::error::CommandError> {
    let client = client(configured_registry(args.registry.as_deref(), settings)?, settings)?;
    let query = |sort| SearchQuery { q: &args.query, server_type, sort, limit: args.limit, offset: args.offset };
    if let Some(sort) = args.sort.as_deref() {
        return Ok(client.search(&query(Some(sort)))?);
    }
    match client.search(&query(Some(BEST_FIRST))) {
        // Other registries do not know this order.
        Err(ClientError::Refused { .. }) => Ok(client.search(&query(None))?),
        found => Ok(found?),
    }
}

fn next(found: &SearchResponse) -> u64 {
    found.pagination.offset + found.bundles.len() as u64
}

fn table(bundles: &[Summary], version_prefix: &str, description_chars: usize) {
    let row = |b: &Summary| {
        vec![
            cut(&ui::safe(&b.name), 38),
            format!("{version_prefix}{}", ui::safe(&b.latest_version)),
            b.certification_level.map_or_else(|| "-".to_owned(), |level| format!("L{level}")),
            cut(&ui::safe(b.description.as_deref().unwrap_or_default()), description_chars),
        ]
    };
    let rows: Vec<_> = bundles.iter().map(row).collect();
    for line in ui::table(&["NAME", "VERSION", "TRUST", "DESCRIPTION"], &rows) {
        ui::note(&line);
    }
}

/// At most so many characters, the last three dots where something is left out.
fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_by_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("abcdefg", 6), "abc...");
        assert_eq!(cut(&"ä".repeat(39), 38), format!("{}...", "ä".repeat(35)));
    }
}
