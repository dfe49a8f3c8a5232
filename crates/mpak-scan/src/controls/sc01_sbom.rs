//! SC-01: the bundle's components are known, by its own bill of materials or by one we generate.
//!
//! Spec: MTF 0.1 §3.3 SC-01; a missing document warns, because a generated one takes its place.

use std::collections::{BTreeMap, BTreeSet};

use mpak_bundle::dependencies::Component;
use mpak_bundle::sbom::{self, Listed, Sbom};

use crate::control::Verdict;
use crate::evidence::{Evidence, SbomFile};
use crate::report::{Finding, Severity};

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    // 1. Records that could not be read mean components that nobody knows of.
    let mut findings = gaps(evidence);
    let survey = evidence.dependencies();
    let count = survey.components.len();
    // 2. No document: the generated one takes its place.
    if evidence.sboms().is_empty() {
        let title = format!("the bundle has no SBOM; one with {count} components was generated");
        findings.push(
            Finding::new("SC-01/generated", Severity::Low, title)
                .fix("put a CycloneDX `sbom.json` at the root, made from the installation that is packed"),
        );
        return Verdict::pass_or_warn("the SBOM was generated from the content", findings);
    }
    // 3. Each document against the content.
    let mut contradicted = false;
    for file in evidence.sboms() {
        let (bad, found) = compare(file, &survey.components);
        contradicted |= bad;
        findings.extend(found);
    }
    if contradicted {
        return Verdict::fail("the SBOM contradicts the content", findings);
    }
    Verdict::pass_or_warn(format!("the SBOM agrees with the {count} components found"), findings)
}

fn gaps(evidence: &Evidence) -> Vec<Finding> {
    let survey = evidence.dependencies();
    let unreadable = survey.unreadable.iter().map(|path| {
        Finding::new("SC-01/unreadable-record", Severity::Medium, "a package's record cannot be read")
            .at(path, None)
            .fix("install the package again; its record must be well-formed and below the size limit")
    });
    let truncated = survey.truncated.then(|| {
        let title = format!("only the first {} components are judged", survey.components.len());
        Finding::new("SC-01/too-many-components", Severity::Medium, title)
    });
    unreadable.chain(truncated).collect()
}

/// Whether the document contradicts the content, and all findings about it.
fn compare(file: &SbomFile, found: &[Component]) -> (bool, Vec<Finding>) {
    let finding = |rule: &str, severity, title: String| {
        Finding::new(format!("SC-01/{rule}"), severity, title).at(&file.path, None)
    };
    let document = match &file.read {
        Ok(document) => document,
        Err(why) => {
            let finding = finding("invalid-sbom", Severity::High, format!("the SBOM cannot be read: {why}"))
                .fix("write CycloneDX 1.4 to 1.6 or SPDX 2.3 as JSON, or leave the file out");
            return (true, vec![finding]);
        }
    };
    let mut findings = Vec::new();
    // 1. What every component must say.
    for (i, listed) in document.components.iter().enumerate() {
        if let Some(title) = incomplete(i, listed) {
            findings
                .push(finding("incomplete-component", Severity::Low, title).fix("give name, version and package URL"));
        }
    }
    // 2. What is vendored must be listed in that version.
    let versions = listed_versions(document);
    let mut contradicted = false;
    for component in found {
        let (package, version) = split(&sbom::plain_purl(&component.purl()));
        let title = match versions.get(&package) {
            Some(listed) if listed.contains(&version) => continue,
            Some(listed) => {
                let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
                format!("`{package}` is vendored in version {version}, the SBOM lists {}", listed.join(", "))
            }
            None => format!("`{package}` {version} is vendored and not in the SBOM"),
        };
        let fix = "make the SBOM again from the installation that is packed";
        // A lockfile also names what is not shipped, so it alone contradicts nothing.
        let (rule, severity) = if component.is_installed() {
            contradicted = true;
            ("contradiction", Severity::High)
        } else {
            ("lockfile-mismatch", Severity::Medium)
        };
        findings.push(finding(rule, severity, title).seen(&component.found_in).fix(fix));
    }
    // 3. What is listed in an ecosystem that we see, and is not there.
    let seen: BTreeSet<(String, String)> = found.iter().map(|c| split(&sbom::plain_purl(&c.purl()))).collect();
    let ecosystems: BTreeSet<&str> = found.iter().map(|c| c.ecosystem.as_str()).collect();
    for (package, listed) in &versions {
        let ours = package.strip_prefix("pkg:").and_then(|rest| rest.split('/').next());
        for version in listed.iter().filter(|v| !seen.contains(&(package.clone(), (*v).clone()))) {
            if ours.is_some_and(|ecosystem| ecosystems.contains(ecosystem)) {
                let title = format!("the SBOM lists `{package}` {version}, which is not vendored");
                findings.push(finding("not-vendored", Severity::Low, title));
            }
        }
    }
    (contradicted, findings)
}

