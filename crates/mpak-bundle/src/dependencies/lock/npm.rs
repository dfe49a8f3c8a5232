//! npm: `package-lock.json`, `npm-shrinkwrap.json`, the installer's `.package-lock.json`, `package.json`,
//! `.npmrc`.

use serde_json::{Map, Value};

use super::{Index, Locked, Locks, Origin, Requirement, folder, git, is_git, is_local, numbered, urls};
use crate::dependencies::{Ecosystem, LOCKFILE_BYTES_MAX, RECORD_BYTES_MAX, Records};

pub(super) fn lockfile(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(lock) = records.json(path, LOCKFILE_BYTES_MAX) else { return };
    let base = folder(path);
    // The installer's own record lies inside the folder that its places begin with.
    let base = base.strip_suffix("node_modules").filter(|_| path.ends_with(".package-lock.json")).unwrap_or(base);
    let base = base.trim_end_matches('/');
    let mut packages = Vec::new();
    if let Some(all) = lock.get("packages").and_then(Value::as_object) {
        for (place, package) in all.iter().filter(|(place, _)| !place.is_empty()) {
            let name = place.rsplit_once("node_modules/").map_or(place.as_str(), |(_, name)| name);
            let mut one = locked(name, package);
            // Workspaces are part of the project.
            if !place.contains("node_modules/") {
                one.origin = Origin::Own;
            }
            one.place = Some(if base.is_empty() { place.clone() } else { format!("{base}/{place}") });
            packages.push(one);
        }
    } else if let Some(dependencies) = lock.get("dependencies").and_then(Value::as_object) {
        tree(dependencies, &mut packages, 0);
    }
    locks.lockfile(path, Ecosystem::Npm, true, packages);
}

/// Version 1: packages in packages.
fn tree(dependencies: &Map<String, Value>, packages: &mut Vec<Locked>, depth: usize) {
    for (name, package) in dependencies {
        packages.push(locked(name, package));
        let below = package.get("dependencies").and_then(Value::as_object);
        if let Some(below) = below.filter(|_| depth < 64) {
            tree(below, packages, depth + 1);
        }
    }
}

fn locked(name: &str, package: &Value) -> Locked {
    let text = |field: &str| package.get(field).and_then(Value::as_str);
    let is = |field: &str| package.get(field) == Some(&Value::Bool(true));
    let version = text("version");
    // Version 1 writes the address of what is not from a registry into `version`.
    let resolved = text("resolved").or(version.filter(|v| v.contains(':')));
    let origin = match resolved {
        _ if is("link") => Origin::Own,
        Some(url) if is_git(url) => git(url, None),
        Some(url) if is_local(url) => Origin::Path(url.to_owned()),
        Some(url) => urls(std::iter::once(url)),
        None => Origin::Urls(Vec::new()),
    };
    let named = text("name").unwrap_or(name);
    Locked {
        name: named.to_owned(),
        version: version.filter(|v| semver::Version::parse(v).is_ok() || origin_pins(&origin)).map(str::to_owned),
        place: None,
        line: None,
        // A package inside another one's archive is covered by that archive's hash.
        hashed: text("integrity").is_some_and(strong) || is("inBundle") || is("bundled"),
        dev: is("dev") || is("devOptional"),
        origin,
    }
}

fn origin_pins(origin: &Origin) -> bool {
    matches!(origin, Origin::Git { pinned: true, .. })
}

/// SHA-1 alone proves nothing.
fn strong(integrity: &str) -> bool {
    integrity.split_ascii_whitespace().any(|one| ["sha256-", "sha384-", "sha512-"].iter().any(|a| one.starts_with(a)))
}

pub(super) fn project(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(package) = records.json(path, RECORD_BYTES_MAX) else { return };
    if let Some(name) = package.get("name").and_then(Value::as_str) {
        locks.projects.push((Ecosystem::Npm, name.to_owned()));
    }
    for (field, optional) in [("dependencies", false), ("optionalDependencies", true)] {
        for (name, spec) in package.get(field).and_then(Value::as_object).into_iter().flatten() {
            let Some(spec) = spec.as_str() else { continue };
            let spec = spec.trim();
            locks.require(Requirement {
                ecosystem: Ecosystem::Npm,
                name: name.clone(),
                spec: spec.chars().take(200).collect(),
                exact: semver::Version::parse(spec.trim_start_matches(['=', 'v'])).is_ok(),
                origin: origin(spec),
                optional,
                file: path.to_owned(),
                line: None,
            });
        }
    }
}

