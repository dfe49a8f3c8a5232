//! SC-05: where each dependency comes from.
//!
//! Hosts of public registries are known by digest only, and the organisation adds its own as evidence
//! (MTF decisions, 11). Spec: MTF 0.1 §3.3 SC-05.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use mpak_bundle::dependencies::Ecosystem;
use mpak_bundle::dependencies::lock::Origin;
use mpak_bundle::digest::Sha256;
use serde::Deserialize;
use url::{Host, Url};

use crate::control::{Status, Verdict};
use crate::evidence::Evidence;
use crate::outside::ApprovedHost;
use crate::report::{Finding, Severity};
use crate::supply::{self, Supply};

/// Digests of approved hosts.
pub(crate) const SOURCES_TOML: &str = include_str!("../../rules/sources.toml");

/// Names that are never those of a public host.
const PRIVATE_ENDS: [&str; 9] =
    [".internal", ".local", ".localhost", ".lan", ".corp", ".home", ".intranet", ".private", ".home.arpa"];
/// What the name of an archive ends with.
const ARCHIVE_ENDS: [&str; 8] = [".tgz", ".tar.gz", ".zip", ".whl", ".tar.bz2", ".crate", ".tar.xz", ".egg"];

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let supplies = supply::supplies(evidence);
    if supplies.is_empty() {
        return Verdict::new(Status::NotApplicable, "the bundle has no dependencies");
    }
    let approved = Approved::of(&evidence.outside().approved_hosts);
    let mut findings = Vec::new();
    for supply in &supplies {
        let sources = sources(evidence, supply);
        findings.extend(grouped(supply.ecosystem, &sources, &approved));
        findings.extend(unrecorded(supply));
    }
    if findings.iter().any(|f| f.severity >= Severity::High) {
        return Verdict::fail("a dependency comes from a source that is not approved", findings);
    }
    Verdict::pass_or_warn("the dependencies come from approved sources", findings)
}

/// A place that a dependency comes from.
struct Source<'a> {
    name: &'a str,
    origin: Cow<'a, Origin>,
    file: &'a str,
    line: Option<u32>,
    /// A package index, not a package.
    is_index: bool,
}

fn sources<'a>(evidence: &'a Evidence, supply: &Supply<'a>) -> Vec<Source<'a>> {
    let locked = supply.lockfiles.iter().flat_map(|lock| {
        let packages = lock.packages.iter().filter(|p| !p.dev);
        packages.map(|p| Source {
            name: &p.name,
            origin: Cow::Borrowed(&p.origin),
            file: &lock.path,
            line: p.line,
            is_index: false,
        })
    });
    let asked = supply.requirements.iter().filter(|r| !r.optional);
    let asked = asked.map(|r| Source {
        name: &r.name,
        origin: Cow::Borrowed(&r.origin),
        file: &r.file,
        line: r.line,
        is_index: false,
    });
    let indexes = supply.indexes.iter().map(|index| {
        let address = index.url.contains("://");
        let origin = if address { Origin::Urls(vec![index.url.clone()]) } else { Origin::Path(index.url.clone()) };
        Source { name: "", origin: Cow::Owned(origin), file: &index.file, line: index.line, is_index: true }
    });
    // A path into the bundle is content like any other.
    let outside = |source: &Source<'_>| match source.origin.as_ref() {
        Origin::Path(place) => !in_bundle(evidence, source.file, place),
        Origin::Own => false,
        Origin::Urls(_) | Origin::Git { .. } => true,
    };
    locked.chain(asked).chain(indexes).filter(outside).collect()
}

/// Whether a path of a project file leads to a folder of the bundle.
fn in_bundle(evidence: &Evidence, file: &str, place: &str) -> bool {
    let place = place.trim_start_matches("file:").trim_start_matches("link:").trim_start_matches("portal:");
    if place.starts_with('/') || place.contains(['\\', ':']) {
        return false;
    }
    let mut parts: Vec<&str> = file.rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').collect());
    for part in place.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.pop() {
                Some(_) => {}
                None => return false,
            },
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    let below = format!("{path}/");
    evidence.files().iter().any(|f| path.is_empty() || f.path == path || f.path.starts_with(&below))
}

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Approved,
    Plain,
    UnknownRegistry,
    PrivateRegistry,
    Archive,
    Git,
    Path,
    Unreadable,
}

