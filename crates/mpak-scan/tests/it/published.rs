//! What others publish of their forms, as far as we write them: a closed schema of our own for each, so that a field
//! that the publisher does not know, a missing one and a wrong word are problems in every checkout.

use mpak_bundle::dependencies::{Component, Ecosystem};
use mpak_bundle::sbom;
use serde_json::{Value, json};

use crate::schema::problems;

pub(crate) const SARIF: &str = include_str!("published/sarif.json");
pub(crate) const MTF: &str = include_str!("published/mtf.json");
const CYCLONEDX: &str = include_str!("published/cyclonedx.json");
const SPDX: &str = include_str!("published/spdx.json");

/// Everything that is wrong with a value of a published form.
pub(crate) fn wrong(schema: &str, value: &Value) -> Vec<String> {
    problems(&serde_json::from_str(schema).expect("a sound schema"), value)
}

/// That a schema is one that can fail: each of these changes is a problem.
pub(crate) fn fails_when_spoiled(schema: &str, value: &Value, changes: &[(&str, Value)]) {
    for (pointer, change) in changes {
        let mut spoiled = value.clone();
        let (at, field) = pointer.rsplit_once('/').expect("a pointer");
        let parent = spoiled.pointer_mut(at).expect("it is there");
        if change.is_null() {
            parent.as_object_mut().expect("an object").remove(field).expect("it was there");
        } else {
            parent[field] = change.clone();
        }
        assert!(!wrong(schema, &spoiled).is_empty(), "{pointer} {change}");
    }
}

fn components() -> Vec<Component> {
    let one = |ecosystem, name: &str, license: Option<&str>| Component {
        ecosystem,
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        license: license.map(str::to_owned),
        found_in: "node_modules/a b/package.json".to_owned(),
    };
    vec![
        one(Ecosystem::Npm, "@acme/a", Some("MIT")),
        one(Ecosystem::Npm, "b", Some("(MIT OR Apache-2.0)")),
        one(Ecosystem::Pypi, "c", Some("see \"LICENSE\"")),
        one(Ecosystem::Cargo, "d", None),
        one(Ecosystem::Golang, "github.com/acme/e", Some("GPL-3.0-only WITH nothing")),
    ]
}

#[test]
fn cyclonedx_is_as_it_is_published() {
    for components in [components(), Vec::new()] {
        let value = sbom::cyclonedx("@acme/widget", "1.0.0", &components);
        assert_eq!(wrong(CYCLONEDX, &value), Vec::<String>::new());
        // References are unique, and a licence is one thing or the other.
        let all = value["components"].as_array().unwrap();
        let mut names: Vec<&str> = all.iter().map(|c| c["bom-ref"].as_str().unwrap()).collect();
        names.push(value["metadata"]["component"]["bom-ref"].as_str().unwrap());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len() + 1);
        for license in all.iter().flat_map(|c| c["licenses"].as_array().into_iter().flatten()) {
            assert_eq!(license.as_object().unwrap().len(), 1, "{license}");
        }
    }
    let value = sbom::cyclonedx("@acme/widget", "1.0.0", &components());
    fails_when_spoiled(
        CYCLONEDX,
        &value,
        &[
            ("/bomFormat", Value::Null),
            ("/specVersion", json!("1.7")),
            ("/components/0/type", json!("package")),
            ("/components/0/name", Value::Null),
            ("/components/0/license", json!("MIT")),
            ("/components/0/purl", json!("npm/a")),
        ],
    );
}

#[test]
fn spdx_is_as_it_is_published() {
    for components in [components(), Vec::new()] {
        let value = sbom::spdx("@acme/widget", "1.0.0", &components, "2026-11-21T10:00:00Z");
        assert_eq!(wrong(SPDX, &value), Vec::<String>::new());
        // What relations speak of is there.
        let ids: Vec<&Value> = value["packages"].as_array().unwrap().iter().map(|p| &p["SPDXID"]).collect();
        for relation in value["relationships"].as_array().unwrap() {
            let known = |id: &Value| *id == "SPDXRef-DOCUMENT" || ids.contains(&id);
            assert!(known(&relation["spdxElementId"]) && known(&relation["relatedSpdxElement"]), "{relation}");
        }
    }
    let value = sbom::spdx("@acme/widget", "1.0.0", &components(), "2026-11-21T10:00:00Z");
    fails_when_spoiled(
        SPDX,
        &value,
        &[
            ("/documentNamespace", Value::Null),
            ("/creationInfo/created", json!("yesterday")),
            ("/creationInfo/creators", json!([])),
            ("/packages/1/downloadLocation", Value::Null),
            ("/packages/1/SPDXID", json!("SPDXRef-@acme/a")),
            ("/packages/1/externalRefs/0/referenceCategory", json!("PURL")),
            ("/relationships/0/relationshipType", json!("HAS")),
        ],
    );
}
