//! What `mpak pack` tells: for people, and as JSON.

use std::collections::BTreeMap;

use mpak_bundle::manifest::Problem;
use serde_json::{Value, json};

use super::{Outcome, python_abis};
use crate::bundle_file;
use crate::ui;

/// Lines of the list of contents.
const CONTENTS_LINES_MAX: usize = 12;

/// One problem on one line.
pub(super) fn problem(problem: &Problem) -> String {
    let place = if problem.pointer.is_empty() { "manifest.json" } else { &problem.pointer };
    match problem.line {
        Some(line) => format!("{place} (line {line}): {}", problem.message),
        None => format!("{place}: {}", problem.message),
    }
}

/// The summary for people.
pub(super) fn text(outcome: &Outcome) -> Vec<String> {
    let packed = &outcome.packed;
    let row = |name: &str, value: String| format!("  {name:<10}{}", ui::safe(&value));
    let mut lines = vec![ui::safe(&format!("{}@{}", outcome.manifest.name, outcome.manifest.version))];
    lines.extend(contents(outcome));
    let files = bundle_file::count(packed.files_count, "file");
    lines.push(row(
        "files",
        format!("{files}, {}; {} ignored", ui::bytes(packed.unpacked_bytes), outcome.ignored_count),
    ));
    lines.push(row("bundle", format!("{} ({} bytes)", ui::bytes(packed.bytes), packed.bytes)));
    lines.push(row("sha256", packed.sha256.to_string()));
    lines.push(row("platform", platform(outcome)));
    if let Some(vendored) = &outcome.vendored {
        let done = &vendored.installed;
        let took = seconds(vendored.took.as_millis());
        let what = if done.tool == "none" {
            format!("nothing: the runner installs what {} names", done.source)
        } else {
            let word = if done.tool == "copy" { "program" } else { "package" };
            let count = bundle_file::count(done.components_count, word);
            format!("{count} from {} into {} by {} in {took}", done.source, done.into, done.tool)
        };
        lines.push(row("vendored", what));
        for skipped in &done.skipped {
            lines.push(row("skipped", format!("{}: {}", skipped.name, skipped.message)));
        }
    }
    for warning in &outcome.problems {
        lines.push(row("warning", problem(warning)));
    }
    for finding in outcome.collected.findings() {
        lines.push(row("warning", format!("{}: {}", finding.path, finding.message)));
    }
    lines.push(format!("packed in {}", seconds(outcome.took_ms)));
    lines
}

/// Platform in words: what it fits, and why.
fn platform(outcome: &Outcome) -> String {
    let native = &outcome.native;
    let names: Vec<String> = native.platforms().iter().map(ToString::to_string).collect();
    let count = native.files.len() + native.others.len();
    let files = bundle_file::count(count, "native file");
    let fits = match native.platform() {
        Some(platform) if count == 0 => return format!("{platform} (no native code)"),
        Some(platform) => format!("fits {platform} only ({files})"),
        None if names.is_empty() => format!("fits no platform that registries know ({files})"),
        None => format!("fits each of {} ({files})", names.join(", ")),
    };
    let abis = python_abis(&outcome.collected);
    if abis.is_empty() { fits } else { format!("{fits}, {}", abis.join(", ")) }
}

/// Files and folders at the root with their sizes.
fn contents(outcome: &Outcome) -> Vec<String> {
    let mut groups: BTreeMap<String, (u64, usize)> = BTreeMap::new();
    for file in outcome.collected.files() {
        let path = file.path.as_str();
        let name = path.split_once('/').map_or_else(|| path.to_owned(), |(folder, _)| format!("{folder}/"));
        let group = groups.entry(name).or_default();
        *group = (group.0 + file.bytes, group.1 + 1);
    }
    let more = groups.len().saturating_sub(CONTENTS_LINES_MAX);
    let line = |(name, (bytes, count)): (&String, &(u64, usize))| {
        let files =
            if name.ends_with('/') { format!(" ({})", bundle_file::count(*count, "file")) } else { String::new() };
        format!("  {:>9}  {}{files}", ui::bytes(*bytes), ui::safe(name))
    };
    let mut lines: Vec<String> = groups.iter().take(CONTENTS_LINES_MAX).map(line).collect();
    if more > 0 {
        lines.push(format!("  {:>9}  and {more} more", ""));
    }
    lines
}

/// The summary for programs.
pub(super) fn json(outcome: &Outcome) -> Value {
    let packed = &outcome.packed;
    let native = &outcome.native;
    let platforms: Vec<String> = match native.platform() {
        Some(platform) => vec![platform.to_string()],
        None => native.platforms().iter().map(ToString::to_string).collect(),
    };
    let installed = outcome.vendored.as_ref().map(|vendored| (vendored, &vendored.installed));
    let problems = outcome.problems.iter().map(|problem| {
        json!({"code": problem.code, "place": problem.pointer, "line": problem.line,
            "message": problem.message, "help": problem.help})
    });
    let findings = outcome.collected.findings().iter().map(|finding| {
        json!({"code": finding.code, "place": finding.path, "line": null, "message": finding.message, "help": null})
    });
    json!({
        "name": outcome.manifest.name,
        "version": outcome.manifest.version,
        "path": outcome.output.display().to_string(),
        "bytes": packed.bytes,
        "unpacked_bytes": packed.unpacked_bytes,
        "files": packed.files_count,
        "ignored": outcome.ignored_count,
        "sha256": packed.sha256.to_string(),
        // The one platform it fits; null where it fits each of several, or none.
        "platform": native.platform().map(|platform| platform.to_string()),
        "platforms": platforms,
        "python_abis": python_abis(&outcome.collected),
        "vendored": installed.map(|(vendored, done)| json!({
            "tool": done.tool,
            "source": done.source,
            "into": done.into,
            "components": done.components_count,
            "took_ms": u64::try_from(vendored.took.as_millis()).unwrap_or(u64::MAX),
        })),
        "skipped": installed.map_or_else(Vec::new, |(_, done)| done.skipped.iter().map(|skipped| {
            json!({"code": skipped.code, "name": skipped.name, "message": skipped.message})
        }).collect()),
        "warnings": problems.chain(findings).collect::<Vec<_>>(),
        "took_ms": u64::try_from(outcome.took_ms).unwrap_or(u64::MAX),
    })
}

fn seconds(ms: u128) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