fn incomplete(i: usize, listed: &Listed) -> Option<String> {
    let fields = [("name", &listed.name), ("version", &listed.version), ("purl", &listed.purl)];
    let missing: Vec<&str> = fields.iter().filter(|(_, value)| value.is_none()).map(|(field, _)| *field).collect();
    let name = listed.name.as_deref().unwrap_or("?");
    (!missing.is_empty()).then(|| format!("component {i} (`{name}`) has no {}", missing.join(", no ")))
}

/// Package URL without version → the versions listed.
fn listed_versions(document: &Sbom) -> BTreeMap<String, BTreeSet<String>> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for purl in document.components.iter().filter_map(|c| c.purl.as_deref()) {
        let (package, version) = split(&sbom::plain_purl(purl));
        versions.entry(package).or_default().insert(version);
    }
    versions
}

/// `pkg:npm/@a/b@1.0.0` gives package and version. PyPI names are compared in their normal form.
fn split(purl: &str) -> (String, String) {
    let start = purl.rfind('/').map_or(0, |at| at + 1);
    let (package, version) = match purl[start..].rfind('@') {
        Some(at) if at > 0 => (&purl[..start + at], &purl[start + at + 1..]),
        _ => (purl, ""),
    };
    let package = if package.starts_with("pkg:pypi/") {
        package.to_lowercase().replace(['_', '.'], "-")
    } else {
        package.to_owned()
    };
    (package, version.to_owned())
}

#[cfg(test)]
mod tests {
    use mpak_bundle::dependencies::Ecosystem;
    use serde_json::{Value, json};

    use super::*;

    fn vendored(name: &str, version: &str) -> Component {
        Component {
            ecosystem: Ecosystem::Npm,
            name: name.to_owned(),
            version: version.to_owned(),
            license: None,
            found_in: format!("node_modules/{name}/package.json"),
        }
    }

    fn listing(components: &Value) -> SbomFile {
        let document = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components});
        SbomFile {
            path: "sbom.json".into(),
            read: sbom::read(document.to_string().as_bytes()).map_err(|e| e.to_string()),
        }
    }

    #[test]
    fn a_document_is_compared_with_what_is_vendored() {
        let one = |name: &str, version: &str, purl: &str| json!([{"name": name, "version": version, "purl": purl}]);
        for (components, contradicted, rules) in [
            (one("b", "1.0.0", "pkg:npm/%40a/b@1.0.0"), false, vec![]),
            (one("b", "1.0.0", "pkg:npm/%40a/b@1.0.0?x=y"), false, vec![]),
            (one("b", "2.0.0", "pkg:npm/%40a/b@2.0.0"), true, vec!["SC-01/contradiction", "SC-01/not-vendored"]),
            (json!([]), true, vec!["SC-01/contradiction"]),
            (
                json!([{"name": "b", "version": "1.0.0"}]),
                true,
                vec!["SC-01/incomplete-component", "SC-01/contradiction"],
            ),
            (
                json!([{"name": "b", "version": "1.0.0", "purl": "pkg:npm/%40a/b@1.0.0"},
                       {"name": "z", "version": "3", "purl": "pkg:npm/z@3"}, {"name": "l", "version": "3", "purl": "pkg:deb/l@3"}]),
                false,
                vec!["SC-01/not-vendored"],
            ),
        ] {
            let (bad, findings) = compare(&listing(&components), &[vendored("@a/b", "1.0.0")]);
            let found: Vec<&str> = findings.iter().map(|f| f.rule.as_str()).collect();
            assert_eq!((bad, found), (contradicted, rules), "{components}");
        }
    }

    #[test]
    fn the_generated_document_agrees_with_the_content() {
        let found = [vendored("@a/b", "1.0.0+x"), vendored("c", "2.0.0")];
        let document = sbom::cyclonedx("x", "1.0.0", &found).to_string();
        let file =
            SbomFile { path: "sbom.json".into(), read: sbom::read(document.as_bytes()).map_err(|e| e.to_string()) };
        assert_eq!(compare(&file, &found), (false, vec![]));
    }

    #[test]
    fn a_lockfile_alone_contradicts_nothing() {
        let locked = Component { found_in: "package-lock.json".into(), ..vendored("a", "1.0.0") };
        let (bad, findings) = compare(&listing(&json!([])), &[locked]);
        assert_eq!((bad, findings[0].rule.as_str()), (false, "SC-01/lockfile-mismatch"));
    }

    #[test]
    fn an_unreadable_document_fails() {
        let file = SbomFile { path: "sbom.json".into(), read: Err("it is not JSON".into()) };
        assert!(compare(&file, &[]).0);
    }

    #[test]
    fn package_and_version_are_split_at_the_last_at() {
        for (purl, package, version) in [
            ("pkg:npm/@a/b@1", "pkg:npm/@a/b", "1"),
            ("pkg:npm/@a/b", "pkg:npm/@a/b", ""),
            ("pkg:pypi/A_b@1", "pkg:pypi/a-b", "1"),
            ("", "", ""),
        ] {
            assert_eq!(split(purl), (package.to_owned(), version.to_owned()));
        }
    }
}
