//! pip's `requirements*.txt` and single requirements. Spec: PEP 508; pip's requirements file format.

use super::{Index, Locked, Locks, Origin, Requirement, git, is_git, is_local, numbered, urls};
use crate::dependencies::pypi::normal;
use crate::dependencies::{Ecosystem, LOCKFILE_BYTES_MAX, Records, file_name};

pub(super) fn file(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(text) = records.text(path, LOCKFILE_BYTES_MAX) else { return };
    let dev = ["dev", "test", "doc", "lint"].iter().any(|word| file_name(path).contains(word));
    let mut packages = Vec::new();
    for (line, logical) in logical_lines(&text) {
        if logical.starts_with('-') {
            option(&logical, path, line, locks);
            continue;
        }
        let Some(asked) = requirement(&logical, path, Some(line)) else { continue };
        let version = asked.exact.then(|| asked.spec.trim_start_matches('=').trim().to_owned());
        let hashed = logical.contains("--hash=") || logical.contains("#sha256=");
        let origin = asked.origin.clone();
        packages.push(Locked { name: asked.name.clone(), version, place: None, line: Some(line), origin, hashed, dev });
        if !dev {
            locks.require(asked);
        }
    }
    // pip demands hashes of all packages as soon as one has them, so such a file names everything.
    let complete = !packages.is_empty() && packages.iter().all(|p: &Locked| p.hashed);
    locks.lockfile(path, Ecosystem::Pypi, complete, packages);
}

/// Lines without comments, joined where they end with a backslash.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut joined: Option<(u32, String)> = None;
    for (number, line) in numbered(text) {
        let line = line.split(" #").next().unwrap_or_default();
        let line = if line.trim_start().starts_with('#') { "" } else { line.trim() };
        let (content, more) = line.strip_suffix('\\').map_or((line, false), |start| (start, true));
        let (first, mut text) = joined.take().unwrap_or((number, String::new()));
        text.push_str(content.trim());
        text.push(' ');
        if more && text.len() < (1 << 16) {
            joined = Some((first, text));
        } else if !text.trim().is_empty() {
            lines.push((first, text.trim().to_owned()));
        }
    }
    lines.extend(joined.filter(|(_, text)| !text.trim().is_empty()).map(|(n, text)| (n, text.trim().to_owned())));
    lines
}

fn option(line: &str, path: &str, number: u32, locks: &mut Locks) {
    let mut words = line.split([' ', '=', '\t']).filter(|word| !word.is_empty());
    let (Some(name), Some(value)) = (words.next(), words.next()) else { return };
    if matches!(name, "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links") {
        let url = value.chars().take(200).collect();
        locks.indexes.push(Index { ecosystem: Ecosystem::Pypi, url, file: path.to_owned(), line: Some(number) });
    } else if matches!(name, "-e" | "--editable") && value != "." {
        let origin = address(value);
        let name = value.rsplit(['/', '=']).next().unwrap_or(value).trim_end_matches(".git");
        locks.require(Requirement {
            ecosystem: Ecosystem::Pypi,
            name: normal(name),
            spec: value.chars().take(200).collect(),
            exact: false,
            origin,
            optional: false,
            file: path.to_owned(),
            line: Some(number),
        });
    }
}

fn address(url: &str) -> Origin {
    if is_git(url) {
        git(url, None)
    } else if is_local(url) || !url.contains("://") || url.starts_with("file:") {
        Origin::Path(url.to_owned())
    } else {
        urls(std::iter::once(url))
    }
}

/// `name[extra] (spec | @ url) ; marker --hash=…`; `None` for what is none.
pub(super) fn requirement(text: &str, file: &str, line: Option<u32>) -> Option<Requirement> {
    let text = text.trim();
    let new = |name: &str, spec: &str, exact, origin| Requirement {
        ecosystem: Ecosystem::Pypi,
        name: normal(name),
        spec: spec.chars().take(200).collect(),
        exact,
        origin,
        // A marker for an extra is one that is not always installed.
        optional: text.split_once(';').is_some_and(|(_, marker)| marker.contains("extra")),
        file: file.to_owned(),
        line,
    };
    // A bare address.
    if is_git(text) || is_local(text) || text.contains("://") && !text.contains(" @ ") && !text.contains("==") {
        let url = text.split_ascii_whitespace().next()?;
        let egg = url.split_once("#egg=").map(|(_, egg)| egg.split('&').next().unwrap_or(egg));
        let name = egg.unwrap_or_else(|| url.split(['#', '?']).next().unwrap_or(url).rsplit('/').next().unwrap_or(url));
        return Some(new(name.trim_end_matches(".git"), url, false, address(url)));
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let rest =
        rest.strip_prefix('[').map_or(rest, |extras| extras.split_once(']').map_or("", |(_, rest)| rest)).trim_start();
    if let Some(url) = rest.strip_prefix('@') {
        let url = url.split([';', ' ']).find(|part| !part.is_empty())?;
        return Some(new(name, url, false, address(url)));
    }
    let spec = rest.split([';', '#']).next().unwrap_or_default().split(" --").next().unwrap_or_default();
    let spec = spec.trim().trim_start_matches('(').trim_end_matches(')').trim();
    let exact = spec.starts_with("==") && !spec.contains([',', '*']) && spec.len() > 2;
    Some(new(name, spec, exact, Origin::Urls(Vec::new())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::survey;
    use crate::dependencies::tests::Files;

    #[test]
    fn requirements_are_taken_apart() {
        for (text, name, spec, exact) in [
            ("requests==2.32.3", "requests", "==2.32.3", true),
            ("Requests[socks] ~= 2.0 ; python_version > '3'", "requests", "~= 2.0", false),
            ("a===1.0", "a", "===1.0", true),
            ("a==1.*", "a", "==1.*", false),
            ("a==1,!=2", "a", "==1,!=2", false),
            ("a (>=1)", "a", ">=1", false),
            ("a", "a", "", false),
            ("a @ https://example.org/a.whl ; x", "a", "https://example.org/a.whl", false),
            (
                "git+https://example.org/x/a.git@main#egg=Real_Name",
                "real-name",
                "git+https://example.org/x/a.git@main#egg=Real_Name",
                false,
            ),
            ("./local", "local", "./local", false),
            ("a==1 --hash=sha256:00", "a", "==1", true),
        ] {
            let asked = requirement(text, "requirements.txt", None).unwrap();
            assert_eq!((asked.name.as_str(), asked.spec.as_str(), asked.exact), (name, spec, exact), "{text}");
        }
        assert!(requirement("!", "x", None).is_none() && requirement("", "x", None).is_none());
    }

    #[test]
    fn a_file_is_complete_only_with_hashes_everywhere() {
        let lock = |text: &str| survey(&Files::of(&[("requirements.txt", text)])).locks;
        let hashed = lock(
            "# c\n--index-url https://i.example/simple\na==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n\nb==2 --hash=sha256:22 # why\n",
        );
        assert!(hashed.lockfiles[0].complete);
        assert_eq!(hashed.lockfiles[0].packages.iter().map(|p| p.line).collect::<Vec<_>>(), [Some(3), Some(7)]);
        assert_eq!((hashed.indexes[0].url.as_str(), hashed.indexes[0].line), ("https://i.example/simple", Some(2)));
        let loose = lock("a==1 --hash=sha256:00\nb>=2\n");
        assert!(!loose.lockfiles[0].complete);
        assert_eq!(loose.requirements.len(), 2);
        assert!(lock("-e git+https://example.org/x.git#egg=x\n").requirements.len() == 1);
    }
}
