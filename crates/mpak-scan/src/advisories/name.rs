//! Names of packages in the form in which both sides are compared.

use mpak_bundle::dependencies::Ecosystem;

use super::version::Scheme;

/// The ecosystem that OSV calls so, and how its versions compare.
pub(super) fn ecosystem(osv: &str) -> Option<(Ecosystem, Scheme)> {
    let ecosystem = match osv {
        "PyPI" => Ecosystem::Pypi,
        "npm" => Ecosystem::Npm,
        "crates.io" => Ecosystem::Cargo,
        "Go" => Ecosystem::Golang,
        _ => return None,
    };
    Some((ecosystem, scheme(ecosystem)))
}

/// How versions of an ecosystem compare.
pub(super) fn scheme(ecosystem: Ecosystem) -> Scheme {
    match ecosystem {
        Ecosystem::Pypi => Scheme::Pep440,
        Ecosystem::Npm | Ecosystem::Cargo | Ecosystem::Golang => Scheme::Semver,
    }
}

/// The number of an ecosystem in a snapshot. Never changed, never used again.
pub(super) fn number(ecosystem: Ecosystem) -> u8 {
    match ecosystem {
        Ecosystem::Npm => 1,
        Ecosystem::Pypi => 2,
        Ecosystem::Cargo => 3,
        Ecosystem::Golang => 4,
    }
}

/// The word for the number of an ecosystem.
pub(super) fn of_number(of: u8) -> &'static str {
    let all = [Ecosystem::Npm, Ecosystem::Pypi, Ecosystem::Cargo, Ecosystem::Golang];
    all.into_iter().find(|ecosystem| number(*ecosystem) == of).map_or("unknown", Ecosystem::as_str)
}

/// The form in which names are compared: PyPI by PEP 503; crates do not tell `-` from `_` nor case; npm
/// has old packages that differ by case alone, and Go's paths are exact.
pub(super) fn normal(ecosystem: Ecosystem, name: &str) -> String {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Golang => name.trim().to_owned(),
        Ecosystem::Cargo => name.trim().to_ascii_lowercase().replace('_', "-"),
        Ecosystem::Pypi => {
            let mut out = String::with_capacity(name.len());
            for c in name.trim().chars() {
                let c = if matches!(c, '-' | '_' | '.') { '-' } else { c.to_ascii_lowercase() };
                if c != '-' || !out.ends_with('-') {
                    out.push(c);
                }
            }
            out
        }
    }
}

/// Where a package stands in a snapshot.
pub(super) fn key(ecosystem: Ecosystem, name: &str) -> Vec<u8> {
    let mut key = vec![number(ecosystem)];
    key.extend_from_slice(normal(ecosystem, name).as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_their_ecosystem_does() {
        for (ecosystem, a, b, same) in [
            (Ecosystem::Pypi, "Foo.Bar__baz", "foo-bar-baz", true),
            (Ecosystem::Pypi, "ruamel.yaml", "ruamel_yaml", true),
            (Ecosystem::Npm, "JSONStream", "jsonstream", false),
            (Ecosystem::Npm, "@acme/Widget", "@acme/widget", false),
            (Ecosystem::Cargo, "Serde_json", "serde-json", true),
            (Ecosystem::Golang, "example.org/A", "example.org/a", false),
        ] {
            assert_eq!(key(ecosystem, a) == key(ecosystem, b), same, "{a} {b}");
        }
        assert_ne!(key(Ecosystem::Npm, "x"), key(Ecosystem::Pypi, "x"));
    }
}
