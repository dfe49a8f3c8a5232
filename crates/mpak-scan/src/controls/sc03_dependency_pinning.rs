//! SC-03: every dependency has one exact version and a hash, and nothing is fetched when the server starts.
//!
//! What is vendored is pinned by being there (MTF decisions, 10). Spec: MTF 0.1 §3.3 SC-03.

use std::collections::BTreeMap;

use mpak_bundle::dependencies::lock::{Locked, Lockfile, Origin, Requirement};
use mpak_bundle::dependencies::{Component, Ecosystem};
use mpak_bundle::sbom;
use serde_json::Value;

use crate::control::{Status, Verdict};
use crate::evidence::{Evidence, MANIFEST};
use crate::report::{Finding, Severity};
use crate::supply::{self, Launch, Supply};

mod fetch;

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let supplies = supply::supplies(evidence);
    let mut findings = Vec::new();
    // 1. Nothing is fetched when the server starts.
    if let Some(document) = evidence.document() {
        findings.extend(supply::launches(document).iter().filter_map(fetches));
        findings.extend(left_to_the_host(document, &supplies));
    }
    // 2. Each ecosystem.
    for supply in &supplies {
        findings.extend(required(supply));
        findings.extend(locked(supply));
        findings.extend(vendored(evidence, supply));
        findings.extend(against_sboms(evidence, supply));
    }
    // 3. The table.
    let blocks = |f: &Finding| {
        ["SC-03/fetches-at-start", "SC-03/missing-lockfile", "SC-03/unpinned", "SC-03/mutable-git"]
            .contains(&f.rule.as_str())
    };
    if findings.iter().any(blocks) {
        return Verdict::fail("what runs is not pinned", findings);
    }
    if supplies.is_empty() && findings.is_empty() {
        return Verdict::new(Status::NotApplicable, "the bundle has no dependencies");
    }
    let from = findings.iter().any(|f| f.rule == "SC-03/no-hash").then_some(3);
    Verdict::pass_or_warn("every dependency has an exact version", findings).failing_from(from)
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("SC-03/{rule}"), severity, title)
}

fn fetches(launch: &Launch) -> Option<Finding> {
    let what = fetch::fetches(&launch.words, &launch.variables)?;
    let title = format!("the server is started by `{what}`, which fetches what it runs");
    let fix = "vendor the dependencies, or start `uv run --frozen` with a uv.lock in the bundle";
    let found = finding("fetches-at-start", Severity::High, title).at(MANIFEST, None);
    Some(found.seen(format!("{}: {}", launch.pointer, launch.words.join(" "))).fix(fix))
}

