//! A package, as package URLs name it.

use mpak_bundle::dependencies::{Component, Ecosystem};
use mpak_bundle::sbom::plain_purl;

use super::name;

/// Ecosystem, name and perhaps version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Ecosystem.
    pub ecosystem: Ecosystem,
    /// Name, as written.
    pub name: String,
    /// Version; without one, all are meant.
    pub version: Option<String>,
}

impl Package {
    /// Reads `pkg:npm/%40acme/widget@1.0.0`; `None` for other ecosystems, and for what is no package URL.
    pub fn of_purl(purl: &str) -> Option<Self> {
        const PURL_BYTES_MAX: usize = 2_048;
        let plain = plain_purl(purl.get(..PURL_BYTES_MAX).unwrap_or(purl));
        let (kind, rest) = plain.strip_prefix("pkg:")?.trim_start_matches('/').split_once('/')?;
        let ecosystem = match kind.to_ascii_lowercase().as_str() {
            "npm" => Ecosystem::Npm,
            "pypi" => Ecosystem::Pypi,
            "cargo" => Ecosystem::Cargo,
            "golang" => Ecosystem::Golang,
            _ => return None,
        };
        let after_folder = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, version) = match rest[after_folder..].rfind('@') {
            Some(at) if at > 0 => (&rest[..after_folder + at], Some(&rest[after_folder + at + 1..])),
            _ => (rest, None),
        };
        let version = version.filter(|version| !version.is_empty()).map(str::to_owned);
        (!name.is_empty()).then(|| Self { ecosystem, name: name.to_owned(), version })
    }

    /// The ecosystem and name of a component in the form in which they are compared.
    pub fn normal_key(component: &Component) -> String {
        format!("{}/{}", component.ecosystem.as_str(), name::normal(component.ecosystem, &component.name))
    }

    /// Whether a component is this package, by the rules of the ecosystem.
    pub fn is(&self, component: &Component) -> bool {
        let scheme = name::scheme(self.ecosystem);
        let same_version = |version: &String| {
            *version == component.version
                || scheme.key(version).is_some_and(|key| scheme.key(&component.version) == Some(key))
        };
        self.ecosystem == component.ecosystem
            && name::normal(self.ecosystem, &self.name) == name::normal(component.ecosystem, &component.name)
            && self.version.as_ref().is_none_or(same_version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_name_packages() {
        for (purl, expected) in [
            ("pkg:npm/%40acme/widget@1.0.0?x=y#z", Some((Ecosystem::Npm, "@acme/widget", Some("1.0.0")))),
            ("pkg:npm/@acme/widget", Some((Ecosystem::Npm, "@acme/widget", None))),
            ("pkg:npm/left-pad@1.3.0", Some((Ecosystem::Npm, "left-pad", Some("1.3.0")))),
            ("pkg:pypi/Django@", Some((Ecosystem::Pypi, "Django", None))),
            ("pkg:golang/example.org/a/b@v1.2.3", Some((Ecosystem::Golang, "example.org/a/b", Some("v1.2.3")))),
            ("pkg:cargo/serde@1.0.0%2Bx", Some((Ecosystem::Cargo, "serde", Some("1.0.0+x")))),
            ("pkg:deb/debian/x@1", None),
            ("pkg:npm/", None),
            ("npm/x", None),
            ("", None),
        ] {
            let found = Package::of_purl(purl);
            let found = found.as_ref().map(|p| (p.ecosystem, p.name.as_str(), p.version.as_deref()));
            assert_eq!(found, expected, "{purl}");
        }
    }
}
