//! What this registry knows of an artifact from outside its bytes: evidence for the controls that ask who
//! published it.
//!
//! In: the event of its publish, which no publisher can write, the owners and trusted publishers of its package, and
//! what others told (`learned`), which the scanner verifies. Out: evidence
//! as in docs/formats/evidence.md. What nobody looked at stays out, so that the controls say `not_run`.

use serde_json::{Map, Value, json};
use url::Url;

use crate::clock::rfc3339;
use crate::db::artifacts::Published;
use crate::db::trusted_publishers::TrustedPublisher;
use crate::db::{Connection, DbResult, owners, trusted_publishers, users};

use super::learned::Learned;

/// The issuer whose repositories stand at another address than it does.
const GITHUB: &str = "https://token.actions.githubusercontent.com";

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Everything that is known.
pub(super) async fn gather(
    c: &mut Connection,
    artifact: &Published,
    learned: &Learned,
    now_ms: i64,
) -> DbResult<Value> {
    let event: Value = serde_json::from_str(&artifact.payload_json).unwrap_or_default();
    let owners_count = owners::list(c, artifact.package_id).await?.len();
    let mut publisher = match (&event["identity"], event["user_id"].as_i64()) {
        (Value::Object(identity), _) => workload(identity),
        (_, Some(user_id)) => person(c, user_id).await?,
        _ => json!({"verified": false}),
    };
    if !event["identity"].is_object() {
        publisher["signers"] = signers(c, artifact).await?;
    }
    if let Some(days) = learned.account_created_at_ms.and_then(|at_ms| u32::try_from((now_ms - at_ms) / DAY_MS).ok()) {
        publisher["account_age_days"] = days.into();
    }
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
    match learned {
        Learned { bundles, .. } if !bundles.is_empty() => evidence["attestation"] = json!({"bundles": bundles}),
        Learned { is_complete: true, .. } => {
            evidence["attestation"] = "absent".into();
            evidence["signatures"] = json!([]);
        }
        _ => {}
    }
    Ok(evidence)
}

/// Whose signatures count where a person publishes: the repositories that may publish as well.
async fn signers(c: &mut Connection, artifact: &Published) -> DbResult<Value> {
    let all = trusted_publishers::list(c, &artifact.package).await?;
    let signer = |one: &TrustedPublisher| {
        // Where there are no ids, the name stands for it.
        let id = Some(&one.repository_id).filter(|id| !one.is_by_name() && !id.contains('/'));
        let workflow = Some(&one.workflow).filter(|workflow| !workflow.is_empty());
        let repository = address(Some(&one.issuer), Some(&one.repository));
        json!({"issuer": one.issuer, "repository": repository, "repository_id": id, "workflow": workflow})
    };
    Ok(all.iter().map(signer).collect())
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