/// A `uv` server without a command line: the host decides whether the lockfile is law.
fn left_to_the_host(document: &Value, supplies: &[Supply<'_>]) -> Option<Finding> {
    let server = document.get("server")?;
    let is_uv = server.get("type").and_then(Value::as_str) == Some("uv");
    let locked = supplies.iter().any(|s| s.ecosystem == Ecosystem::Pypi && s.complete().next().is_some());
    (is_uv && locked && server.get("mcp_config").is_none_or(Value::is_null)).then(|| {
        finding("host-decides", Severity::Low, "without `mcp_config` the host decides whether the lockfile is obeyed")
            .at(MANIFEST, None)
            .fix("state `uv run --frozen` in `mcp_config`")
    })
}

/// What the project asks for must be vendored or locked.
fn required(supply: &Supply<'_>) -> Vec<Finding> {
    let locked = supply.locked_versions();
    let mut missing: BTreeMap<&str, Vec<&Requirement>> = BTreeMap::new();
    for asked in supply.requirements.iter().filter(|asked| !asked.optional && asked.origin != Origin::Own) {
        let known =
            locked.contains_key(asked.name.as_str()) || is_vendored(supply, asked) || is_pinned_origin(&asked.origin);
        if !known {
            missing.entry(&asked.file).or_default().push(asked);
        }
    }
    let mut findings = Vec::new();
    for (file, asked) in missing {
        let names: Vec<String> =
            asked.iter().take(5).map(|a| format!("`{} {}`", a.name, a.spec).replace(" `", "`")).collect();
        let (count, names) = (asked.len(), names.join(", "));
        let fix = format!("pack the {} lockfile, or vendor what is asked for", supply.ecosystem.as_str());
        let has_lockfile = supply.complete().next().is_some();
        let (rule, title) = if has_lockfile {
            ("unpinned", format!("{count} dependencies are neither vendored nor in the lockfile: {names}"))
        } else {
            ("missing-lockfile", format!("{count} dependencies are not vendored, and there is no lockfile: {names}"))
        };
        findings.push(finding(rule, Severity::High, title).at(file, asked[0].line).fix(fix));
    }
    findings
}

/// Installed under its name; an npm alias is installed under the name that was asked for.
fn is_vendored(supply: &Supply<'_>, asked: &Requirement) -> bool {
    let folder = format!("node_modules/{}/package.json", asked.name);
    let installed =
        |c: &&&Component| c.name == asked.name || (supply.ecosystem == Ecosystem::Npm && c.found_in.ends_with(&folder));
    supply.installed.iter().any(|c| installed(&c))
}

fn is_pinned_origin(origin: &Origin) -> bool {
    matches!(origin, Origin::Git { pinned: true, .. })
}

/// What a lockfile names must be exact, and hashed where it is fetched.
fn locked(supply: &Supply<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for lock in &supply.lockfiles {
        let vendored = |p: &Locked| supply.installed.iter().any(|c| c.name == p.name);
        let fetched: Vec<&Locked> =
            lock.packages.iter().filter(|p| !p.dev && p.origin != Origin::Own && !vendored(p)).collect();
        findings.extend(fetched.iter().filter_map(|p| not_exact(lock, p)));
        let unhashed: Vec<&&Locked> = fetched
            .iter()
            .filter(|p| !p.hashed && p.version.is_some() && matches!(p.origin, Origin::Urls(_)))
            .collect();
        if let Some(first) = unhashed.first() {
            let title = format!("{} packages have no integrity hash, for example `{}`", unhashed.len(), first.name);
            let found = finding("no-hash", Severity::Medium, title).at(&lock.path, first.line);
            findings.push(
                found.fix("write the lockfile with hashes (`npm install`, `uv lock`, `pip-compile --generate-hashes`)"),
            );
        }
    }
    findings
}

fn not_exact(lock: &Lockfile, package: &Locked) -> Option<Finding> {
    let name = &package.name;
    let (rule, title) = match &package.origin {
        Origin::Git { pinned: false, url } => {
            ("mutable-git", format!("`{name}` comes from `{url}` without a whole commit"))
        }
        Origin::Urls(_) if package.version.is_none() => ("unpinned", format!("`{name}` has no exact version")),
        _ => return None,
    };
    Some(finding(rule, Severity::High, title).at(&lock.path, package.line).fix("name one exact version"))
}

/// Vendored packages whose content no hash is known of.
fn vendored(evidence: &Evidence, supply: &Supply<'_>) -> Option<Finding> {
    let hashed: BTreeMap<(&str, &str), bool> = supply
        .lockfiles
        .iter()
        .flat_map(|lock| &lock.packages)
        .filter_map(|p| Some(((p.name.as_str(), p.version.as_deref()?), p.hashed || is_pinned_origin(&p.origin))))
        .fold(BTreeMap::new(), |mut all, (key, hashed)| {
            *all.entry(key).or_default() |= hashed;
            all
        });
    let known = |c: &Component| {
        hashed.get(&(c.name.as_str(), c.version.as_str())) == Some(&true)
            || (supply.ecosystem == Ecosystem::Pypi && has_record(evidence, c))
    };
    let unknown: Vec<&&Component> = supply.installed.iter().filter(|c| !known(c)).collect();
    let first = unknown.first()?;
    let title = format!(
        "{} vendored {} packages have an exact version and no known hash, for example `{}` {}",
        unknown.len(),
        supply.ecosystem.as_str(),
        first.name,
        first.version
    );
    let fix = "keep `node_modules/.package-lock.json` and `*.dist-info/RECORD` in the bundle, or pack the lockfile";
    Some(finding("no-hash", Severity::Medium, title).at(&first.found_in, None).fix(fix))
}

/// `RECORD` beside `METADATA` holds a hash of each file.
fn has_record(evidence: &Evidence, component: &Component) -> bool {
    let Some((folder, _)) = component.found_in.rsplit_once('/') else { return false };
    let record = format!("{folder}/RECORD");
    evidence.files().iter().any(|file| file.path == record)
}

/// A lockfile and a bill of materials that name different versions.
fn against_sboms(evidence: &Evidence, supply: &Supply<'_>) -> Vec<Finding> {
    let locked = supply.locked_versions();
    let prefix = format!("pkg:{}/", supply.ecosystem.as_str());
    let mut findings = Vec::new();
    for file in evidence.sboms() {
        let Ok(document) = &file.read else { continue };
        for purl in document.components.iter().filter_map(|c| c.purl.as_deref()) {
            let plain = sbom::plain_purl(purl);
            let Some((name, version)) = plain.strip_prefix(&prefix).and_then(|rest| rest.rsplit_once('@')) else {
                continue;
            };
            let Some(versions) = locked.get(name).filter(|versions| !versions.is_empty()) else { continue };
            if !versions.contains(version) {
                let versions: Vec<&str> = versions.iter().copied().take(5).collect();
                let title = format!("the SBOM lists `{name}` {version}, the lockfile {}", versions.join(", "));
                findings.push(
                    finding("sbom-mismatch", Severity::Medium, title)
                        .at(&file.path, None)
                        .fix("make both from one installation"),
                );
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests;