/// One finding per kind and host, with the first package and the number of others.
fn grouped(ecosystem: Ecosystem, sources: &[Source<'_>], approved: &Approved) -> Vec<Finding> {
    let mut groups: BTreeMap<(Kind, String), (usize, &Source<'_>)> = BTreeMap::new();
    for source in sources {
        for (kind, where_) in kinds(ecosystem, source, approved) {
            groups.entry((kind, where_)).or_insert((0, source)).0 += 1;
        }
    }
    let groups = groups.into_iter().filter(|((kind, _), _)| *kind != Kind::Approved);
    groups.map(|((kind, place), (count, first))| described(ecosystem, kind, &place, count, first)).collect()
}

fn kinds(ecosystem: Ecosystem, source: &Source<'_>, approved: &Approved) -> Vec<(Kind, String)> {
    match source.origin.as_ref() {
        Origin::Own => Vec::new(),
        Origin::Path(place) => vec![(Kind::Path, place.clone())],
        Origin::Git { url, .. } => vec![(Kind::Git, url.split('#').next().unwrap_or(url).to_owned())],
        Origin::Urls(urls) => urls.iter().map(|url| of_url(ecosystem, url, source.is_index, approved)).collect(),
    }
}

fn of_url(ecosystem: Ecosystem, text: &str, is_index: bool, approved: &Approved) -> (Kind, String) {
    let Ok(url) = Url::parse(text) else { return (Kind::Unreadable, text.to_owned()) };
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        let kind = if url.scheme() == "file" { Kind::Path } else { Kind::Unreadable };
        return (kind, text.to_owned());
    };
    let path = url.path().trim_end_matches('/').trim_end_matches(".git");
    if approved.holds(ecosystem, host) || approved.holds(ecosystem, &format!("{host}{path}")) {
        let kind = if url.scheme() == "https" { Kind::Approved } else { Kind::Plain };
        return (kind, host.to_owned());
    }
    if is_private(&url) {
        return (Kind::PrivateRegistry, host.to_owned());
    }
    let registry_layout = match ecosystem {
        Ecosystem::Npm => path.contains("/-/"),
        Ecosystem::Pypi => path.contains("/simple") || path.contains("/packages/"),
        Ecosystem::Cargo | Ecosystem::Golang => true,
    };
    let archive = ARCHIVE_ENDS.iter().any(|end| path.to_ascii_lowercase().ends_with(end));
    let kind = if is_index || registry_layout || !archive { Kind::UnknownRegistry } else { Kind::Archive };
    (kind, host.to_owned())
}

/// Addresses and names that only the author's own network knows.
fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => private_v4(ip),
        Some(Host::Ipv6(ip)) => private_v6(ip),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            !name.contains('.') || PRIVATE_ENDS.iter().any(|end| name.ends_with(end))
        }
        None => false,
    }
}

fn private_v4(ip: Ipv4Addr) -> bool {
    ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
}

fn private_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.to_ipv4_mapped().is_some_and(private_v4)
}

const RELEASED: &str = "use a released version of the package";
const POLICY: &str = "use a released version from the public registry, or let the organisation approve the host";

fn described(ecosystem: Ecosystem, kind: Kind, place: &str, count: usize, first: &Source<'_>) -> Finding {
    let what = ecosystem.as_str();
    let (rule, severity, said, fix) = match kind {
        Kind::Git => ("git-source", Severity::High, "a git address without attestation", RELEASED),
        Kind::Path => (
            "local-path",
            Severity::High,
            "a path outside the bundle",
            "publish the package, or put it into the bundle",
        ),
        Kind::Archive => ("direct-archive", Severity::High, "a bare archive", POLICY),
        Kind::PrivateRegistry => {
            ("private-registry", Severity::High, "a private host that nobody has approved", POLICY)
        }
        Kind::UnknownRegistry => ("unknown-registry", Severity::Medium, "a registry that is not known", POLICY),
        Kind::Plain | Kind::Approved => ("plain-http", Severity::Medium, "a registry without TLS", "use https"),
        Kind::Unreadable => ("unreadable-source", Severity::Medium, "an address that cannot be read", POLICY),
    };
    let title = match (first.is_index, count) {
        (true, _) => format!("{what} packages come from {said}"),
        (false, 1) => format!("the {what} package `{}` comes from {said}", first.name),
        (false, count) => format!("{count} {what} packages come from {said}, for example `{}`", first.name),
    };
    Finding::new(format!("SC-05/{rule}"), severity, title).at(first.file, first.line).seen(place).fix(fix)
}

