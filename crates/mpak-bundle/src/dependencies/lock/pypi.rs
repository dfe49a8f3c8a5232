//! Python: `uv.lock`, `poetry.lock`, `pdm.lock`, `Pipfile.lock`, `pylock.toml`, `pyproject.toml`.

use toml::{Table, Value};

use super::{Index, Locked, Locks, Origin, Requirement, git, requirements, urls};
use crate::dependencies::pypi::normal;
use crate::dependencies::{Ecosystem, LOCKFILE_BYTES_MAX, RECORD_BYTES_MAX, Records};

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn packages<'a>(lock: &'a Table, field: &str) -> impl Iterator<Item = &'a Value> {
    items(lock.get(field)).filter(|package| package.is_table())
}

fn locked(name: &str, version: Option<&str>, origin: Origin, hashed: bool) -> Locked {
    let version = version.map(str::to_owned);
    Locked { name: normal(name), version, place: None, line: None, origin, hashed, dev: false }
}

pub(super) fn uv(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(lock) = records.toml(path, LOCKFILE_BYTES_MAX) else { return };
    let read = |package: &Value| {
        let source = package.get("source");
        let from = |kind: &str| source.and_then(|s| text(s, kind));
        let files: Vec<&Value> = items(package.get("wheels")).chain(package.get("sdist")).collect();
        let origin = if from("virtual").or(from("editable")).is_some() {
            Origin::Own
        } else if let Some(url) = from("git") {
            git(url, None)
        } else if let Some(place) = from("path").or(from("directory")) {
            if place == "." { Origin::Own } else { Origin::Path(place.to_owned()) }
        } else {
            let addresses = files.iter().filter_map(|file| text(file, "url")).filter(|url| url.contains("://"));
            urls(from("registry").or(from("url")).into_iter().filter(|url| url.contains("://")).chain(addresses))
        };
        let hashed = !files.is_empty() && files.iter().all(|file| text(file, "hash").is_some());
        Some(locked(text(package, "name")?, text(package, "version"), origin, hashed))
    };
    let all = packages(&lock, "package").filter_map(read).collect();
    locks.lockfile(path, Ecosystem::Pypi, true, all);
}

pub(super) fn poetry(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(lock) = records.toml(path, LOCKFILE_BYTES_MAX) else { return };
    let older = lock.get("metadata").and_then(|m| m.get("files"));
    let read = |package: &Value| {
        let name = text(package, "name")?;
        let source = package.get("source");
        let url = source.and_then(|s| text(s, "url")).unwrap_or_default();
        let origin = match source.and_then(|s| text(s, "type")) {
            Some("git") => git(url, source.and_then(|s| text(s, "resolved_reference"))),
            Some("file" | "directory") => Origin::Path(url.to_owned()),
            Some(_) => urls(std::iter::once(url)),
            None => Origin::Urls(Vec::new()),
        };
        let files: Vec<&Value> = items(package.get("files").or(older.and_then(|all| all.get(name)))).collect();
        let hashed = !files.is_empty() && files.iter().all(|file| text(file, "hash").is_some());
        let mut one = locked(name, text(package, "version"), origin, hashed);
        let groups: Vec<&str> = items(package.get("groups")).filter_map(Value::as_str).collect();
        one.dev = text(package, "category") == Some("dev") || (!groups.is_empty() && !groups.contains(&"main"));
        Some(one)
    };
    let all = packages(&lock, "package").filter_map(read).collect();
    locks.lockfile(path, Ecosystem::Pypi, true, all);
}

pub(super) fn pdm(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(lock) = records.toml(path, LOCKFILE_BYTES_MAX) else { return };
    let read = |package: &Value| {
        let files: Vec<&Value> = items(package.get("files")).collect();
        let origin = match (text(package, "git"), text(package, "path"), text(package, "url")) {
            (Some(url), ..) => git(url, text(package, "revision")),
            (_, Some(place), _) => Origin::Path(place.to_owned()),
            (.., Some(url)) => urls(std::iter::once(url)),
            _ => urls(files.iter().filter_map(|file| text(file, "url"))),
        };
        let hashed = !files.is_empty() && files.iter().all(|file| text(file, "hash").is_some());
        let mut one = locked(text(package, "name")?, text(package, "version"), origin, hashed);
        let groups: Vec<&str> = items(package.get("groups")).filter_map(Value::as_str).collect();
        one.dev = !groups.is_empty() && groups.iter().all(|group| ["dev", "test", "lint", "doc"].contains(group));
        Some(one)
    };
    let all = packages(&lock, "package").filter_map(read).collect();
    locks.lockfile(path, Ecosystem::Pypi, true, all);
}

