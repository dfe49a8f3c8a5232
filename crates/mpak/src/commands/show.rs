//! `mpak show`: one package: what it is, what it can do, how far it is trusted.

use std::process::ExitCode;

use mpak_api::bundle::{Detail, VersionSummary, VersionsResponse, WirePlatform};
use mpak_api::index;
use mpak_bundle::name::PackageSpec;
use serde_json::Value;

use crate::commands::{client, configured_registry, parse_spec};
use crate::error::CommandResult;
use crate::settings::Settings;
use crate::ui::{self, safe};

/// Most versions and tools that are listed.
const VERSIONS_SHOWN_MAX: usize = 5;
const TOOLS_SHOWN_MAX: usize = 200;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package: @scope/name
    pub package: String,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let spec: PackageSpec = parse_spec(&args.package)?;
    let client = client(configured_registry(args.registry.as_deref(), settings)?, settings)?;
    let detail = client.detail(&spec.name)?;
    let versions = client.versions(&spec.name)?;
    // What existing registries cannot tell; there it is left out.
    let index = client.well_known().ok().flatten();
    let index = index.and_then(|known| client.index(&known, &spec.name, spec.name.as_str()).ok());
    if args.json {
        let mut value = serde_json::to_value(&detail).expect("our own types serialise");
        value["versions_detail"] = serde_json::to_value(&versions.versions).expect("our own types serialise");
        if let Some(index) = &index {
            let yanked = index.versions.iter().filter(|v| v.yanked).map(|v| v.version.as_str());
            value["yanked"] = yanked.collect();
            value["deprecated"] = serde_json::to_value(&index.deprecated).expect("our own types serialise");
        }
        ui::json(&value);
        return Ok(ExitCode::SUCCESS);
    }
    for line in lines(&detail, &versions, index.as_ref()) {
        ui::note(&line);
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(detail: &Detail, versions: &VersionsResponse, index: Option<&index::Package>) -> Vec<String> {
    let mut out = header(detail);
    out.extend(index.and_then(|index| index.deprecated.as_ref()).map(deprecation));
    out.extend(trust(detail));
    out.extend(provenance(detail.summary.provenance.as_ref()));
    let summary = &detail.summary;
    out.push("\nStatistics:".to_owned());
    out.push(format!("  Downloads: {}", summary.downloads));
    out.push(format!("  Published: {}", safe(day(&summary.published_at))));
    out.extend(tools(&summary.tools));
    out.extend(version_lines(versions, index));
    out.extend(platforms(versions));
    out.push("\nPull (download only):".to_owned());
    out.push(format!("  mpak bundle pull {}", safe(&summary.name)));
    out.push("\nRun:".to_owned());
    out.push(format!("  mpak run {}", safe(&summary.name)));
    out
}

fn header(detail: &Detail) -> Vec<String> {
    let summary = &detail.summary;
    let verified = if summary.verified { "✓ " } else { "" };
    let provenance = if summary.provenance.is_some() { "🔒 " } else { "" };
    let title = summary.display_name.as_deref().unwrap_or(&summary.name);
    let mut out = vec![format!("\n{verified}{provenance}{} v{}\n", safe(title), safe(&summary.latest_version))];
    if let Some(description) = summary.description.as_deref().filter(|d| !d.is_empty()) {
        out.push(format!("{}\n", safe(description)));
    }
    out.push("Bundle Information:".to_owned());
    let author = summary.author.as_ref().map(|a| a.name.as_str());
    let rows = [
        ("Name", Some(summary.name.as_str())),
        ("Author", author),
        ("Type", Some(summary.server_type.as_str())),
        ("License", detail.license.as_deref()),
        ("Homepage", detail.homepage.as_deref()),
    ];
    let given = rows.into_iter().filter_map(|(name, value)| Some((name, value.filter(|v| !v.is_empty())?)));
    out.extend(given.map(|(name, value)| format!("  {name}: {}", safe(value))));
    out
}

fn deprecation(deprecated: &index::Deprecated) -> String {
    let instead = deprecated.replacement.as_deref().map(|name| format!("; use {} instead", safe(name)));
    format!("\nDeprecated: {}{}", safe(&deprecated.message), instead.unwrap_or_default())
}

fn trust(detail: &Detail) -> Vec<String> {
    let Some(level) = detail.summary.certification_level else { return Vec::new() };
    let label = match level {
        0 => "L0",
        1 => "L1 Basic",
        2 => "L2 Standard",
        3 => "L3 Verified",
        4 => "L4 Attested",
        _ => return vec![format!("\nTrust: L{level}")],
    };
    let mut out = vec![format!("\nTrust: {label}")];
    let count = |name: &str| detail.certification.as_ref().and_then(|c| c.get(name)).and_then(Value::as_u64);
    if let (Some(passed), Some(total)) = (count("controls_passed"), count("controls_total")) {
        out.push(format!("  Controls: {passed}/{total} passed"));
    }
    out
}

fn provenance(provenance: Option<&Value>) -> Vec<String> {
    let Some(provenance) = provenance.filter(|p| p.is_object()) else { return Vec::new() };
    let text = |name: &str| provenance.get(name).and_then(Value::as_str);
    let commit = text("sha").map(|sha| sha.chars().take(12).collect::<String>());
    let rows = [("Repository", text("repository")), ("Commit", commit.as_deref()), ("Provider", text("provider"))];
    let given = rows.into_iter().filter_map(|(name, value)| Some(format!("  {name}: {}", safe(value?))));
    std::iter::once("\nProvenance:".to_owned()).chain(given).collect()
}

/// Registries pass on whatever the manifest holds; what is no list of named things is left out.
fn tools(tools: &Value) -> Vec<String> {
    let named = |tool: &Value| {
        let name = safe(tool.get("name")?.as_str()?);
        let description = tool.get("description").and_then(Value::as_str).filter(|d| !d.is_empty());
        Some(description.map_or(format!("  - {name}"), |d| format!("  - {name}: {}", safe(d))))
    };
    let lines: Vec<String> = tools.as_array().into_iter().flatten().filter_map(named).collect();
    if lines.is_empty() {
        return lines;
    }
    let more = lines.len().saturating_sub(TOOLS_SHOWN_MAX);
    let mut out = vec![format!("\nTools ({}):", lines.len())];
    out.extend(lines.into_iter().take(TOOLS_SHOWN_MAX));
    if more > 0 {
        out.push(format!("  ... and {more} more"));
    }
    out
}

fn version_lines(versions: &VersionsResponse, index: Option<&index::Package>) -> Vec<String> {
    let all = &versions.versions;
    let yanked =
        |v: &VersionSummary| index.is_some_and(|i| i.versions.iter().any(|o| o.yanked && o.version == v.version));
    let mut out = vec![format!("\nVersions ({}):", all.len())];
    out.extend(all.iter().take(VERSIONS_SHOWN_MAX).map(|v| version_line(v, &versions.latest, yanked(v))));
    if all.len() > VERSIONS_SHOWN_MAX {
        out.push(format!("  ... and {} more", all.len() - VERSIONS_SHOWN_MAX));
    }
    out
}

fn version_line(version: &VersionSummary, latest: &str, yanked: bool) -> String {
    let mark = match (yanked, version.version == latest) {
        (true, _) => " (yanked)",
        (false, true) => " (latest)",
        (false, false) => "",
    };
    let lock = if version.provenance.is_some() { " 🔒" } else { "" };
    let platforms: Vec<String> = version.platforms.iter().map(platform).collect();
    let platforms = if platforms.is_empty() { String::new() } else { format!(" [{}]", platforms.join(", ")) };
    format!(
        "  {}{mark}{lock} - {} - {} downloads{platforms}",
        safe(&version.version),
        safe(day(&version.published_at)),
        version.downloads
    )
}

fn platforms(versions: &VersionsResponse) -> Vec<String> {
    let latest = versions.versions.iter().find(|v| v.version == versions.latest);
    let list: Vec<String> =
        latest.into_iter().flat_map(|v| &v.platforms).map(|p| format!("  - {}", platform(p))).collect();
    if list.is_empty() { list } else { std::iter::once("\nAvailable Platforms:".to_owned()).chain(list).collect() }
}

fn platform(platform: &WirePlatform) -> String {
    format!("{}-{}", safe(&platform.os), safe(&platform.arch))
}

/// The day of a time.
fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_of_a_wrong_type_are_left_out() {
        for hostile in [
            serde_json::json!("a text"),
            serde_json::json!(null),
            serde_json::json!({"name": "x"}),
            serde_json::json!(["x", 1, {"name": 1}, {"description": "x"}]),
        ] {
            assert_eq!(tools(&hostile), Vec::<String>::new());
        }
        let good = serde_json::json!([{"name": "add", "description": "Adds\u{1b}[2J"}, {"name": "sub"}, 7]);
        assert_eq!(tools(&good), ["\nTools (2):", "  - add: Adds\\u{1b}[2J", "  - sub"]);
    }
}
