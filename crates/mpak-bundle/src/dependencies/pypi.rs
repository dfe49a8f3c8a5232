//! PyPI: `*.dist-info/METADATA` and `*.egg-info/PKG-INFO` of installed packages; `uv.lock`,
//! `poetry.lock`, `requirements.txt`.

use super::{Ecosystem, LOCKFILE_BYTES_MAX, RECORD_BYTES_MAX, Records, file_name, own_file};

/// Whether a file is the record of an installed distribution.
pub(super) fn is_record(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(folder, name)| {
        (name == "METADATA" && folder.ends_with(".dist-info")) || (name == "PKG-INFO" && folder.ends_with(".egg-info"))
    })
}

/// Whether a file is a lockfile beside which `requirements.txt` does not count.
pub(super) fn is_precise(path: &str) -> bool {
    own_file(path, "uv.lock") || own_file(path, "poetry.lock")
}

/// Installed distributions.
pub(super) fn installed(paths: &[String], records: &mut Records<'_>) {
    for path in paths.iter().filter(|path| is_record(path)) {
        let Some(text) = records.text(path, RECORD_BYTES_MAX) else { continue };
        let metadata = Metadata::read(&text);
        match (metadata.name, metadata.version) {
            (Some(name), Some(version)) => {
                records.found(Ecosystem::Pypi, &normal(name), version, metadata.license, path);
            }
            _ => records.unreadable(path),
        }
    }
}

/// The headers that matter. Source: PyPA core metadata.
#[derive(Default)]
struct Metadata<'a> {
    name: Option<&'a str>,
    version: Option<&'a str>,
    license: Option<String>,
}

impl<'a> Metadata<'a> {
    fn read(text: &'a str) -> Self {
        let mut metadata = Self::default();
        let (mut expression, mut free, mut classifiers) = (None, None, Vec::new());
        // The body, a README, begins after the first empty line.
        for line in text.lines().take_while(|line| !line.trim_end().is_empty()) {
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match field.to_ascii_lowercase().as_str() {
                "name" => metadata.name = metadata.name.or(Some(value)),
                "version" => metadata.version = metadata.version.or(Some(value)),
                "license-expression" => expression = expression.or(Some(value.to_owned())),
                "license" => free = free.or(Some(value.to_owned())),
                "classifier" => classifiers.extend(value.strip_prefix("License ::").map(last_part)),
                _ => {}
            }
        }
        let classified = (!classifiers.is_empty()).then(|| classifiers.join(" OR "));
        let short = free.filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("unknown"));
        metadata.license = expression.or(short).or(classified);
        metadata
    }
}

/// `OSI Approved :: MIT License` gives `MIT License`.
fn last_part(classifier: &str) -> &str {
    classifier.rsplit("::").next().unwrap_or(classifier).trim()
}

/// The normal form of a name: lower case, runs of `-`, `_` and `.` become one `-`.
pub(super) fn normal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.trim().chars() {
        let c = if matches!(c, '-' | '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out
}

/// Lockfiles; `requirements.txt` only counts where no better one exists.
pub(super) fn locked(paths: &[String], records: &mut Records<'_>) {
    for path in paths.iter().filter(|path| is_precise(path)) {
        let Some(lock) = records.toml(path, LOCKFILE_BYTES_MAX) else { continue };
        for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
            let text = |field: &str| package.get(field).and_then(toml::Value::as_str);
            // The project itself.
            let source = package.get("source");
            if source.is_some_and(|s| ["virtual", "editable"].iter().any(|kind| s.get(kind).is_some())) {
                continue;
            }
            if let (Some(name), Some(version)) = (text("name"), text("version")) {
                records.found(Ecosystem::Pypi, &normal(name), version, None, path);
            }
        }
    }
    let is_requirements = |path: &&String| {
        let name = file_name(path);
        name.strip_suffix(".txt").is_some_and(|stem| stem.starts_with("requirements")) && own_file(path, name)
    };
    for path in paths.iter().filter(is_requirements) {
        let Some(text) = records.text(path, LOCKFILE_BYTES_MAX) else { continue };
        for (name, version) in text.lines().filter_map(pinned) {
            records.found(Ecosystem::Pypi, &normal(name), version, None, path);
        }
    }
}

/// `name[extras]==version ; marker --hash=… # comment` gives name and version.
fn pinned(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.trim().split_once("==")?;
    let name = name.split('[').next()?.trim();
    let version = rest.trim_start_matches('=').split([' ', ';', '\\', '#', ',', '\t']).find(|part| !part.is_empty())?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!name.is_empty() && name.chars().all(plain) && !version.ends_with('*')).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::find;
    use crate::dependencies::tests::{Files, purls};

    #[test]
    fn names_are_normalised() {
        for (name, expected) in [("Foo.Bar", "foo-bar"), ("a__b-.-c", "a-b-c"), ("ruamel.yaml", "ruamel-yaml")] {
            assert_eq!(normal(name), expected);
        }
    }

    #[test]
    fn installed_distributions_are_found_with_their_licence() {
        for (headers, licence) in [
            ("License-Expression: MIT\nLicense: see file", Some("MIT")),
            ("License: BSD", Some("BSD")),
            ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", Some("MIT License")),
            ("Summary: x\n\nLicense: in the readme", None),
        ] {
            let text = format!("Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.2\n{headers}\n");
            let found = find(&Files::of(&[("server/lib/foo_bar-1.2.dist-info/METADATA", text)]));
            assert_eq!(found[0].purl(), "pkg:pypi/foo-bar@1.2");
            assert_eq!(found[0].license.as_deref(), licence, "{headers}");
        }
    }

    #[test]
    fn lockfiles_are_read_in_order_of_precision() {
        let uv = "[[package]]\nname = \"me\"\nversion = \"0\"\nsource = { editable = \".\" }\n[[package]]\nname = \"A.b\"\nversion = \"1.0\"\n";
        let requirements =
            "c==2.0 --hash=sha256:00\n# d==1\ne>=1\nf[x]==3.1 ; python_version > '3'\ng==1.*\n-r other\n";
        assert_eq!(purls(&[("requirements.txt", requirements)]), ["pkg:pypi/c@2.0", "pkg:pypi/f@3.1"]);
        assert_eq!(purls(&[("uv.lock", uv), ("requirements.txt", requirements)]), ["pkg:pypi/a-b@1.0"]);
    }
}