/// PEP 751.
pub(super) fn pylock(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(lock) = records.toml(path, LOCKFILE_BYTES_MAX) else { return };
    let read = |package: &Value| {
        let files: Vec<&Value> =
            items(package.get("wheels")).chain(package.get("sdist")).chain(package.get("archive")).collect();
        let origin = if let Some(vcs) = package.get("vcs") {
            git(text(vcs, "url").unwrap_or_default(), text(vcs, "commit-id"))
        } else if let Some(directory) = package.get("directory") {
            match text(directory, "path") {
                None | Some(".") => Origin::Own,
                Some(place) => Origin::Path(place.to_owned()),
            }
        } else {
            urls(text(package, "index").into_iter().chain(files.iter().filter_map(|file| text(file, "url"))))
        };
        let sound = |file: &&Value| file.get("hashes").and_then(Value::as_table).is_some_and(|all| !all.is_empty());
        let hashed = !files.is_empty() && files.iter().all(sound);
        Some(locked(text(package, "name")?, text(package, "version"), origin, hashed))
    };
    let all = packages(&lock, "packages").filter_map(read).collect();
    locks.lockfile(path, Ecosystem::Pypi, true, all);
}

pub(super) fn pipfile(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(lock) = records.json(path, LOCKFILE_BYTES_MAX) else { return };
    let mut all = Vec::new();
    for (group, dev) in [("default", false), ("develop", true)] {
        for (name, package) in lock.get(group).and_then(serde_json::Value::as_object).into_iter().flatten() {
            let text = |field: &str| package.get(field).and_then(serde_json::Value::as_str);
            let origin = match (text("git"), text("path"), text("file")) {
                (Some(url), ..) => git(url, text("ref")),
                (_, Some("."), _) => Origin::Own,
                (_, Some(place), _) => Origin::Path(place.to_owned()),
                (.., Some(url)) => urls(std::iter::once(url)),
                _ => Origin::Urls(Vec::new()),
            };
            let version = text("version").and_then(|v| v.strip_prefix("==")).filter(|v| !v.ends_with('*'));
            let hashed = package.get("hashes").and_then(serde_json::Value::as_array).is_some_and(|h| !h.is_empty());
            all.push(Locked { dev, ..locked(name, version, origin, hashed) });
        }
    }
    let sources = lock.get("_meta").and_then(|meta| meta.get("sources")).and_then(serde_json::Value::as_array);
    for url in sources.into_iter().flatten().filter_map(|s| s.get("url")?.as_str()) {
        index(url, path, locks);
    }
    locks.lockfile(path, Ecosystem::Pypi, true, all);
}

/// Where an installed package came from, if not from an index. Spec: PEP 610.
pub(super) fn direct_url(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(document) = records.json(path, RECORD_BYTES_MAX) else { return };
    let record = super::folder(path).rsplit('/').next().unwrap_or_default();
    let name = record.split('-').next().unwrap_or_default();
    let Some(url) = document.get("url").and_then(serde_json::Value::as_str) else { return };
    let vcs = document.get("vcs_info");
    let editable = document.get("dir_info").and_then(|d| d.get("editable")) == Some(&serde_json::Value::Bool(true));
    let origin = if let Some(vcs) = vcs {
        git(url, vcs.get("commit_id").and_then(serde_json::Value::as_str))
    } else if editable {
        Origin::Own
    } else if url.starts_with("file:") {
        Origin::Path(url.to_owned())
    } else {
        urls(std::iter::once(url))
    };
    let (ecosystem, file) = (Ecosystem::Pypi, path.to_owned());
    locks.require(Requirement {
        ecosystem,
        name: normal(name),
        spec: String::new(),
        exact: false,
        origin,
        optional: false,
        file,
        line: None,
    });
}

fn index(url: &str, path: &str, locks: &mut Locks) {
    let url = url.chars().take(200).collect();
    locks.indexes.push(Index { ecosystem: Ecosystem::Pypi, url, file: path.to_owned(), line: None });
}

