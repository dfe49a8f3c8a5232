//! npm: `package.json` of installed packages, `package-lock.json`.

use serde_json::Value;

use super::{Ecosystem, LOCKFILE_BYTES_MAX, RECORD_BYTES_MAX, Records, own_file};

/// Packages whose own folder lies directly in a `node_modules` folder.
pub(super) fn installed(paths: &[String], records: &mut Records<'_>) {
    for path in paths.iter().filter(|path| package_of(path).is_some()) {
        let Some(package) = records.json(path, RECORD_BYTES_MAX) else { continue };
        let text = |field: &str| package.get(field).and_then(Value::as_str);
        match (text("name").or_else(|| package_of(path)), text("version")) {
            (Some(name), Some(version)) => {
                let (name, version) = (name.to_owned(), version.to_owned());
                records.found(Ecosystem::Npm, &name, &version, license(&package), path);
            }
            // Without a version it is a marker such as `{"type":"module"}`, not a package.
            _ if package.is_object() => {}
            _ => records.unreadable(path),
        }
    }
}

/// `…/node_modules/NAME/package.json` or `…/node_modules/@SCOPE/NAME/package.json` gives the name.
pub(super) fn package_of(path: &str) -> Option<&str> {
    let folder = path.strip_suffix("/package.json")?;
    let name = match folder.rfind("node_modules/") {
        Some(at) if at == 0 || folder.as_bytes()[at - 1] == b'/' => &folder[at + "node_modules/".len()..],
        _ => return None,
    };
    let parts = name.split('/').count();
    (parts == if name.starts_with('@') { 2 } else { 1 }).then_some(name)
}

/// `license` in its three shapes: text, object, list of objects.
fn license(package: &Value) -> Option<String> {
    let one = |value: &Value| value.as_str().or_else(|| value.get("type")?.as_str()).map(str::to_owned);
    let old = || {
        let all: Vec<String> = package.get("licenses")?.as_array()?.iter().filter_map(one).collect();
        (!all.is_empty()).then(|| all.join(" OR "))
    };
    package.get("license").and_then(one).or_else(old)
}

/// `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3, without development packages.
pub(super) fn locked(paths: &[String], records: &mut Records<'_>) {
    let is_lockfile = |path: &&String| own_file(path, "package-lock.json") || own_file(path, "npm-shrinkwrap.json");
    for path in paths.iter().filter(is_lockfile) {
        let Some(lock) = records.json(path, LOCKFILE_BYTES_MAX) else { continue };
        if let Some(packages) = lock.get("packages").and_then(Value::as_object) {
            for (place, package) in packages {
                let Some((_, name)) = place.rsplit_once("node_modules/") else { continue };
                locked_package(name, package, path, records);
            }
        } else if let Some(dependencies) = lock.get("dependencies").and_then(Value::as_object) {
            locked_tree(dependencies, path, records, 0);
        }
    }
}

fn locked_tree(dependencies: &serde_json::Map<String, Value>, path: &str, records: &mut Records<'_>, depth: usize) {
    for (name, package) in dependencies {
        locked_package(name, package, path, records);
        let nested = package.get("dependencies").and_then(Value::as_object);
        if let Some(nested) = nested.filter(|_| depth < 64) {
            locked_tree(nested, path, records, depth + 1);
        }
    }
}

fn locked_package(name: &str, package: &Value, path: &str, records: &mut Records<'_>) {
    let is = |field: &str| package.get(field) == Some(&Value::Bool(true));
    if is("dev") || is("link") {
        return;
    }
    // An alias carries the real name inside.
    let name = package.get("name").and_then(Value::as_str).unwrap_or(name);
    if let Some(version) = package.get("version").and_then(Value::as_str) {
        records.found(Ecosystem::Npm, name, version, license(package), path);
    }
}

#[cfg(test)]
mod tests {
    use crate::dependencies::find;
    use crate::dependencies::tests::{Files, purls};

    #[test]
    fn installed_packages_are_found_at_every_depth() {
        let package = |name: &str| format!(r#"{{"name":"{name}","version":"1.0.0"}}"#);
        assert_eq!(
            purls(&[
                ("node_modules/a/package.json", package("a")),
                ("node_modules/a/node_modules/@s/b/package.json", package("@s/b")),
                ("server/node_modules/c/package.json", package("c")),
                ("node_modules/a/dist/esm/package.json", r#"{"type":"module"}"#.to_owned()),
                ("node_modules/a/examples/package.json", package("example")),
                ("node_modules/d/package.json", r#"{"type":"module"}"#.to_owned()),
                ("not_node_modules/e/package.json", package("e")),
                ("package.json", package("self")),
            ]),
            ["pkg:npm/%40s/b@1.0.0", "pkg:npm/a@1.0.0", "pkg:npm/c@1.0.0"]
        );
    }

    #[test]
    fn licenses_are_read_in_all_their_shapes() {
        for (json, expected) in [
            (r#""license":"MIT""#, Some("MIT")),
            (r#""license":{"type":"ISC"}"#, Some("ISC")),
            (r#""licenses":[{"type":"MIT"},{"type":"Apache-2.0"}]"#, Some("MIT OR Apache-2.0")),
            (r#""license":7"#, None),
        ] {
            let package = format!(r#"{{"name":"a","version":"1.0.0",{json}}}"#);
            let found = find(&Files::of(&[("node_modules/a/package.json", package)]));
            assert_eq!(found[0].license.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn lockfiles_of_all_versions_are_read_without_development_packages() {
        let v3 = r#"{"packages":{"":{"version":"0"},"node_modules/a":{"version":"1.0.0"},
            "node_modules/a/node_modules/@s/b":{"version":"2.0.0"},"node_modules/d":{"version":"1.0.0","dev":true},
            "node_modules/alias":{"name":"real","version":"3.0.0"},"packages/w":{"version":"1.0.0"}}}"#;
        assert_eq!(
            purls(&[("package-lock.json", v3)]),
            ["pkg:npm/%40s/b@2.0.0", "pkg:npm/a@1.0.0", "pkg:npm/real@3.0.0"]
        );
        let v1 = r#"{"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0"}}}}}"#;
        assert_eq!(purls(&[("package-lock.json", v1)]), ["pkg:npm/a@1.0.0", "pkg:npm/b@2.0.0"]);
    }
}
