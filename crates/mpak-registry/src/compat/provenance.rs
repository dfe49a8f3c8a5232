//! Provenance as existing clients read it: the record that was verified at publish, and its short form.
//!
//! It comes from the issuer's claims only; nothing in a manifest reaches it.

use serde_json::{Value, json};

/// The whole record, with `schema_version` as a number.
pub(crate) fn full(stored: Option<&str>) -> Option<Value> {
    serde_json::from_str::<Value>(stored?).ok().filter(Value::is_object)
}

/// The short form of lists, with `schema_version` as a text.
pub(crate) fn summary(stored: Option<&str>) -> Option<Value> {
    let full = full(stored)?;
    Some(json!({
        "schema_version": "1", "provider": full["provider"], "repository": full["repository"], "sha": full["sha"],
    }))
}

/// The annotations of `index.json`; without provenance the raw method is the provider.
pub(crate) fn annotations(stored: Option<&str>, method: &str, release_url: Option<&str>) -> Value {
    let full = full(stored).unwrap_or_default();
    let provider = full["provider"].as_str().unwrap_or(method);
    let mut annotations = json!({"dev.mpak.provenance.provider": provider});
    let known = [
        ("dev.mpak.release.url", release_url),
        ("dev.mpak.provenance.repository", full["repository"].as_str()),
        ("dev.mpak.provenance.sha", full["sha"].as_str()),
    ];
    for (name, value) in known {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            annotations[name] = value.into();
        }
    }
    annotations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_forms_differ_as_existing_clients_expect() {
        let stored = json!({
            "schema_version": 1, "provider": "github_oidc", "repository": "Acme/widget", "sha": "abc",
            "claims": {"owner": "Acme"},
        });
        let text = stored.to_string();
        assert_eq!(full(Some(&text)), Some(stored));
        let short =
            json!({"schema_version": "1", "provider": "github_oidc", "repository": "Acme/widget", "sha": "abc"});
        assert_eq!(summary(Some(&text)), Some(short));
        assert_eq!((full(None), summary(None), summary(Some("x"))), (None, None, None));
        assert_eq!(
            annotations(Some(&text), "oidc", Some("https://f.example/r")),
            json!({
                "dev.mpak.provenance.provider": "github_oidc", "dev.mpak.release.url": "https://f.example/r",
                "dev.mpak.provenance.repository": "Acme/widget", "dev.mpak.provenance.sha": "abc",
            })
        );
        assert_eq!(annotations(None, "upload", None), json!({"dev.mpak.provenance.provider": "upload"}));
    }
}
