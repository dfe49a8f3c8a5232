//! SC-04: what is vendored is what the lockfile says.
//!
//! The installer's own record in `node_modules` counts as a lockfile, and so does a bill of materials with
//! versions and hashes; a missing lockfile alone warns (decision 18). Spec: MTF 0.1 §3.3 SC-04.

use std::collections::{BTreeMap, BTreeSet};

use mpak_bundle::dependencies::lock::{Locked, Lockfile, Origin};
use mpak_bundle::dependencies::{Component, Ecosystem};

use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::outside::{Attestation, Signature, SignatureMethod, SignatureState};
use crate::report::{Finding, Severity};
use crate::signatures::{self, Worth};
use crate::supply::{self, Supply};

/// Packages that installers bring along and no lockfile names.
const INSTALLERS: [&str; 4] = ["pip", "setuptools", "wheel", "distribute"];
/// Most findings of one lockfile.
const FINDINGS_COUNT_MAX: usize = 50;

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let supplies: Vec<Supply<'_>> =
        supply::supplies(evidence).into_iter().filter(|supply| !supply.installed.is_empty()).collect();
    let seen = evidence.completeness();
    if supplies.is_empty() && seen.changed.is_empty() && seen.without_hash.is_empty() {
        return Verdict::new(Status::NotApplicable, "nothing is vendored that a lockfile could be compared with");
    }
    let mut findings = Vec::new();
    for path in seen.changed.iter().take(FINDINGS_COUNT_MAX) {
        let title = "the file is not the one that the package's RECORD names: it is judged as the server's own";
        findings.push(finding("changed-file", Severity::High, title).at(path, None).fix(REINSTALL));
    }
    for path in seen.without_hash.iter().take(FINDINGS_COUNT_MAX) {
        let title = "the record names files without digests: they are judged as the server's own";
        findings.push(finding("record-without-digests", Severity::Low, title).at(path, None).fix(REINSTALL));
    }
    for supply in &supplies {
        let mut compared = false;
        for lock in &supply.lockfiles {
            compared |= lock.complete;
            findings.extend(compare(evidence, supply, lock).into_iter().take(FINDINGS_COUNT_MAX));
        }
        if !compared && !listed_with_hashes(evidence, supply) {
            let title = format!(
                "{} {} packages are vendored without a lockfile",
                supply.installed.len(),
                supply.ecosystem.as_str()
            );
            let fix = "keep `node_modules/.package-lock.json`, or pack the lockfile or an SBOM with hashes";
            findings.push(finding("no-lockfile", Severity::Low, title).fix(fix));
        }
    }
    findings.extend(unsigned(evidence, &supplies));
    if findings.iter().any(|f| f.severity >= Severity::High) {
        return Verdict::fail("what is vendored is not what the lockfile says", findings);
    }
    Verdict::pass_or_warn("what is vendored agrees with what is recorded of it", findings)
}

fn finding(rule: &str, severity: Severity, title: impl Into<String>) -> Finding {
    Finding::new(format!("SC-04/{rule}"), severity, title)
}

