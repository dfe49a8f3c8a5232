//! What stands around a bundle, read and refused.

use serde_json::json;

use super::*;

fn full() -> Value {
    json!({
        "version": 1, "artifact": {"sha256": "ab".repeat(32)}, "as_of": "2026-11-21",
        "publisher": {"verified": true, "issuer": "https://issuer.example", "subject": "repo:a/b", "repository": "a/b",
            "repository_id": "1", "owner_id": "2", "workflow": ".github/workflows/x.yml", "ref": "refs/tags/v1",
            "sha": "0".repeat(40), "tier": 1, "account_age_days": 400, "owners_count": 2, "keys": ["cd".repeat(32)],
            "signers": [{"issuer": "https://issuer.example", "identity": "x", "repository": "a/b", "repository_id": "1",
                "owner_id": "2", "workflow": "w"}]},
        "repository": {"url": "https://github.com/a/b", "reachable": true, "commit": "0".repeat(40),
            "commit_found": true, "commit_signed": true, "tag_commit": "0".repeat(40)},
        "signatures": [{"method": "sigstore", "state": "valid-trusted", "signer": "x", "authorized": true,
            "bundle": {}, "detached": {"payload": {}, "algorithm": "ed25519", "public_key": "", "signature": ""}}],
        "attestation": {"verified": {"subjects": ["ab".repeat(32)], "predicate_type": "https://slsa.dev/provenance/v1",
            "builder": "x", "issuer": "i", "identity": "w", "repository": "a/b", "workflow": "w", "commit": "0".repeat(40)}},
        "scorecard": {"repository": "a/b", "score": 7.5, "checks": {"Token-Permissions": 10}, "date": "2026-11-01"},
        "behaviour": {"started": true, "tools_called": ["a"], "tools_listed": ["a"],
            "network": [{"during": "init", "host": "example.org", "port": 443}],
            "files": [{"during": "call", "path": "/x", "access": "read", "sensitive": true}],
            "environment": [{"during": "init", "name": "HOME"}],
            "processes": [{"during": "call", "command": "ls"}], "scopes": ["repo"],
            "differences": [{"tool": "a", "text": "t"}], "observed_by": "s"},
        "vex": [{"statements": []}], "rebuilds": [{"sha256": "ab".repeat(32), "by": "x", "commit": "c"}],
        "approved_hosts": [{"ecosystem": "npm", "host_sha256": "ab".repeat(32)}],
        "later": {"unknown": true},
    })
}

#[test]
fn a_list_that_is_too_long_is_named() {
    let many = vec![json!({}); BUNDLES_COUNT_MAX + 1];
    let signatures: Vec<Value> = many.iter().map(|one| json!({"method": "sigstore", "bundle": one})).collect();
    for (document, list) in [
        (json!({"version": 1, "attestation": {"bundles": many}}), "`attestation.bundles`"),
        (json!({"version": 1, "signatures": signatures}), "`signatures[].bundle`"),
    ] {
        let error = Outside::read(document.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(list), "{error}");
    }
}

#[test]
fn a_full_document_is_read_and_unknown_fields_are_ignored() {
    let outside = Outside::read(full().to_string().as_bytes()).unwrap();
    let publisher = outside.publisher.as_ref().unwrap();
    assert_eq!((publisher.git_ref.as_deref(), publisher.owners_count), (Some("refs/tags/v1"), Some(2)));
    assert!(matches!(outside.attestation, Some(Attestation::Verified(_))));
    assert_eq!(outside.behaviour.unwrap().network[0].host, "example.org");
}

#[test]
fn nothing_but_the_version_is_required() {
    let outside = Outside::read(br#"{"version":1,"publisher":null}"#).unwrap();
    assert!(outside.publisher.is_none() && outside.signatures.is_none() && outside.vex.is_empty());
}

#[test]
fn wrong_types_everywhere_are_errors_that_name_the_part() {
    let Value::Object(good) = full() else { unreachable!() };
    for section in good.keys().filter(|k| !["version", "later", "vex"].contains(&k.as_str())) {
        for wrong in [
            json!(7),
            json!([7]),
            json!({"sha256": 1, "verified": "x", "method": [], "url": 1, "score": "", "started": 1}),
        ] {
            let mut spoiled = good.clone();
            spoiled[section] = wrong.clone();
            let error = Outside::read(Value::Object(spoiled).to_string().as_bytes()).unwrap_err();
            assert!(error.to_string().contains(section.as_str()), "{section} = {wrong}: {error}");
        }
    }
}

#[test]
fn hostile_documents_are_refused() {
    let deep = format!("{{\"version\":1,\"vex\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let many = format!("{{\"version\":1,\"vex\":[{}0]}}", "0,".repeat(ITEMS_COUNT_MAX));
    for (text, expected) in [
        ("", "not JSON"),
        ("[]", "expected an object"),
        ("{}", "found `nothing`"),
        (r#"{"version":2}"#, "found `2`"),
        (r#"{"version":"1"}"#, "found `\"1\"`"),
        (r#"{"version":1,"publisher":{"tier":4}}"#, "publisher.tier"),
        (r#"{"version":1,"signatures":[{"method":"key"}]}"#, "signatures.state"),
        (r#"{"version":1,"scorecard":{"score":11}}"#, "scorecard.score"),
        (r#"{"version":1,"scorecard":{"score":1,"checks":{"x":-2}}}"#, "scorecard.checks.x"),
        (r#"{"version":1,"artifact":{"sha256":"xyz"}}"#, "artifact"),
        (deep.as_str(), "not JSON"),
        (many.as_str(), "10001 items"),
    ] {
        let error = Outside::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{}: {error}", &text[..text.len().min(60)]);
    }
    let large = vec![b' '; EVIDENCE_BYTES_MAX + 1];
    assert!(matches!(Outside::read(&large), Err(OutsideError::TooLarge { .. })));
}

/// Every field of the typed form stands in the schema, and the other way round.
#[test]
fn the_schema_and_the_types_have_the_same_fields() {
    fn fields(schema: &Value, root: &Value, value: &Value, at: &str) {
        let schema = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
            None => schema,
        };
        match value {
            Value::Object(object) if schema.get("properties").is_some() => {
                let known = schema["properties"].as_object().unwrap();
                for (name, value) in object {
                    let below = known.get(name).unwrap_or_else(|| panic!("{at}/{name} is not in the schema"));
                    fields(below, root, value, &format!("{at}/{name}"));
                }
                let missing: Vec<&String> = known.keys().filter(|name| !object.contains_key(*name)).collect();
                let allowed = ["version", "behavior", "absent", "invalid", "bundle", "bundles"];
                assert!(
                    missing.iter().all(|m| allowed.contains(&m.as_str())),
                    "{at}: {missing:?} are not in the types"
                );
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    fields(&schema["items"], root, item, &format!("{at}/{i}"));
                }
            }
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let typed = serde_json::to_value(Outside::read(full().to_string().as_bytes()).unwrap()).unwrap();
    fields(&schema, &schema, &typed, "");
}

#[test]
fn repositories_are_compared_in_one_form() {
    for (text, expected) in [
        ("https://github.com/Acme/Widget.git", Some("github.com/acme/widget")),
        ("git+https://user:x@github.com/acme/widget/", Some("github.com/acme/widget")),
        ("acme/widget", Some("github.com/acme/widget")),
        ("git@gitlab.com:a/b/c.git", Some("gitlab.com/a/b/c")),
        ("https://github.com/acme", None),
        ("", None),
        ("///", None),
    ] {
        assert_eq!(repository_key(text).as_deref(), expected, "{text}");
    }
}
