//! What this registry knows of an artifact from outside its bytes: evidence for the controls that ask who
//! published it.
//!
//! In: the event of its publish, which no publisher can write, and the owners of its package. Out: evidence
//! as in docs/formats/evidence.md. What nobody looked at stays out, so that the controls say `not_run`.

use serde_json::{Map, Value, json};
use url::Url;

use crate::clock::rfc3339;
use crate::db::artifacts::Published;
use crate::db::{Connection, DbResult, owners, users};

/// The issuer whose repositories stand at another address than it does.
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// Everything that is known.
pub(super) async fn gather(c: &mut Connection, artifact: &Published, now_ms: i64) -> DbResult<Value> {
    let event: Value = serde_json::from_str(&artifact.payload_json).unwrap_or_default();
    let owners_count = owners::list(c, artifact.package_id).await?.len();
    let mut publisher = match (&event["identity"], event["user_id"].as_i64()) {
        (Value::Object(identity), _) => workload(identity),
        (_, Some(user_id)) => person(c, user_id).await?,
        _ => json!({"verified": false}),
    };
    publisher["owners_count"] = owners_count.into();
    let mut evidence = json!({
        "version": 1,
        "artifact": {"sha256": artifact.sha256()?},
        "as_of": rfc3339(now_ms).get(..10),
        "publisher": publisher,
    });
    if let Some(repository) = repository(&event) {
        evidence["repository"] = repository;
    }
    Ok(evidence)
}

/// An identity that an issuer signed and the door verified.
fn workload(identity: &Map<String, Value>) -> Value {
    let text = |name: &str| identity.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    // Ids only where the issuer has any: a name is no id.
    let id =
        |name: &str| identity.get("stable_ids").and_then(Value::as_bool).and_then(|ids| text(name).filter(|_| ids));
    json!({
        "verified": true, "issuer": text("issuer"), "subject": text("repository").map(|r| format!("repo:{r}")),
        "repository": address(text("issuer"), text("repository")),
        "repository_id": id("repository_id"), "owner_id": id("owner_id"),
        "workflow": text("workflow"), "ref": text("ref"), "sha": text("sha"),
    })
}

/// Somebody who signed in: verified as far as the operator's provider is.
async fn person(c: &mut Connection, user_id: i64) -> DbResult<Value> {
    let Some(user) = users::find(c, user_id).await? else { return Ok(json!({"verified": false})) };
    // `local` is the first administrator, for whom nobody vouches.
    let verified = user.issuer != "local";
    Ok(json!({"verified": verified, "issuer": verified.then_some(user.issuer), "subject": user.login}))
}

/// The page of a repository.
fn address(issuer: Option<&str>, repository: Option<&str>) -> Option<String> {
    let (issuer, repository) = (issuer?, repository?);
    if issuer == GITHUB {
        return Some(format!("https://github.com/{repository}"));
    }
    let origin = Url::parse(issuer).ok()?.origin();
    origin.is_tuple().then(|| format!("{}/{repository}", origin.ascii_serialization()))
}

/// What the forge said when the release was announced.
fn repository(event: &Value) -> Option<Value> {
    let (identity, tag_sha) = (&event["identity"], event["release"]["tag_sha"].as_str()?);
    let url = address(identity["issuer"].as_str(), identity["repository"].as_str())?;
    let commit = identity["sha"].as_str()?;
    // Only a tag that names the built commit shows that it is there.
    let commit_found = tag_sha.eq_ignore_ascii_case(commit).then_some(true);
    Some(json!({"url": url, "commit": commit, "commit_found": commit_found, "tag_commit": tag_sha}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_stands_where_its_issuer_does() {
        for (issuer, expected) in [
            (GITHUB, Some("https://github.com/acme/widget")),
            ("https://gitlab.com", Some("https://gitlab.com/acme/widget")),
            ("https://git.example:8443/oidc", Some("https://git.example:8443/acme/widget")),
            ("no address", None),
        ] {
            assert_eq!(address(Some(issuer), Some("acme/widget")).as_deref(), expected, "{issuer}");
        }
    }

    #[test]
    fn names_are_not_told_as_ids() {
        let identity = |stable: bool| {
            let value = json!({"issuer": GITHUB, "repository": "acme/widget", "stable_ids": stable, "owner_id": "7",
                "repository_id": "8", "sha": "", "ref": "refs/tags/v1"});
            workload(value.as_object().unwrap())
        };
        assert_eq!(identity(true)["owner_id"], "7");
        assert_eq!(identity(false)["owner_id"], Value::Null);
        assert_eq!(identity(true)["sha"], Value::Null, "an empty claim is none");
    }

    #[test]
    fn a_commit_counts_as_found_only_where_the_tag_names_it() {
        let event = |tag_sha: Value| json!({"identity": {"issuer": GITHUB, "repository": "a/b", "sha": "aa"}, "release": {"tag_sha": tag_sha}});
        assert_eq!(repository(&event(json!("aa"))).unwrap()["commit_found"], true);
        let other = repository(&event(json!("bb"))).unwrap();
        assert_eq!((&other["commit_found"], &other["tag_commit"]), (&Value::Null, &"bb".into()));
        assert_eq!(repository(&event(Value::Null)), None);
    }
}