/// Lockfiles of a signed bundle that nothing signed covers. Signatures of manifest and bill of materials do not cover
/// them; the block that is appended to the whole file does, and so does an attestation of its digest.
fn unsigned(evidence: &Evidence, supplies: &[Supply<'_>]) -> Option<Finding> {
    let outside = evidence.outside();
    let lock = supplies.iter().flat_map(|supply| &supply.lockfiles).next()?;
    let is_mcpb = |s: &&Signature| s.method == SignatureMethod::Mcpb && s.detached.is_none();
    let by_block =
        outside.signatures.iter().flatten().filter(is_mcpb).any(|s| s.state != Some(SignatureState::Invalid))
            || signatures::verified(evidence)
                .iter()
                .any(|one| one.method == SignatureMethod::Mcpb && matches!(one.worth, Worth::Holds(_)));
    let by_attestation = match (&outside.attestation, evidence.artifact()) {
        (Some(Attestation::Verified(provenance)), Some(artifact)) => provenance.subjects.contains(&artifact),
        _ => false,
    };
    if by_block || by_attestation || !signatures::is_signed(evidence) {
        return None;
    }
    let title = format!("the bundle is signed, and no signature covers `{}`", lock.path);
    let fix = "sign the whole file (`mcpb sign`), or publish it with an attestation of its digest";
    Some(finding("lockfile-unsigned", Severity::Low, title).at(&lock.path, None).fix(fix))
}

const REINSTALL: &str = "remove the folder, install again from the lockfile, and pack that";

fn compare(evidence: &Evidence, supply: &Supply<'_>, lock: &Lockfile) -> Vec<Finding> {
    let places: BTreeMap<&str, &Locked> = lock.packages.iter().filter_map(|p| Some((p.place.as_deref()?, p))).collect();
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &lock.packages {
        // The project itself has whatever version it was built as.
        if package.origin == Origin::Own {
            names.entry(package.name.as_str()).or_default();
            continue;
        }
        names.entry(package.name.as_str()).or_default().extend(package.version.as_deref());
    }
    let mut findings = Vec::new();
    for component in &supply.installed {
        let place = component.found_in.rsplit_once('/').map_or("", |(folder, _)| folder);
        if supply.ecosystem == Ecosystem::Npm && !belongs(place, lock) {
            continue;
        }
        let wanted: BTreeSet<&str> = match places.get(place) {
            // A part of the project has no version of its own in the lockfile.
            Some(locked) if locked.origin == Origin::Own || locked.version.is_none() => continue,
            Some(locked) => locked.version.as_deref().into_iter().collect(),
            None => match names.get(component.name.as_str()) {
                Some(versions) if versions.is_empty() => continue,
                Some(versions) => versions.clone(),
                None if lock.complete && !is_excused(evidence, supply, component) => {
                    let title =
                        format!("`{}` {} is vendored and not in `{}`", component.name, component.version, lock.path);
                    findings.push(
                        finding("not-locked", Severity::High, title).at(&component.found_in, None).fix(REINSTALL),
                    );
                    continue;
                }
                None => continue,
            },
        };
        if !wanted.iter().any(|version| same_version(version, &component.version)) {
            let wanted: Vec<&str> = wanted.into_iter().take(5).collect();
            let title = format!(
                "`{}` is vendored in version {}, `{}` says {}",
                component.name,
                component.version,
                lock.path,
                wanted.join(", ")
            );
            findings
                .push(finding("version-mismatch", Severity::High, title).at(&component.found_in, None).fix(REINSTALL));
        }
    }
    findings
}

/// Whether npm put a package there: `node_modules/NAME` over and over, below the lockfile's folder. What
/// packages carry deeper inside themselves (fixtures of tests) is their content.
fn belongs(place: &str, lock: &Lockfile) -> bool {
    let folder = lock.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let base = folder.strip_suffix("node_modules").unwrap_or(folder).trim_end_matches('/');
    let rest = match base {
        "" => Some(place),
        base => place.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')),
    };
    let mut parts = rest.unwrap_or_default().split('/').peekable();
    if parts.peek().is_none_or(|part| part.is_empty()) {
        return false;
    }
    while let Some(part) = parts.next() {
        let Some(name) = parts.next().filter(|name| part == "node_modules" && !name.starts_with('.')) else {
            return false;
        };
        if name.starts_with('@') && parts.next().is_none() {
            return false;
        }
    }
    true
}

/// What no lockfile names: installers, and the package that the server itself is.
fn is_excused(evidence: &Evidence, supply: &Supply<'_>, component: &Component) -> bool {
    if supply.ecosystem != Ecosystem::Pypi {
        return false;
    }
    let name =
        |field: &str| evidence.document().and_then(|d| d.get(field)?.as_str()).unwrap_or_default().to_lowercase();
    let own = name("name").rsplit('/').next().unwrap_or_default().replace(['_', '.'], "-");
    INSTALLERS.contains(&component.name.as_str()) || own == component.name || supply.is_project(&component.name)
}

/// `1.0` and `1.0.0` are one version; a local part says how it was built.
fn same_version(a: &str, b: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim().trim_start_matches(['=', 'v']).split('+').next().unwrap_or_default().to_lowercase();
        let mut text = text.as_str();
        while let Some(rest) = text.strip_suffix(".0") {
            text = rest;
        }
        text.to_owned()
    };
    plain(a) == plain(b)
}

