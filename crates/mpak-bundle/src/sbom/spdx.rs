//! SPDX as JSON.

use serde_json::{Value, json};

use super::{COMPONENTS_COUNT_MAX, Format, Listed, Sbom, SbomError, hashed, is_expression, text};
use crate::dependencies::Component;
use crate::digest::Sha256;

/// The bundle's own id.
const SUBJECT: &str = "SPDXRef-bundle";
const UNKNOWN: &str = "NOASSERTION";

/// Spec: SPDX 2.3. The format demands a time and a namespace: the time is given, the namespace follows from
/// what is listed.
pub(super) fn write(name: &str, version: &str, components: &[Component], created: &str) -> Value {
    let name = if name.is_empty() { "bundle" } else { name };
    let mut packages = vec![json!({
        "SPDXID": SUBJECT, "name": name, "versionInfo": version, "downloadLocation": UNKNOWN,
        "filesAnalyzed": false, "primaryPackagePurpose": "APPLICATION",
        "licenseConcluded": UNKNOWN, "licenseDeclared": UNKNOWN, "copyrightText": UNKNOWN,
    })];
    let mut relations = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", SUBJECT)];
    for (at, component) in components.iter().enumerate() {
        let id = format!("SPDXRef-{}-{at}", component.ecosystem.as_str());
        relations.push(relation(SUBJECT, "CONTAINS", &id));
        packages.push(package(component, &id));
    }
    let listed: String = components.iter().map(|c| c.purl() + "\n").collect();
    let namespace = Sha256::of(format!("{name}\n{version}\n{listed}").as_bytes());
    json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("{name} {version}").trim(),
        "documentNamespace": format!("urn:mpak:sbom:sha256:{namespace}"),
        "creationInfo": {
            "created": created, "creators": [concat!("Tool: mpak-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages, "relationships": relations,
    })
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

fn package(component: &Component, id: &str) -> Value {
    let license = component.license.as_deref().unwrap_or_default();
    let declared = if is_expression(license) { license } else { UNKNOWN };
    let mut value = json!({
        "SPDXID": id, "name": component.name, "versionInfo": component.version, "downloadLocation": UNKNOWN,
        "filesAnalyzed": false, "primaryPackagePurpose": "LIBRARY",
        "licenseConcluded": UNKNOWN, "licenseDeclared": declared, "copyrightText": UNKNOWN,
        "sourceInfo": format!("found in {}", component.found_in),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": component.purl(),
        }],
    });
    if declared == UNKNOWN && !license.is_empty() {
        value["licenseComments"] = json!(license);
    }
    value
}

pub(super) fn read(document: &Value, version: &str) -> Result<Sbom, SbomError> {
    let Some(number) = version.strip_prefix("SPDX-2.").filter(|minor| minor.parse::<u8>().is_ok_and(|m| m >= 3)) else {
        let found = version.chars().take(20).collect();
        return Err(SbomError::Version { format: "SPDX", found, expected: "SPDX-2.3 or a later 2.x" });
    };
    let shape = || SbomError::Shape { field: "packages" };
    let empty = Vec::new();
    let packages = match document.get("packages") {
        None => &empty,
        Some(list) => list.as_array().filter(|list| list.iter().all(Value::is_object)).ok_or_else(shape)?,
    };
    if packages.len() > COMPONENTS_COUNT_MAX {
        return Err(SbomError::Count { limit: COMPONENTS_COUNT_MAX });
    }
    let described = described(document);
    let is_subject = |package: &&Value| text(package, "SPDXID").is_some_and(|id| described.contains(&id));
    let components = packages.iter().filter(|package| !is_subject(package)).map(listed).collect();
    Ok(Sbom { format: Format::Spdx, format_version: format!("2.{number}"), components })
}

/// Ids of what the document is about: the bundle itself.
fn described(document: &Value) -> Vec<String> {
    let list = |field: &str| document.get(field).and_then(Value::as_array).into_iter().flatten();
    let direct = list("documentDescribes").filter_map(Value::as_str).map(str::to_owned);
    let related = list("relationships")
        .filter(|r| r.get("relationshipType").and_then(Value::as_str) == Some("DESCRIBES"))
        .filter_map(|r| text(r, "relatedSpdxElement"));
    direct.chain(related).collect()
}

fn listed(package: &Value) -> Listed {
    let references = package.get("externalRefs").and_then(Value::as_array);
    let purl = references
        .into_iter()
        .flatten()
        .find(|r| r.get("referenceType").and_then(Value::as_str) == Some("purl"))
        .and_then(|r| text(r, "referenceLocator"));
    Listed {
        name: text(package, "name"),
        version: text(package, "versionInfo"),
        purl,
        hashed: hashed(package.get("checksums"), "algorithm"),
    }
}
