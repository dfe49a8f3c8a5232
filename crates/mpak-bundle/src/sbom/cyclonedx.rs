//! CycloneDX as JSON.

use serde_json::{Map, Value, json};

use super::{COMPONENTS_COUNT_MAX, Format, Listed, Sbom, SbomError, hashed, text};
use crate::dependencies::Component;

/// Licences that are written as SPDX expressions; anything else is free text.
const SPDX_IDS: &[&str] = &[
    "0BSD",
    "AFL-2.1",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ISC",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "OFL-1.1",
    "PSF-2.0",
    "Python-2.0",
    "Unicode-3.0",
    "Unlicense",
    "W3C",
    "WTFPL",
    "X11",
    "ZPL-2.1",
    "Zlib",
];

pub(super) fn write(name: &str, version: &str, components: &[Component]) -> Value {
    let listed: Vec<Value> = components.iter().map(component).collect();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": "bundle", "name": name, "version": version},
        },
        "components": listed,
    })
}

fn component(component: &Component) -> Value {
    let purl = component.purl();
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("type", json!("library"));
    put("bom-ref", json!(purl));
    // A scope is the group of an npm package.
    match component.name.strip_prefix('@').and_then(|_| component.name.split_once('/')) {
        Some((group, name)) => {
            put("group", json!(group));
            put("name", json!(name));
        }
        None => {
            put("name", json!(component.name));
        }
    }
    put("version", json!(component.version));
    if let Some(license) = &component.license {
        put("licenses", licenses(license));
    }
    put("purl", json!(purl));
    put("evidence", json!({"occurrences": [{"location": component.found_in}]}));
    Value::Object(object)
}

fn licenses(license: &str) -> Value {
    if is_expression(license) { json!([{"expression": license}]) } else { json!([{"license": {"name": license}}]) }
}

/// Whether a licence is an SPDX expression of ids that are known.
pub(super) fn is_expression(license: &str) -> bool {
    let words: Vec<&str> = license.split([' ', '(', ')']).filter(|word| !word.is_empty()).collect();
    let known = |word: &&str| matches!(*word, "OR" | "AND") || SPDX_IDS.contains(word);
    let balanced = license.matches('(').count() == license.matches(')').count();
    // Operands and operators alternate.
    let alternates = words.iter().enumerate().all(|(i, word)| matches!(*word, "OR" | "AND") == (i % 2 == 1));
    balanced && alternates && words.len() % 2 == 1 && words.iter().all(known)
}

pub(super) fn read(document: &Value) -> Result<Sbom, SbomError> {
    let version = text(document, "specVersion").unwrap_or_default();
    if !matches!(version.as_str(), "1.4" | "1.5" | "1.6") {
        let found = version.chars().take(20).collect();
        return Err(SbomError::Version { format: "CycloneDX", found, expected: "1.4, 1.5 or 1.6" });
    }
    let mut components = Vec::new();
    gather(document, &mut components)?;
    Ok(Sbom { format: Format::CycloneDx, format_version: version, components })
}

/// Components and their nested components; the depth is that of the JSON, which the parser bounds.
fn gather(parent: &Value, components: &mut Vec<Listed>) -> Result<(), SbomError> {
    let shape = || SbomError::Shape { field: "components" };
    let Some(list) = parent.get("components") else { return Ok(()) };
    for component in list.as_array().ok_or_else(shape)? {
        if !component.is_object() {
            return Err(shape());
        }
        if components.len() >= COMPONENTS_COUNT_MAX {
            return Err(SbomError::Count { limit: COMPONENTS_COUNT_MAX });
        }
        // Files are listed by some tools; they are not packages.
        if component.get("type").and_then(Value::as_str) != Some("file") {
            let field = |name: &str| text(component, name);
            let hashed = hashed(component.get("hashes"), "alg");
            components.push(Listed { name: field("name"), version: field("version"), purl: field("purl"), hashed });
        }
        gather(component, components)?;
    }
    Ok(())
}