/// Whether a bill of materials names every vendored package in its version, with a hash.
fn listed_with_hashes(evidence: &Evidence, supply: &Supply<'_>) -> bool {
    evidence.sboms().iter().filter_map(|file| file.read.as_ref().ok()).any(|document| {
        let hashed: BTreeSet<String> = document
            .components
            .iter()
            .filter(|listed| listed.hashed)
            .filter_map(|listed| listed.purl.as_deref())
            .map(mpak_bundle::sbom::plain_purl)
            .collect();
        supply.installed.iter().all(|c| hashed.contains(&mpak_bundle::sbom::plain_purl(&c.purl())))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(files: &[(&str, &str)]) -> Verdict {
        judge(&Evidence::of_files(&json!({"name": "@acme/me", "server": {"entry_point": "server/main.py"}}), files))
    }

    #[test]
    fn vendored_packages_are_compared_with_each_lockfile() {
        let lock = r#"{"packages":{"":{},"node_modules/a":{"version":"1.0.0"},"node_modules/b":{"version":"2.0.0"},
            "node_modules/a/node_modules/b":{"version":"1.0.0"},"node_modules/w":{"resolved":"w","link":true}}}"#;
        let package = |name: &str, version: &str| format!(r#"{{"name":"{name}","version":"{version}"}}"#);
        let (a, b1, b2) = (package("a", "1.0.0"), package("b", "1.0.0"), package("b", "2.0.0"));
        let (a9, x, w) = (package("a", "9.0.0"), package("x", "1.0.0"), package("w", "5.0.0"));
        let sbom = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"a","version":"1.0.0","purl":"pkg:npm/a@1.0.0","hashes":[{"alg":"SHA-512","content":"00"}]}]}"#;
        let bare = sbom.replace(r#","hashes":[{"alg":"SHA-512","content":"00"}]"#, "");
        for (files, status, rule) in [
            (vec![], Status::NotApplicable, ""),
            (vec![("node_modules/a/package.json", a.as_str())], Status::Warn, "SC-04/no-lockfile"),
            (vec![("node_modules/a/package.json", &a), ("node_modules/.package-lock.json", lock)], Status::Pass, ""),
            (vec![("node_modules/a/package.json", &a), ("package-lock.json", lock)], Status::Pass, ""),
            (
                vec![("node_modules/a/package.json", &a9), ("package-lock.json", lock)],
                Status::Fail,
                "SC-04/version-mismatch",
            ),
            (
                vec![("node_modules/x/package.json", &x), ("node_modules/.package-lock.json", lock)],
                Status::Fail,
                "SC-04/not-locked",
            ),
            (vec![("node_modules/a/node_modules/b/package.json", &b1), ("package-lock.json", lock)], Status::Pass, ""),
            (
                vec![("node_modules/a/node_modules/b/package.json", &b2), ("package-lock.json", lock)],
                Status::Fail,
                "SC-04/version-mismatch",
            ),
            // Parts of the project, and fixtures inside a package.
            (vec![("node_modules/w/package.json", &w), ("package-lock.json", lock)], Status::Pass, ""),
            (
                vec![
                    ("node_modules/a/package.json", &a),
                    ("node_modules/a/test/node_modules/x/package.json", &x),
                    ("package-lock.json", lock),
                ],
                Status::Pass,
                "",
            ),
            (vec![("node_modules/a/package.json", &a), ("sbom.json", sbom)], Status::Pass, ""),
            (vec![("node_modules/a/package.json", &a), ("sbom.json", &bare)], Status::Warn, "SC-04/no-lockfile"),
        ] {
            let verdict = verdict(&files);
            assert_eq!(verdict.status, status, "{files:?}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{files:?}: {verdict:?}");
        }
    }

    #[test]
    fn python_is_compared_by_name_and_version() {
        let uv = "[[package]]\nname = \"me\"\nversion = \"0\"\nsource = { editable = \".\" }\n[[package]]\nname = \"a\"\nversion = \"1.0\"\n";
        let meta = |name: &str, version: &str| format!("Name: {name}\nVersion: {version}\n");
        for (name, version, locks, status) in [
            ("a", "1.0", vec![("uv.lock", uv)], Status::Pass),
            ("A", "1.0.0", vec![("uv.lock", uv)], Status::Pass),
            ("a", "1.0+cpu", vec![("uv.lock", uv)], Status::Pass),
            ("a", "1.1", vec![("uv.lock", uv)], Status::Fail),
            ("b", "1.0", vec![("uv.lock", uv)], Status::Fail),
            ("pip", "24.0", vec![("uv.lock", uv)], Status::Pass),
            ("me", "3", vec![("uv.lock", uv)], Status::Pass),
            ("a", "1.0", vec![("requirements.txt", "a==2.0\n")], Status::Fail),
            ("b", "1.0", vec![("requirements.txt", "a==1.0\n")], Status::Warn),
            ("b", "1.0", vec![("requirements.txt", "a==1.0 --hash=sha256:00\n")], Status::Fail),
        ] {
            let metadata = meta(name, version);
            let mut files = locks;
            files.push(("server/lib/x.dist-info/METADATA", &metadata));
            assert_eq!(verdict(&files).status, status, "{name} {version}: {:?}", verdict(&files));
        }
    }

    #[test]
    fn a_file_that_is_not_the_recorded_one_fails() {
        let record = |hash: &str| format!("a/__init__.py,sha256={hash},3\na/gone.py,sha256=x,1\n");
        // SHA-256 of `x=1`.
        for (hash, status) in
            [("HyBrEcI-KMwlDe1_wAmNOCOoRnpUNA8axOU1y4VEST8", Status::Warn), (&"A".repeat(43), Status::Fail)]
        {
            let record = record(hash);
            let files = [
                ("lib/a-1.dist-info/METADATA", "Name: a\nVersion: 1\n"),
                ("lib/a-1.dist-info/RECORD", &record),
                ("lib/a/__init__.py", "x=1"),
            ];
            assert_eq!(verdict(&files).status, status, "{hash}: {:?}", verdict(&files));
            // Also where nothing else says that a package is there.
            if status == Status::Fail {
                assert_eq!(verdict(&files[1..]).status, status, "{hash}: {:?}", verdict(&files[1..]));
            }
        }
    }

    #[test]
    fn a_lockfile_of_a_signed_bundle_is_signed_too() {
        use crate::outside::Outside;
        use mpak_bundle::digest::Sha256;

        let lock = r#"{"packages":{"node_modules/a":{"version":"1.0.0"}}}"#;
        let files = [("node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#), ("package-lock.json", lock)];
        let subject =
            |of: &[u8]| json!({"verified": {"subjects": [Sha256::of(of)], "predicate_type": "x", "builder": "x"}});
        let signed = |method: &str, state: &str| json!([{"method": method, "state": state, "authorized": true}]);
        let null = serde_json::Value::Null;
        for (signatures, attestation, told) in [
            (json!([]), null.clone(), false),
            (null.clone(), null.clone(), false),
            (signed("sigstore", "valid-trusted"), null.clone(), true),
            (signed("sigstore", "valid-trusted"), subject(b"bundle"), false),
            (signed("sigstore", "valid-trusted"), subject(b"other"), true),
            (signed("mcpb", "valid-trusted"), null.clone(), false),
            (signed("mcpb", "invalid"), null.clone(), true),
        ] {
            let outside = json!({"version": 1, "signatures": signatures, "attestation": attestation});
            let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
            let evidence = Evidence::of_files(&json!({"name": "@acme/me"}), &files);
            let evidence = evidence.with_artifact(Sha256::of(b"bundle")).unwrap().with_outside(outside).unwrap();
            let verdict = judge(&evidence);
            let found = verdict.findings.iter().any(|f| f.rule == "SC-04/lockfile-unsigned");
            assert_eq!(found, told, "{signatures} {attestation}: {verdict:?}");
        }
    }

    #[test]
    fn a_record_without_digests_is_told() {
        for (record, told) in [
            ("a/__init__.py,,3\na-1.dist-info/RECORD,,\n", true),
            ("a/__pycache__/__init__.cpython-312.pyc,,\na-1.dist-info/RECORD,,\n", false),
        ] {
            let files = [
                ("lib/a-1.dist-info/RECORD", record),
                ("lib/a/__init__.py", "x=1"),
                ("lib/a/__pycache__/__init__.cpython-312.pyc", "x"),
            ];
            let verdict = verdict(&files);
            let found = verdict.findings.iter().any(|f| f.rule == "SC-04/record-without-digests");
            assert_eq!(found, told, "{record}: {verdict:?}");
        }
    }

    #[test]
    fn places_of_installed_packages_are_told_from_what_lies_inside_them() {
        let lock =
            |path: &str| Lockfile { path: path.into(), ecosystem: Ecosystem::Npm, complete: true, packages: vec![] };
        for (place, path, expected) in [
            ("node_modules/a", "package-lock.json", true),
            ("node_modules/@s/a/node_modules/b", "node_modules/.package-lock.json", true),
            ("node_modules/a/test/node_modules/b", "package-lock.json", false),
            ("node_modules/.pnpm/a@1/node_modules/a", "package-lock.json", false),
            ("server/node_modules/a", "server/package-lock.json", true),
            ("node_modules/a", "server/package-lock.json", false),
            ("node_modules/@s", "package-lock.json", false),
            ("", "package-lock.json", false),
        ] {
            assert_eq!(belongs(place, &lock(path)), expected, "{place} {path}");
        }
    }
}