pub(super) fn project(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(document) = records.toml(path, RECORD_BYTES_MAX) else { return };
    let project = document.get("project");
    let poetry = document.get("tool").and_then(|tool| tool.get("poetry"));
    for name in [project, poetry].into_iter().flatten().filter_map(|table| text(table, "name")) {
        locks.projects.push((Ecosystem::Pypi, normal(name)));
    }
    // 1. Standard: a list of requirements.
    for one in items(project.and_then(|p| p.get("dependencies"))).filter_map(Value::as_str) {
        locks.requirements.extend(requirements::requirement(one, path, None));
    }
    // 2. Poetry: a table of names and ranges.
    for (name, spec) in poetry.and_then(|p| p.get("dependencies")).and_then(Value::as_table).into_iter().flatten() {
        if name == "python" {
            continue;
        }
        let version = spec.as_str().or_else(|| text(spec, "version")).unwrap_or_default().trim();
        let origin = match (text(spec, "git"), text(spec, "path"), text(spec, "url")) {
            (Some(url), ..) => git(url, text(spec, "rev")),
            (_, Some(place), _) => Origin::Path(place.to_owned()),
            (.., Some(url)) => urls(std::iter::once(url)),
            _ => Origin::Urls(Vec::new()),
        };
        locks.require(Requirement {
            ecosystem: Ecosystem::Pypi,
            name: normal(name),
            spec: version.chars().take(200).collect(),
            exact: version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains(['*', ',', ' ', '|']),
            origin,
            optional: spec.get("optional").and_then(Value::as_bool).unwrap_or(false),
            file: path.to_owned(),
            line: None,
        });
    }
    // 3. Indexes of uv, Poetry and pdm.
    let tool = |name: &str, field: &str| document.get("tool").and_then(|t| t.get(name)).and_then(|t| t.get(field));
    let tables = items(tool("uv", "index")).chain(items(tool("poetry", "source"))).chain(items(tool("pdm", "source")));
    let plain = tool("uv", "index-url").into_iter().chain(items(tool("uv", "extra-index-url")));
    let found: Vec<String> = tables
        .filter_map(|table| text(table, "url"))
        .chain(plain.filter_map(Value::as_str))
        .map(str::to_owned)
        .collect();
    found.iter().take(100).for_each(|url| index(url, path, locks));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::survey;
    use crate::dependencies::tests::Files;

    fn seen(path: &str, text: &str) -> Vec<String> {
        let locks = survey(&Files::of(&[(path, text)])).locks;
        let kind = |origin: &Origin| match origin {
            Origin::Urls(urls) => format!("urls{}", urls.len()),
            Origin::Git { pinned, .. } => format!("git {pinned}"),
            Origin::Path(_) => "path".into(),
            Origin::Own => "own".into(),
        };
        let packages = locks.lockfiles.iter().flat_map(|lock| &lock.packages);
        packages
            .map(|p| format!("{} {} {} {}", p.name, p.version.as_deref().unwrap_or("?"), p.hashed, kind(&p.origin)))
            .collect()
    }

    #[test]
    fn every_format_gives_version_hash_and_origin() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let uv = format!(
            "[[package]]\nname = \"me\"\nversion = \"0\"\nsource = {{ editable = \".\" }}\n[[package]]\nname = \"A.b\"\nversion = \"1.0\"\nsource = {{ registry = \"https://i.example/simple\" }}\nsdist = {{ url = \"https://f.example/a.tar.gz\", hash = \"sha256:x\" }}\nwheels = [{{ url = \"https://f.example/a.whl\", hash = \"sha256:x\" }}]\n[[package]]\nname = \"g\"\nversion = \"1\"\nsource = {{ git = \"https://example.org/g?rev=main#{commit}\" }}\n"
        );
        assert_eq!(seen("uv.lock", &uv), ["me 0 false own", "a-b 1.0 true urls2", "g 1 false git true"]);
        let poetry = "[[package]]\nname = \"a\"\nversion = \"1.0\"\nfiles = [{file = \"a\", hash = \"sha256:x\"}]\n[[package]]\nname = \"b\"\nversion = \"2\"\nfiles = []\n[package.source]\ntype = \"legacy\"\nurl = \"https://i.example\"\n";
        assert_eq!(seen("poetry.lock", poetry), ["a 1.0 true urls0", "b 2 false urls1"]);
        let older = "[[package]]\nname = \"a\"\nversion = \"1.0\"\n[metadata.files]\na = [{file = \"a\", hash = \"sha256:x\"}]\n";
        assert_eq!(seen("poetry.lock", older), ["a 1.0 true urls0"]);
        let pdm = "[[package]]\nname = \"a\"\nversion = \"1.0\"\nfiles = [{url = \"https://f.example/a\", hash = \"sha256:x\"}]\n[[package]]\nname = \"g\"\nversion = \"1\"\ngit = \"https://example.org/g\"\nrevision = \"main\"\n";
        assert_eq!(seen("pdm.lock", pdm), ["a 1.0 true urls1", "g 1 false git false"]);
        let pylock = "[[packages]]\nname = \"a\"\nversion = \"1.0\"\nindex = \"https://i.example\"\nwheels = [{url = \"https://f.example/a\", hashes = {sha256 = \"x\"}}]\n[[packages]]\nname = \"d\"\ndirectory = {path = \"../d\"}\n";
        assert_eq!(seen("pylock.toml", pylock), ["a 1.0 true urls2", "d ? false path"]);
        let pipfile = r#"{"default":{"a":{"version":"==1.0","hashes":["sha256:x"]},"b":{"version":"*"}}}"#;
        assert_eq!(seen("Pipfile.lock", pipfile), ["a 1.0 true urls0", "b ? false urls0"]);
    }

    #[test]
    fn projects_are_read_in_both_forms() {
        let project = "[project]\nname = \"Me\"\ndependencies = [\"a==1.0\", \"b>=2\", \"c @ git+https://example.org/c@main\"]\n[tool.poetry.dependencies]\npython = \"^3\"\nd = \"1.2\"\ne = {version = \"^1\", optional = true}\n[[tool.uv.index]]\nurl = \"https://i.example\"\n";
        let locks = survey(&Files::of(&[("pyproject.toml", project)])).locks;
        let seen: Vec<(&str, bool)> = locks.requirements.iter().map(|r| (r.name.as_str(), r.exact)).collect();
        assert_eq!(seen, [("a", true), ("b", false), ("c", false), ("d", true), ("e", false)]);
        assert_eq!((locks.indexes.len(), locks.projects.len()), (1, 1));
    }
}
