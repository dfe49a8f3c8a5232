//! Go: `go.sum`, `go.mod`.

use super::{Locked, Locks, Origin, Requirement, is_local, numbered};
use crate::dependencies::{Ecosystem, LOCKFILE_BYTES_MAX, RECORD_BYTES_MAX, Records};

pub(super) fn sums(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(text) = records.text(path, LOCKFILE_BYTES_MAX) else { return };
    let mut packages = Vec::new();
    for (line, content) in numbered(&text) {
        let mut parts = content.split_ascii_whitespace();
        let (Some(module), Some(version), Some(hash)) = (parts.next(), parts.next(), parts.next()) else { continue };
        if version.ends_with("/go.mod") {
            continue;
        }
        packages.push(Locked {
            name: module.to_owned(),
            version: Some(version.to_owned()),
            place: None,
            line: Some(line),
            origin: Origin::Urls(Vec::new()),
            hashed: hash.starts_with("h1:"),
            dev: false,
        });
    }
    locks.lockfile(path, Ecosystem::Golang, true, packages);
}

pub(super) fn module(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(text) = records.text(path, RECORD_BYTES_MAX) else { return };
    let mut block = String::new();
    for (line, content) in numbered(&text) {
        let content = content.split("//").next().unwrap_or_default().trim();
        if content.ends_with('(') {
            content.trim_end_matches('(').trim().clone_into(&mut block);
            continue;
        }
        if content == ")" {
            block.clear();
            continue;
        }
        let (verb, rest) = match block.as_str() {
            "" => content.split_once(' ').unwrap_or((content, "")),
            verb => (verb, content),
        };
        let mut require = |name: &str, spec: &str, origin| {
            locks.require(Requirement {
                ecosystem: Ecosystem::Golang,
                name: name.to_owned(),
                spec: spec.chars().take(200).collect(),
                exact: spec.starts_with('v'),
                origin,
                optional: false,
                file: path.to_owned(),
                line: Some(line),
            });
        };
        match verb {
            "require" => {
                if let Some((name, version)) = rest.trim().split_once(' ') {
                    require(name, version.trim(), Origin::Urls(Vec::new()));
                }
            }
            // A replacement by a folder is content of unknown origin.
            "replace" => {
                if let Some((name, place)) = rest.split_once("=>").map(|(a, b)| (a.trim(), b.trim()))
                    && is_local(place)
                {
                    let name = name.split(' ').next().unwrap_or(name);
                    require(name, place, Origin::Path(place.to_owned()));
                }
            }
            "module" => locks.projects.push((Ecosystem::Golang, rest.trim().to_owned())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dependencies::lock::Origin;
    use crate::dependencies::survey;
    use crate::dependencies::tests::Files;

    #[test]
    fn sums_and_module_are_read() {
        let sum = "example.org/a v1.0.0 h1:xx=\nexample.org/a v1.0.0/go.mod h1:yy=\n";
        let module = "module example.org/me\n\ngo 1.22\n\nrequire example.org/z v0.1.0\nrequire (\n\texample.org/a v1.0.0 // indirect\n)\nreplace example.org/a => ../a\n";
        let locks = survey(&Files::of(&[("go.sum", sum), ("go.mod", module)])).locks;
        assert_eq!(locks.lockfiles[0].packages.len(), 1);
        let seen: Vec<(&str, bool, bool)> = locks
            .requirements
            .iter()
            .map(|r| (r.name.as_str(), r.exact, matches!(r.origin, Origin::Path(_))))
            .collect();
        assert_eq!(
            seen,
            [("example.org/z", true, false), ("example.org/a", true, false), ("example.org/a", false, true)]
        );
    }
}
