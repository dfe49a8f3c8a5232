//! Software bills of materials: reading the ones in a bundle, writing the one we generate.
//!
//! Read: CycloneDX 1.4 to 1.6 and SPDX 2.3, both as JSON, from an attacker. Written: CycloneDX 1.6 and
//! SPDX 2.3.

use serde_json::Value;
use thiserror::Error;

use crate::dependencies::Component;

mod cyclonedx;
mod spdx;

use cyclonedx::is_expression;

/// Most components of one document that are read.
pub const COMPONENTS_COUNT_MAX: usize = 100_000;

/// A CycloneDX 1.6 document of the components; deterministic, without wall-clock values.
pub fn cyclonedx(name: &str, version: &str, components: &[Component]) -> Value {
    cyclonedx::write(name, version, components)
}

/// An SPDX 2.3 document of the components; deterministic. The format demands a time, RFC 3339 in UTC to the
/// second.
pub fn spdx(name: &str, version: &str, components: &[Component], created: &str) -> Value {
    spdx::write(name, version, components, created)
}

/// The two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CycloneDX.
    CycloneDx,
    /// SPDX.
    Spdx,
}

/// A bill of materials that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sbom {
    /// Its format.
    pub format: Format,
    /// Version of the format, for example `1.6`.
    pub format_version: String,
    /// What it lists, in its order.
    pub components: Vec<Listed>,
}

/// One component as the document lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Name.
    pub name: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Package URL.
    pub purl: Option<String>,
    /// Whether a hash of its content, SHA-256 or better, is listed.
    pub hashed: bool,
}

/// Why a document is not a bill of materials.
#[derive(Debug, Error)]
pub enum SbomError {
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither `bomFormat` nor `spdxVersion`.
    #[error("it is neither CycloneDX (`bomFormat`) nor SPDX (`spdxVersion`)")]
    Format,
    /// A version that is not supported.
    #[error("it is {format} `{found}`, expected {expected}")]
    Version {
        /// The format.
        format: &'static str,
        /// Its version, cut short.
        found: String,
        /// The versions that are read.
        expected: &'static str,
    },
    /// A list is something else.
    #[error("`{field}` is not a list of objects")]
    Shape {
        /// The field.
        field: &'static str,
    },
    /// More than anybody has.
    #[error("it lists more than {limit} components")]
    Count {
        /// The limit.
        limit: usize,
    },
}

/// Reads a bill of materials of either format.
///
/// # Errors
/// [`SbomError`].
pub fn read(bytes: &[u8]) -> Result<Sbom, SbomError> {
    let document: Value = serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))?;
    if document.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") {
        cyclonedx::read(&document)
    } else if let Some(version) = document.get("spdxVersion").and_then(Value::as_str) {
        spdx::read(&document, version)
    } else {
        Err(SbomError::Format)
    }
}

/// Whether a list of hashes holds one that is not broken.
fn hashed(list: Option<&Value>, algorithm: &str) -> bool {
    let all = list.and_then(Value::as_array).into_iter().flatten();
    let names =
        all.filter_map(|hash| hash.get(algorithm)?.as_str()).map(|name| name.to_ascii_uppercase().replace('-', ""));
    names
        .into_iter()
        .any(|name| ["SHA256", "SHA384", "SHA512", "SHA3", "BLAKE"].iter().any(|good| name.starts_with(good)))
}

