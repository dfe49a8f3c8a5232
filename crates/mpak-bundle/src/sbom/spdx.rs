//! SPDX as JSON.

use serde_json::Value;

use super::{COMPONENTS_COUNT_MAX, Format, Listed, Sbom, SbomError, hashed, text};

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
