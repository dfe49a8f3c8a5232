//! Identities of workloads: what a verified token says about who built something, where and from what.
//!
//! In: a bearer token from anybody. Out: an [`Identity`], the proof that a configured issuer vouches for
//! it, that it is meant for us and that it is valid now. What the identity may publish is decided by
//! `binding`. Spec: RFC 7519 §4.1, RFC 8725 §3.8–3.9.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::issuers::{ClaimError, Issuer, Issuers, Purpose, Releases, claim};
use super::jwt::{self, JwtError, Verified};
use crate::outbound::Outbound;

/// By how much clocks may differ.
const SKEW_S: i64 = 60;

/// Who built something, as its issuer says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Identity {
    /// `iss`, without a slash at its end.
    pub(crate) issuer: String,
    /// The name of the mapping that read them.
    pub(crate) mapping: String,
    /// Whether owner and repository are known by ids that no other can get.
    pub(crate) stable_ids: bool,
    /// Whether owners at this issuer create the scope of their name.
    #[serde(skip)]
    pub(crate) default_scopes: bool,
    /// `owner/name`, as the issuer writes it.
    pub(crate) repository: String,
    /// What it is compared by: the issuer's id, or the lower-case name where there are no ids.
    pub(crate) repository_id: String,
    /// Owner of the repository.
    pub(crate) owner: String,
    /// What it is compared by.
    pub(crate) owner_id: String,
    /// Path of the workflow in its repository; empty where the issuer does not tell.
    pub(crate) workflow: String,
    /// As claimed, with the reference.
    pub(crate) workflow_ref: String,
    /// `refs/tags/v1`, `refs/heads/main`
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    /// `tag`, `branch`
    pub(crate) ref_type: String,
    /// The commit.
    pub(crate) sha: String,
    pub(crate) environment: Option<String>,
    pub(crate) run_id: String,
    pub(crate) run_attempt: String,
    pub(crate) actor: String,
    pub(crate) actor_id: String,
    pub(crate) event_name: String,
    pub(crate) job_workflow_ref: String,
    /// The token's own id.
    pub(crate) jti: String,
    /// Until when the token can be used, in milliseconds; the tolerance is in it.
    pub(crate) expires_at_ms: i64,
    /// All claims.
    #[serde(skip)]
    pub(crate) claims: Map<String, Value>,
}

impl Identity {
    /// The actor of events.
    pub(crate) fn actor_name(&self) -> String {
        format!("oidc:{}:{}", self.mapping, self.repository)
    }

    /// The tag that was built, if a tag was.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/tags/")
    }

    /// As the wire tells it: `FullProvenance` of the existing registry.
    pub(crate) fn provenance(&self) -> Value {
        json!({
            "schema_version": 1, "provider": format!("{}_oidc", self.mapping),
            "repository": self.repository, "sha": self.sha,
            "claims": {
                "owner": self.owner, "owner_id": self.owner_id, "actor": self.actor, "actor_id": self.actor_id,
                "workflow": self.text("workflow"), "workflow_ref": self.workflow_ref,
                "ref": self.reference, "ref_type": self.ref_type,
                "run_id": self.run_id, "run_number": self.text("run_number"), "run_attempt": self.run_attempt,
                "event_name": self.event_name, "job_workflow_ref": self.job_workflow_ref,
            },
        })
    }

    fn text(&self, name: &str) -> String {
        claim(&self.claims, name).unwrap_or_default()
    }
}

/// Why a token is no identity here.
#[derive(Debug, Error)]
pub(crate) enum IdentityError {
    /// It cannot be believed.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// A claim is missing or odd.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Too late.
    #[error("it expired {seconds} seconds ago")]
    Expired {
        /// How long ago.
        seconds: i64,
    },
    /// Too early.
    #[error("it is not valid for another {seconds} seconds")]
    NotYet {
        /// How long.
        seconds: i64,
    },
    /// Valid for longer than such tokens are.
    #[error("it is valid for {seconds} seconds, expected at most {limit}")]
    Lifetime {
        /// From issue to expiry.
        seconds: i64,
        /// The limit.
        limit: i64,
    },
    /// Meant for somebody else.
    #[error("its audience is `{found}`, expected {expected}")]
    Audience {
        /// What is accepted.
        expected: String,
        /// What it says.
        found: String,
    },
    /// A repository's name that could be another path of the forge.
    #[error("`{found}` is not the name of a repository")]
    Repository {
        /// What it says.
        found: String,
    },
}

/// Verifies a token for a purpose; `own` is the address of this registry.
pub(crate) async fn verify(
    token: &str,
    issuers: &Issuers,
    outbound: &Arc<Outbound>,
    (purpose, own): (Purpose, &str),
    now_ms: i64,
) -> Result<Identity, IdentityError> {
    // 1. Who says so?
    let Verified { issuer, claims } = jwt::verify(token, issuers, outbound, now_ms).await?;
    // 2. Is it valid now?
    let expires_at_s = check_times(&claims, issuer.mapping.lifetime_s_max, now_ms / 1_000)?;
    // 3. Is it for us?
    check_audience(&claims, &issuer.audiences(purpose, own))?;
    // 4. What does it say?
    let mut identity = read(issuer, claims, token)?;
    identity.expires_at_ms = (expires_at_s + SKEW_S) * 1_000;
    Ok(identity)
}