/// The package URL without qualifiers and subpath and with its percent-encoding undone, for comparing.
pub fn plain_purl(purl: &str) -> String {
    let end = purl.find(['?', '#']).unwrap_or(purl.len());
    let mut bytes = Vec::with_capacity(end);
    let mut rest = &purl.as_bytes()[..end];
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A field as text.
fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::Ecosystem;

    fn component(name: &str, license: Option<&str>) -> Component {
        Component {
            ecosystem: Ecosystem::Npm,
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            found_in: "x".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let components = [component("@acme/a", Some("MIT")), component("b", Some("free text")), component("c", None)];
        let written = cyclonedx("@acme/widget", "1.2.3", &components);
        let read = read(written.to_string().as_bytes()).unwrap();
        assert_eq!((read.format, read.format_version.as_str()), (Format::CycloneDx, "1.6"));
        let purls: Vec<_> = read.components.iter().filter_map(|c| c.purl.as_deref()).collect();
        assert_eq!(purls, ["pkg:npm/%40acme/a@1.0.0", "pkg:npm/b@1.0.0", "pkg:npm/c@1.0.0"]);
        assert_eq!(written, cyclonedx("@acme/widget", "1.2.3", &components));
        assert_eq!(written["components"][0]["licenses"][0]["expression"], "MIT");
        assert_eq!(written["components"][1]["licenses"][0]["license"]["name"], "free text");
        assert!(written["components"][2].get("licenses").is_none());
    }

    #[test]
    fn spdx_that_is_written_is_read_again() {
        let components = [component("@acme/a", Some("MIT")), component("b", Some("free text")), component("c", None)];
        let write = || spdx("@acme/widget", "1.2.3", &components, "2026-11-21T00:00:00Z");
        let written = write();
        let read = read(written.to_string().as_bytes()).unwrap();
        assert_eq!((read.format, read.format_version.as_str()), (Format::Spdx, "2.3"));
        let purls: Vec<_> = read.components.iter().filter_map(|c| c.purl.as_deref()).collect();
        assert_eq!(purls, ["pkg:npm/%40acme/a@1.0.0", "pkg:npm/b@1.0.0", "pkg:npm/c@1.0.0"]);
        assert_eq!(written, write());
        let licence = |at: usize| written["packages"][at]["licenseDeclared"].as_str().unwrap().to_owned();
        assert_eq!([licence(1), licence(2), licence(3)], ["MIT", "NOASSERTION", "NOASSERTION"]);
        assert_eq!(written["packages"][2]["licenseComments"], "free text");
        let mut ids: Vec<&str> =
            written["packages"].as_array().unwrap().iter().map(|p| p["SPDXID"].as_str().unwrap()).collect();
        assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))), "{ids:?}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4);
        // Other components give another namespace.
        assert_ne!(
            written["documentNamespace"],
            spdx("@acme/widget", "1.2.3", &components[1..], "")["documentNamespace"]
        );
    }

    #[test]
    fn documents_that_are_no_bill_of_materials_are_refused() {
        for (document, expected) in [
            ("", "not JSON"),
            ("[]", "neither"),
            ("{}", "neither"),
            (r#"{"bomFormat":"CycloneDX","specVersion":"1.3"}"#, "`1.3`"),
            (r#"{"bomFormat":"CycloneDX"}"#, "``"),
            (r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":{}}"#, "`components`"),
            (r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[1]}"#, "`components`"),
            (r#"{"spdxVersion":"SPDX-2.2"}"#, "`SPDX-2.2`"),
            (r#"{"spdxVersion":"SPDX-2.3","packages":1}"#, "`packages`"),
        ] {
            let error = read(document.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{document}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(deep.as_bytes()).is_err());
    }

    #[test]
    fn nested_components_are_read() {
        let document = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
            {"name":"a","version":"1","components":[{"name":"b","version":"2","purl":"pkg:npm/b@2"}]}]}"#;
        let names: Vec<_> = read(document.as_bytes()).unwrap().components.into_iter().filter_map(|c| c.name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn spdx_packages_are_read_without_the_one_described() {
        let document = r#"{"spdxVersion":"SPDX-2.3","documentDescribes":["SPDXRef-me"],"packages":[
            {"SPDXID":"SPDXRef-me","name":"me","versionInfo":"0"},
            {"SPDXID":"SPDXRef-a","name":"a","versionInfo":"1.0","externalRefs":[
                {"referenceType":"cpe23Type","referenceLocator":"cpe:x"},
                {"referenceType":"purl","referenceLocator":"pkg:pypi/a@1.0"}]}]}"#;
        let read = read(document.as_bytes()).unwrap();
        assert_eq!(read.format, Format::Spdx);
        let listed = Listed {
            name: Some("a".into()),
            version: Some("1.0".into()),
            purl: Some("pkg:pypi/a@1.0".into()),
            hashed: false,
        };
        assert_eq!(read.components, [listed]);
    }

    #[test]
    fn package_urls_are_compared_without_encoding_and_qualifiers() {
        for (purl, expected) in [
            ("pkg:npm/%40acme/a@1.0.0", "pkg:npm/@acme/a@1.0.0"),
            ("pkg:pypi/a@1?x=y#z", "pkg:pypi/a@1"),
            ("pkg:npm/a%", "pkg:npm/a%"),
            ("pkg:npm/a%zz%ff", "pkg:npm/a%zz\u{fffd}"),
            ("", ""),
        ] {
            assert_eq!(plain_purl(purl), expected);
        }
    }
}