fn origin(spec: &str) -> Origin {
    let shorthand = || {
        let address = spec.split('#').next().unwrap_or_default();
        !address.contains(':') && !address.starts_with('@') && address.split('/').count() == 2
    };
    if spec.starts_with("workspace:") {
        Origin::Own
    } else if is_local(spec) {
        Origin::Path(spec.to_owned())
    } else if is_git(spec) || shorthand() {
        git(spec, None)
    } else if spec.starts_with("http:") || spec.starts_with("https:") {
        urls(std::iter::once(spec))
    } else {
        Origin::Urls(Vec::new())
    }
}

/// `registry=URL` and `@scope:registry=URL`.
pub(super) fn settings(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(text) = records.text(path, RECORD_BYTES_MAX) else { return };
    for (line, content) in numbered(&text).take(10_000) {
        let Some((key, url)) = content.split_once('=') else { continue };
        let (key, url) = (key.trim(), url.trim().trim_matches('"'));
        if (key == "registry" || (key.starts_with('@') && key.ends_with(":registry"))) && url.contains("://") {
            let url = url.chars().take(200).collect();
            locks.indexes.push(Index { ecosystem: Ecosystem::Npm, url, file: path.to_owned(), line: Some(line) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::survey;
    use crate::dependencies::tests::Files;

    #[test]
    fn lockfiles_give_version_hash_place_and_origin() {
        let lock = r#"{"packages":{"":{"name":"me"},
            "node_modules/a":{"version":"1.0.0","resolved":"https://registry.example/a/-/a-1.0.0.tgz","integrity":"sha512-x"},
            "node_modules/a/node_modules/@s/b":{"version":"2.0.0","integrity":"sha1-x","dev":true},
            "node_modules/g":{"version":"1.0.0","resolved":"git+ssh://git@github.com/x/g.git#0123456789abcdef0123456789abcdef01234567"},
            "node_modules/f":{"resolved":"file:../f"},"node_modules/w":{"resolved":"w","link":true},"w":{"version":"0.1.0"}}}"#;
        let locks = survey(&Files::of(&[("app/package-lock.json", lock)])).locks;
        let seen: Vec<(&str, bool, bool, &Origin)> = locks.lockfiles[0]
            .packages
            .iter()
            .map(|p| (p.place.as_deref().unwrap(), p.hashed, p.dev, &p.origin))
            .collect();
        let one = |url: &str| Origin::Urls(vec![url.to_owned()]);
        assert_eq!(
            seen,
            [
                ("app/node_modules/a", true, false, &one("https://registry.example/a/-/a-1.0.0.tgz")),
                ("app/node_modules/a/node_modules/@s/b", false, true, &Origin::Urls(vec![])),
                (
                    "app/node_modules/g",
                    false,
                    false,
                    &Origin::Git {
                        url: "git+ssh://git@github.com/x/g.git#0123456789abcdef0123456789abcdef01234567".into(),
                        pinned: true
                    }
                ),
                ("app/node_modules/f", false, false, &Origin::Path("file:../f".into())),
                ("app/node_modules/w", false, false, &Origin::Own),
                ("app/w", false, false, &Origin::Own),
            ]
        );
        let hidden = survey(&Files::of(&[("app/node_modules/.package-lock.json", lock)])).locks;
        assert_eq!(hidden.lockfiles[0].packages[0].place.as_deref(), Some("app/node_modules/a"));
    }

    #[test]
    fn projects_ask_for_versions_ranges_and_addresses() {
        let package = r#"{"name":"me","dependencies":{"a":"1.0.0","b":"^1.0.0","c":"latest","d":"git+https://example.org/d.git#main",
            "e":"owner/repo","f":"file:../f","g":"https://example.org/g.tgz","h":7,"i":"npm:x@1.0.0","j":"@s/x"},
            "optionalDependencies":{"o":"*"},"devDependencies":{"t":"*"}}"#;
        let locks = survey(&Files::of(&[
            ("package.json", package),
            (".npmrc", "registry=https://npm.example/\n//x:_auth=1\n"),
        ]))
        .locks;
        let kinds: Vec<(&str, bool, &str)> = locks
            .requirements
            .iter()
            .map(|r| {
                (
                    r.name.as_str(),
                    r.exact,
                    match &r.origin {
                        Origin::Urls(urls) if urls.is_empty() => "index",
                        Origin::Urls(_) => "url",
                        Origin::Git { pinned: true, .. } => "commit",
                        Origin::Git { .. } => "git",
                        Origin::Path(_) => "path",
                        Origin::Own => "own",
                    },
                )
            })
            .collect();
        assert_eq!(
            kinds,
            [
                ("a", true, "index"),
                ("b", false, "index"),
                ("c", false, "index"),
                ("d", false, "git"),
                ("e", false, "git"),
                ("f", false, "path"),
                ("g", false, "url"),
                ("i", false, "index"),
                ("j", false, "index"),
                ("o", false, "index"),
            ]
        );
        assert_eq!(locks.indexes[0].url, "https://npm.example/");
    }
}