/// Gives the expiry in seconds.
fn check_times(claims: &Map<String, Value>, lifetime_s_max: i64, now_s: i64) -> Result<i64, IdentityError> {
    let time = |name: &str| match claims.get(name) {
        None => Err(ClaimError::Missing(name.to_owned())),
        // Whole seconds of this millennium: sums of them cannot overflow.
        Some(value) => value.as_i64().filter(|s| (0..1 << 40).contains(s)).ok_or(ClaimError::Form(name.to_owned())),
    };
    let (issued_at, expires_at) = (time("iat")?, time("exp")?);
    let not_before = if claims.contains_key("nbf") { time("nbf")? } else { issued_at };
    if expires_at + SKEW_S <= now_s {
        return Err(IdentityError::Expired { seconds: now_s - expires_at });
    }
    let begins_at = issued_at.max(not_before);
    if begins_at > now_s + SKEW_S {
        return Err(IdentityError::NotYet { seconds: begins_at - now_s });
    }
    let seconds = expires_at - issued_at;
    if seconds <= 0 || seconds > lifetime_s_max {
        return Err(IdentityError::Lifetime { seconds, limit: lifetime_s_max });
    }
    Ok(expires_at)
}

/// A token for several audiences could be used by any of them, so it must name one.
fn check_audience(claims: &Map<String, Value>, expected: &[String]) -> Result<(), IdentityError> {
    let found = match claims.get("aud") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(all)) => match &all[..] {
            [Value::String(one)] => one.clone(),
            _ => return Err(ClaimError::Form("aud".to_owned()).into()),
        },
        Some(_) => return Err(ClaimError::Form("aud".to_owned()).into()),
        None => return Err(ClaimError::Missing("aud".to_owned()).into()),
    };
    let same = |one: &String| one.trim_end_matches('/') == found.trim_end_matches('/');
    if !found.is_empty() && expected.iter().any(same) {
        return Ok(());
    }
    let expected = expected.iter().map(|e| format!("`{e}`")).collect::<Vec<_>>().join(" or ");
    Err(IdentityError::Audience { expected, found: found.chars().take(200).collect() })
}

fn read(issuer: &Issuer, claims: Map<String, Value>, token: &str) -> Result<Identity, IdentityError> {
    let mapping = issuer.mapping;
    let maybe = |field: &str| mapping.value(field, &claims);
    let text = |field: &str| maybe(field).map(Option::unwrap_or_default);
    let (repository, owner) = (text("repository")?, text("owner")?);
    if mapping.releases.is_some() && !is_repository(&repository, &owner, mapping.releases) {
        return Err(IdentityError::Repository { found: repository });
    }
    let reference = text("ref")?;
    let jti = match claim(&claims, "jti") {
        Err(ClaimError::Missing(_)) if !mapping.requires_jti => own_id(token),
        claimed => claimed?,
    };
    let workflow_ref = text("workflow")?;
    let named = |id: Option<String>, name: &str| id.unwrap_or_else(|| name.to_lowercase());
    Ok(Identity {
        issuer: issuer.issuer.clone(),
        mapping: issuer.mapping_name.clone(),
        stable_ids: mapping.stable_ids,
        default_scopes: issuer.default_scopes,
        repository_id: named(maybe("repository_id")?, &repository),
        owner_id: named(maybe("owner_id")?, &owner),
        workflow: workflow_path(&workflow_ref, &repository).to_owned(),
        workflow_ref,
        ref_type: match maybe("ref_type")? {
            Some(claimed) => claimed,
            None if reference.starts_with("refs/tags/") => "tag".to_owned(),
            None => "branch".to_owned(),
        },
        sha: text("sha")?,
        environment: maybe("environment")?,
        run_id: text("run_id")?,
        run_attempt: text("run_attempt")?,
        actor: text("actor")?,
        actor_id: text("actor_id")?,
        event_name: text("event_name")?,
        job_workflow_ref: text("job_workflow_ref")?,
        jti,
        expires_at_ms: 0,
        repository,
        owner,
        reference,
        claims,
    })
}

/// The id of a token that brings none: the digest of what is signed. Of one signature there are several
/// texts (ECDSA: `s` and `n - s`), which are one token all the same.
fn own_id(token: &str) -> String {
    let signed = token.rsplit_once('.').map_or(token, |(signed, _signature)| signed);
    format!("sha256:{}", mpak_bundle::digest::Sha256::of(signed.as_bytes()))
}

