//! `yarn.lock` (both generations) and `pnpm-lock.yaml`, read by lines: what matters stands on lines of a
//! fixed form.

use super::{Locked, Locks, Origin, git, is_git, urls};
use crate::dependencies::{Ecosystem, LOCKFILE_BYTES_MAX, Records};

pub(super) fn yarn(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(text) = records.text(path, LOCKFILE_BYTES_MAX) else { return };
    let mut packages: Vec<Locked> = Vec::new();
    let mut open = false;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        // `"@s/a@^1.0.0", "@s/a@~1.0.0":` begins a package.
        if !line.starts_with(' ') {
            let first = line.trim_end_matches(':').split(',').next().unwrap_or_default().trim().trim_matches('"');
            let name = first.get(1..).and_then(|rest| rest.find('@')).map(|at| &first[..=at]);
            open = name.is_some() && !line.starts_with("__metadata");
            if let (Some(name), true) = (name, open) {
                packages.push(new(name));
            }
            continue;
        }
        let Some(package) = packages.last_mut().filter(|_| open && !line.starts_with("   ")) else { continue };
        let Some((key, value)) = line.trim().split_once([' ', ':']) else { continue };
        let value = value.trim().trim_matches('"');
        match key.trim_matches(':') {
            "version" => package.version = Some(value.to_owned()),
            "resolved" if is_git(value) => package.origin = git(value, None),
            "resolved" => package.origin = urls(std::iter::once(value)),
            "resolution" if value.contains("@workspace:") => package.origin = Origin::Own,
            "resolution" if is_git(value.split_once('@').map_or("", |(_, end)| end)) => {
                package.origin = git(value, None);
            }
            "integrity" | "checksum" => package.hashed = true,
            _ => {}
        }
    }
    locks.lockfile(path, Ecosystem::Npm, true, packages);
}

pub(super) fn pnpm(path: &str, records: &mut Records<'_>, locks: &mut Locks) {
    let Some(text) = records.text(path, LOCKFILE_BYTES_MAX) else { return };
    let mut packages: Vec<Locked> = Vec::new();
    let mut inside = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if !line.starts_with(' ') {
            inside = line.trim_end() == "packages:";
            continue;
        }
        if !inside {
            continue;
        }
        // `  '@s/a@1.0.0(peer@2)':`, in older files `  /@s/a@1.0.0:` or `  /a/1.0.0:`.
        if let Some(key) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) {
            let key = key.trim_end().trim_end_matches(':').trim_matches('\'').trim_start_matches('/');
            let key = key.split('(').next().unwrap_or_default();
            let at = key.rfind('@').filter(|at| *at > 0).or(key.rfind('/'));
            if let Some(at) = at {
                let mut package = new(&key[..at]);
                package.version =
                    Some(key[at + 1..].to_owned()).filter(|v| v.starts_with(|c: char| c.is_ascii_digit()));
                packages.push(package);
            }
            continue;
        }
        let Some(package) = packages.last_mut() else { continue };
        if let Some(resolution) = line.trim().strip_prefix("resolution:") {
            package.hashed |= resolution.contains("integrity:");
            let field = |name: &str| {
                let (_, rest) = resolution.split_once(name)?;
                Some(rest.trim().split([',', '}']).next()?.trim().trim_matches('\''))
            };
            if let Some(url) = field("tarball:") {
                package.origin = urls(std::iter::once(url));
            }
            if let Some(repository) = field("repo:") {
                package.origin = git(repository, field("commit:"));
            }
        } else if line.trim() == "dev: true" {
            package.dev = true;
        }
    }
    locks.lockfile(path, Ecosystem::Npm, true, packages);
}

fn new(name: &str) -> Locked {
    Locked {
        name: name.to_owned(),
        version: None,
        place: None,
        line: None,
        origin: Origin::Urls(Vec::new()),
        hashed: false,
        dev: false,
    }
}

#[cfg(test)]
mod tests {
    use crate::dependencies::survey;
    use crate::dependencies::tests::Files;

    fn seen(path: &str, text: &str) -> Vec<String> {
        let locks = survey(&Files::of(&[(path, text)])).locks;
        let packages = locks.lockfiles.iter().flat_map(|lock| &lock.packages);
        packages.map(|p| format!("{} {} {}", p.name, p.version.as_deref().unwrap_or("?"), p.hashed)).collect()
    }

    #[test]
    fn both_generations_of_yarn_are_read() {
        let classic = "# yarn lockfile v1\n\n\"@s/a@^1.0.0\", \"@s/a@~1\":\n  version \"1.2.0\"\n  resolved \"https://r.example/a.tgz#abc\"\n  integrity sha512-x\n  dependencies:\n    version \"9\"\n\nb@*:\n  version \"2.0.0\"\n";
        assert_eq!(seen("yarn.lock", classic), ["@s/a 1.2.0 true", "b 2.0.0 false"]);
        let berry = "__metadata:\n  version: 8\n\n\"a@npm:^1.0.0\":\n  version: 1.2.0\n  resolution: \"a@npm:1.2.0\"\n  checksum: 10/abc\n\n\"me@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"me@workspace:.\"\n";
        assert_eq!(seen("yarn.lock", berry), ["a 1.2.0 true", "me 0.0.0-use.local false"]);
    }

    #[test]
    fn pnpm_is_read() {
        let lock = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        version: 1.0.0\npackages:\n\n  '@s/a@1.2.0':\n    resolution: {integrity: sha512-x}\n\n  b@2.0.0(c@1):\n    resolution: {tarball: https://e.example/b.tgz}\n    dev: true\nsnapshots:\n  z@1: {}\n";
        assert_eq!(seen("pnpm-lock.yaml", lock), ["@s/a 1.2.0 true", "b 2.0.0 false"]);
        assert_eq!(
            seen("pnpm-lock.yaml", "packages:\n  /@s/a/1.0.0:\n    resolution: {integrity: sha512-x}\n"),
            ["@s/a 1.0.0 true"]
        );
    }
}