/// Vendored packages of which nothing says where they came from.
fn unrecorded(supply: &Supply<'_>) -> Option<Finding> {
    let locked = supply.locked_versions();
    let unknown: Vec<_> = supply.installed.iter().filter(|c| !locked.contains_key(c.name.as_str())).collect();
    let first = unknown.first()?;
    let title = format!(
        "nothing says which registry {} vendored {} packages came from, for example `{}`",
        unknown.len(),
        supply.ecosystem.as_str(),
        first.name
    );
    let fix = "pack the lockfile, or keep `node_modules/.package-lock.json`";
    Some(Finding::new("SC-05/unrecorded-source", Severity::Low, title).at(&first.found_in, None).fix(fix))
}

/// Hosts that may be fetched from, as digests.
struct Approved {
    hosts: Vec<ApprovedHost>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourcesFile {
    host: Vec<ApprovedHost>,
}

impl Approved {
    /// The public registries and those of the organisation.
    fn of(organisation: &[ApprovedHost]) -> Self {
        let mut hosts = toml::from_str::<SourcesFile>(SOURCES_TOML).map(|file| file.host).unwrap_or_default();
        hosts.extend(organisation.iter().cloned());
        Self { hosts }
    }

    fn holds(&self, ecosystem: Ecosystem, host: &str) -> bool {
        let digest = Sha256::of(host.to_lowercase().as_bytes());
        self.hosts.iter().any(|approved| {
            approved.host_sha256 == digest && approved.ecosystem.as_deref().is_none_or(|e| e == ecosystem.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outside::Outside;

    fn verdict(files: &[(&str, &str)]) -> Verdict {
        let approved = json!([{"ecosystem": "npm", "host_sha256": Sha256::of(b"npm.acme.example")},
            {"host_sha256": Sha256::of(b"python.acme.internal")}]);
        let outside = json!({"version": 1, "approved_hosts": approved});
        let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
        let evidence = Evidence::of_files(&json!({"server": {"entry_point": "server/index.js"}}), files);
        judge(&evidence.with_outside(outside).unwrap())
    }

    #[test]
    fn each_row_of_the_table_is_judged() {
        let npm = |resolved: &str| {
            format!(r#"{{"packages":{{"node_modules/a":{{"version":"1.0.0","resolved":"{resolved}"}}}}}}"#)
        };
        for (resolved, status, rule) in [
            ("https://npm.acme.example/a/-/a-1.0.0.tgz", Status::Pass, ""),
            ("https://NPM.acme.example/a/-/a-1.0.0.tgz", Status::Pass, ""),
            ("http://npm.acme.example/a/-/a-1.0.0.tgz", Status::Warn, "SC-05/plain-http"),
            ("https://npm.acme.example.evil.example/a/-/a-1.0.0.tgz", Status::Warn, "SC-05/unknown-registry"),
            ("https://npm.acme.example@evil.example/a.tgz", Status::Fail, "SC-05/direct-archive"),
            ("https://python.acme.internal/a/-/a.tgz", Status::Pass, ""),
            ("https://other.acme.internal/a/-/a.tgz", Status::Fail, "SC-05/private-registry"),
            ("http://10.0.0.1:4873/a/-/a.tgz", Status::Fail, "SC-05/private-registry"),
            ("http://verdaccio:4873/a/-/a.tgz", Status::Fail, "SC-05/private-registry"),
            ("https://[::1]/a/-/a.tgz", Status::Fail, "SC-05/private-registry"),
            ("https://github.com/x/a/archive/v1.tar.gz", Status::Fail, "SC-05/direct-archive"),
            (
                "git+ssh://git@github.com/x/a.git#0123456789abcdef0123456789abcdef01234567",
                Status::Fail,
                "SC-05/git-source",
            ),
            ("file:../a.tgz", Status::Fail, "SC-05/local-path"),
            ("file:packages/a", Status::Pass, ""),
            ("https://", Status::Warn, "SC-05/unreadable-source"),
        ] {
            let lock = npm(resolved);
            let verdict = verdict(&[("package-lock.json", &lock), ("packages/a/index.js", "")]);
            assert_eq!(verdict.status, status, "{resolved}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{resolved}: {verdict:?}");
        }
    }

    #[test]
    fn every_place_that_names_a_source_is_looked_at() {
        let installed = r#"{"name":"a","version":"1.0.0"}"#;
        let uv = "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { registry = \"https://index.evil.example/simple\" }\n";
        for (files, status, rule) in [
            (vec![], Status::NotApplicable, ""),
            (vec![("node_modules/a/package.json", installed)], Status::Warn, "SC-05/unrecorded-source"),
            (vec![("uv.lock", uv)], Status::Warn, "SC-05/unknown-registry"),
            (
                vec![("requirements.txt", "--extra-index-url https://evil.example/simple\na==1\n")],
                Status::Warn,
                "SC-05/unknown-registry",
            ),
            (
                vec![("requirements.txt", "--index-url http://10.1.2.3/simple\na==1\n")],
                Status::Fail,
                "SC-05/private-registry",
            ),
            (vec![("requirements.txt", "a @ https://evil.example/a.whl\n")], Status::Fail, "SC-05/direct-archive"),
            (
                vec![("pyproject.toml", "[project]\nname=\"x\"\ndependencies=[\"a @ git+https://example.org/a\"]\n")],
                Status::Fail,
                "SC-05/git-source",
            ),
            (vec![("package.json", r#"{"dependencies":{"a":"github:x/a"}}"#)], Status::Fail, "SC-05/git-source"),
            (
                vec![(
                    "Cargo.lock",
                    "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = \"registry+https://crates.acme.example/index\"\n",
                )],
                Status::Warn,
                "SC-05/unknown-registry",
            ),
            (
                vec![("go.mod", "module x\nrequire e.org/a v1\nreplace e.org/a => ../a\n")],
                Status::Fail,
                "SC-05/local-path",
            ),
            (vec![("go.sum", "e.org/a v1 h1:x=\n")], Status::Pass, ""),
            (
                vec![
                    ("go.sum", "e.org/a v1 h1:x=\n"),
                    ("lib/a-1.dist-info/METADATA", "Name: a\nVersion: 1\n"),
                    ("lib/a-1.dist-info/direct_url.json", r#"{"url":"https://evil.example/a.whl","archive_info":{}}"#),
                ],
                Status::Fail,
                "SC-05/direct-archive",
            ),
            (
                vec![
                    ("lib/a-1.dist-info/METADATA", "Name: a\nVersion: 1\n"),
                    (
                        "lib/a-1.dist-info/direct_url.json",
                        r#"{"url":"https://github.com/x/a","vcs_info":{"vcs":"git","commit_id":"0"}}"#,
                    ),
                ],
                Status::Fail,
                "SC-05/git-source",
            ),
        ] {
            let verdict = verdict(&files);
            assert_eq!(verdict.status, status, "{files:?}: {verdict:?}");
            assert!(rule.is_empty() || verdict.findings.iter().any(|f| f.rule == rule), "{files:?}: {verdict:?}");
        }
    }

    #[test]
    fn the_rules_are_read_and_name_no_host() {
        let file: SourcesFile = toml::from_str(SOURCES_TOML).unwrap();
        assert!(file.host.len() >= 8 && file.host.iter().all(|host| host.ecosystem.is_some()));
        assert!(!SOURCES_TOML.contains("://"));
    }
}