/// Names of repositories become parts of addresses.
fn is_repository(repository: &str, owner: &str, releases: Option<Releases>) -> bool {
    let plain = |part: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(inner)
    };
    let Some((path, _)) = repository.rsplit_once('/') else { return false };
    let parts = repository.split('/').count();
    let fits = if releases == Some(Releases::Gitlab) { parts <= 22 } else { parts == 2 };
    fits && path.eq_ignore_ascii_case(owner) && repository.split('/').all(plain)
}

/// `owner/name/.github/workflows/x.yml@refs/…`, `host/group/project//.gitlab-ci.yml@refs/…`: the file.
fn workflow_path<'w>(workflow_ref: &'w str, repository: &str) -> &'w str {
    let path = workflow_ref.split_once('@').map_or(workflow_ref, |(path, _)| path);
    if let Some((_, file)) = path.split_once("//") {
        return file;
    }
    match path.get(..repository.len()) {
        Some(front) if front.eq_ignore_ascii_case(repository) => path[repository.len()..].trim_start_matches('/'),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(claims: &Value) -> Result<i64, String> {
        let now_s = 1_000_000;
        check_times(claims.as_object().unwrap(), 600, now_s).map_err(|e| format!("{e:?}"))
    }

    #[test]
    fn times_are_judged_with_a_minute_of_tolerance() {
        for (claims, good) in [
            (json!({"iat": 999_900, "exp": 1_000_200}), true),
            (json!({"iat": 999_900, "nbf": 999_890, "exp": 1_000_200}), true),
            (json!({"iat": 999_500, "exp": 999_941}), true),
            (json!({"iat": 999_500, "exp": 999_940}), false),
            (json!({"iat": 1_000_060, "exp": 1_000_300}), true),
            (json!({"iat": 1_000_061, "exp": 1_000_300}), false),
            (json!({"iat": 999_900, "nbf": 1_000_061, "exp": 1_000_300}), false),
            (json!({"iat": 999_900, "exp": 1_000_501}), false),
            (json!({"iat": 1_000_000, "exp": 999_999}), false),
            (json!({"exp": 1_000_200}), false),
            (json!({"iat": 999_900}), false),
            (json!({"iat": "999900", "exp": 1_000_200}), false),
            (json!({"iat": 999_900.5, "exp": 1_000_200}), false),
            (json!({"iat": i64::MIN, "exp": i64::MAX}), false),
            (json!({"iat": -1, "exp": 1_000_200}), false),
        ] {
            assert_eq!(times(&claims).is_ok(), good, "{claims}: {:?}", times(&claims));
        }
    }

    #[test]
    fn an_audience_is_one_and_ours() {
        let expected = ["https://registry.example".to_owned(), "https://mpak.dev".to_owned()];
        for (aud, good) in [
            (json!("https://registry.example"), true),
            (json!("https://registry.example/"), true),
            (json!(["https://mpak.dev"]), true),
            (json!(["https://mpak.dev", "https://other.example"]), false),
            (json!("https://registry.example.evil.example"), false),
            (json!(""), false),
            (json!([]), false),
            (json!(null), false),
            (json!({"a": "https://mpak.dev"}), false),
        ] {
            let claims = json!({"aud": aud});
            assert_eq!(check_audience(claims.as_object().unwrap(), &expected).is_ok(), good, "{aud}");
        }
    }

    #[test]
    fn another_text_of_the_same_signature_is_no_other_token() {
        let (token, same, other) =
            (own_id("header.claims.sig"), own_id("header.claims.gis"), own_id("header.more.sig"));
        assert_eq!(token, same);
        assert_ne!(token, other);
    }

    #[test]
    fn repositories_are_plain_paths_of_their_owner() {
        use Releases::{Github, Gitlab};
        for (repository, owner, releases, good) in [
            ("Acme/widget", "acme", Github, true),
            ("acme/a.b_c-d", "acme", Github, true),
            ("acme/widget", "other", Github, false),
            ("acme/x/y", "acme/x", Github, false),
            ("group/sub/project", "group/sub", Gitlab, true),
            ("acme/..", "acme", Github, false),
            ("acme/.", "acme", Github, false),
            ("acme/x?y", "acme", Github, false),
            ("acme/x%2f", "acme", Github, false),
            ("acme/", "acme", Github, false),
            ("widget", "", Github, false),
        ] {
            assert_eq!(is_repository(repository, owner, Some(releases)), good, "{repository}");
        }
    }

    #[test]
    fn workflows_are_known_by_their_path() {
        for (workflow_ref, expect) in [
            ("Acme/widget/.github/workflows/release.yml@refs/tags/v1", ".github/workflows/release.yml"),
            ("gitlab.com/acme/widget//.gitlab-ci.yml@refs/heads/main", ".gitlab-ci.yml"),
            ("other/repo/.github/workflows/x.yml@main", "other/repo/.github/workflows/x.yml"),
            ("", ""),
        ] {
            assert_eq!(workflow_path(workflow_ref, "acme/widget"), expect, "{workflow_ref}");
        }
    }
}
