//! Cargo: `Cargo.lock`, `Cargo.toml`.

use toml::Value;

use super::{Locked, Locks, Origin, Requirement, git, urls};
use crate::dependencies::{Ecosystem, LOCKFILE_BYTES_MAX, RECORD_BYTES_MAX, Records};

pub(super) fn lockfile(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(lock) = records.toml(path, LOCKFILE_BYTES_MAX) else { return };
    let mut packages = Vec::new();
    for package in lock.get("package").and_then(Value::as_array).into_iter().flatten() {
        let text = |field: &str| package.get(field).and_then(Value::as_str);
        let Some(name) = text("name") else { continue };
        let origin = match text("source") {
            None => Origin::Own,
            Some(source) if source.starts_with("git+") => git(source, None),
            Some(source) => urls(std::iter::once(source.split_once('+').map_or(source, |(_, url)| url))),
        };
        let (version, hashed) = (text("version").map(str::to_owned), text("checksum").is_some());
        packages.push(Locked { name: name.to_owned(), version, place: None, line: None, origin, hashed, dev: false });
    }
    locks.lockfile(path, Ecosystem::Cargo, true, packages);
}

pub(super) fn project(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(document) = records.toml(path, RECORD_BYTES_MAX) else { return };
    for (name, spec) in document.get("dependencies").and_then(Value::as_table).into_iter().flatten() {
        let text = |field: &str| spec.get(field).and_then(Value::as_str);
        let version = spec.as_str().or_else(|| text("version")).unwrap_or_default().trim();
        let origin = match (text("git"), text("path")) {
            (Some(url), _) => git(url, text("rev")),
            (_, Some(place)) => Origin::Path(place.to_owned()),
            _ => Origin::Urls(Vec::new()),
        };
        locks.require(Requirement {
            ecosystem: Ecosystem::Cargo,
            name: text("package").unwrap_or(name).to_owned(),
            spec: version.chars().take(200).collect(),
            exact: version.starts_with('='),
            origin,
            optional: spec.get("optional").and_then(Value::as_bool).unwrap_or(false),
            file: path.to_owned(),
            line: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::dependencies::lock::Origin;
    use crate::dependencies::survey;
    use crate::dependencies::tests::Files;

    #[test]
    fn lockfile_and_project_are_read() {
        let lock = "[[package]]\nname = \"me\"\nversion = \"0.1.0\"\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://index.example/x\"\nchecksum = \"00\"\n[[package]]\nname = \"g\"\nversion = \"1.0.0\"\nsource = \"git+https://example.org/g?branch=main#0123456789abcdef0123456789abcdef01234567\"\n";
        let project = "[dependencies]\na = \"1\"\ng = { git = \"https://example.org/g\", branch = \"main\" }\np = { path = \"../p\" }\n";
        let locks = survey(&Files::of(&[("Cargo.lock", lock), ("Cargo.toml", project)])).locks;
        let packages = &locks.lockfiles[0].packages;
        assert_eq!(packages[0].origin, Origin::Own);
        assert_eq!(
            (&packages[1].origin, packages[1].hashed),
            (&Origin::Urls(vec!["https://index.example/x".into()]), true)
        );
        assert!(matches!(packages[2].origin, Origin::Git { pinned: true, .. }));
        assert!(matches!(locks.requirements[1].origin, Origin::Git { pinned: false, .. }));
        assert!(matches!(locks.requirements[2].origin, Origin::Path(_)));
    }
}
