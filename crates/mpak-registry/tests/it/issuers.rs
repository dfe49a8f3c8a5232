//! Every issuer of `issuers.toml` besides GitHub and GitLab: a token as its provider documents it is read as the
//! right repository and owner, and publishes what an entry allows.

use mpak_registry::config::IssuerKind;
use mpak_testkit::forge::{Delivery, Forge};
use mpak_testkit::issuer::{Issuer, SHA, Stamp, forgejo_claims};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::ci::{ANNOUNCE, answer, configured, message};
use crate::world::{Registry, START_MS, bundle, bundle_of, manifest};

/// A registry that trusts an issuer whose claims are read by this mapping.
async fn trusting(issuer: &Issuer, forge: &Forge, mapping: &'static str) -> Registry {
    let (issuer_url, api_url) = (issuer.url(), forge.url());
    Registry::start_with(move |config| {
        config.outbound.allow_loopback = true;
        let mut one = configured(IssuerKind::Generic, &issuer_url, &api_url);
        one.mapping = Some(mapping.to_owned());
        config.publishing.issuer = vec![one];
    })
    .await
}

/// What is said of a job, with what all tokens say.
fn said(issuer: &str, audience: &str, claims: &Value) -> Value {
    let now = START_MS / 1_000;
    let mut all = json!({"iss": issuer, "aud": audience, "iat": now, "nbf": now, "exp": now + 300});
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    all
}

/// An administrator lets a repository of an issuer publish a package.
async fn allow(registry: &Registry, package: &str, issuer: &str, repository: &str) -> (StatusCode, Value) {
    let url = format!("{}/api/v1/packages/{package}/trusted-publishers", registry.url);
    let wish = json!({"repository": repository, "issuer": issuer});
    answer(registry.client.post(url).bearer_auth(&registry.token).json(&wish)).await
}

#[tokio::test]
async fn a_token_of_each_provider_publishes_what_an_entry_allows_and_nothing_else() {
    // Spec: the providers' documentation of OpenID Connect.
    let forgejo = json!({
        "sub": "repo:acme/widget:ref:refs/heads/main", "repository": "acme/widget", "repository_owner": "acme",
        "workflow": "release.yml", "workflow_ref": "acme/widget/.forgejo/workflows/release.yml@refs/heads/main",
        "ref": "refs/heads/main", "ref_type": "branch", "sha": SHA, "event_name": "push", "actor": "octocat",
        "run_id": "5", "run_number": "5", "run_attempt": "1",
    });
    let buildkite = json!({
        "sub": "organization:acme:pipeline:widget:ref:refs/heads/main:commit:9f3c:step:build",
        "organization_slug": "acme", "organization_id": "0184990a-477b-4fa8-9968-496074483k77",
        "pipeline_slug": "widget", "pipeline_id": "0184990a-477b-4fa8-9968-496074483cee",
        "build_number": 7, "build_branch": "main", "build_commit": SHA, "step_key": "build",
        "job_id": "0184990a-4782-42b5-afc1-16715b10b8ff", "agent_id": "0184990a-4755-4ee3-9ba1-0b6bf4f2d0a6",
    });
    let (project, org) = ("c3f28ae9-9b5b-4e2d-8a36-0c1f1b0e4f8e", "2d4a1f0e-77aa-4f43-a7a3-1b6c4d1e9a55");
    let circleci = json!({
        "sub": format!("org/{org}/project/{project}/user/5f4c1d1e-1111-4b4b-9c9c-0a0a0a0a0a0a"),
        "oidc.circleci.com/project-id": project, "oidc.circleci.com/org-id": org,
        "oidc.circleci.com/vcs-ref": "refs/heads/main", "oidc.circleci.com/vcs-origin": "github.com/acme/widget",
        "oidc.circleci.com/workflow-id": "7d1c", "oidc.circleci.com/job-id": "9a9a",
        "oidc.circleci.com/context-ids": [],
    });
    let google = json!({
        "sub": "104721923391827465501", "azp": "104721923391827465501", "email_verified": true,
        "email": "publisher@widgets.iam.gserviceaccount.com",
    });
    for (mapping, claims, repository, changed) in [
        ("forgejo", &forgejo, "acme/widget", "repository"),
        ("gitea", &forgejo, "acme/widget", "repository"),
        ("buildkite", &buildkite, "acme/widget", "pipeline_slug"),
        ("circleci", &circleci, project, "oidc.circleci.com/project-id"),
        ("google", &google, "publisher@widgets.iam.gserviceaccount.com", "email"),
    ] {
        let (issuer, forge) = (Issuer::start().await, Forge::start().await);
        let registry = trusting(&issuer, &forge, mapping).await;
        let put = |version: &str, claims: &Value| {
            let path = format!("/api/v1/packages/@acme/widget/versions/{version}/artifacts/any");
            let mut claims = said(&issuer.url(), &registry.url, claims);
            // Tokens without an id of their own are told apart by what they say.
            claims["build"] = version.into();
            let token = issuer.token(&claims);
            let request = registry.client.put(format!("{}{path}", registry.url)).bearer_auth(token);
            answer(request.body(bundle("@acme/widget", version)))
        };
        // 1. Names alone make no scope.
        let (status, body) = put("1.0.0", claims).await;
        assert_eq!(status, 403, "{mapping}: {body}");
        assert!(message(&body).contains("do not create scopes by their name alone"), "{mapping}: {body}");
        // 2. An entry lets exactly this one publish.
        let (status, body) = allow(&registry, "@acme/widget", &issuer.url(), repository).await;
        assert_eq!(status, 201, "{mapping}: {body}");
        let (status, body) = put("1.0.0", claims).await;
        assert_eq!(status, 201, "{mapping}: {body}");
        let detail = registry.json("/v1/bundles/@acme/widget").await;
        let provenance = &detail["provenance"];
        assert_eq!(provenance["provider"], format!("{mapping}_oidc"), "{detail}");
        assert_eq!(provenance["repository"], repository, "{detail}");
        // 3. Another one of the same owner may not, whatever else it says.
        let mut other = claims.clone();
        other[changed] =
            if mapping == "google" { json!("other@widgets.iam.gserviceaccount.com") } else { json!("acme/other") };
        if mapping == "google" {
            other["sub"] = "999".into();
        }
        if mapping == "buildkite" {
            other["pipeline_id"] = "other".into();
        }
        let (status, body) = put("1.1.0", &other).await;
        assert!([401, 403].contains(&status.as_u16()), "{mapping}: {status} {body}");
        // 4. Without what it is known by it is no identity.
        let mut nameless = claims.clone();
        nameless.as_object_mut().unwrap().remove(changed);
        let (status, body) = put("1.1.0", &nameless).await;
        assert!(status == 401 && message(&body).contains(changed), "{mapping}: {body}");
        assert_eq!(put("1.1.0", claims).await.0, 201, "{mapping}");
    }
}

#[tokio::test]
async fn forgejo_announces_a_release_of_its_repository_while_its_tag_is_the_one_that_was_built() {
    let (issuer, forge) = (Issuer::start().await, Forge::start().await);
    let registry = trusting(&issuer, &forge, "forgejo").await;
    assert_eq!(allow(&registry, "@acme/widget", &issuer.url(), "acme/widget").await.0, 201);
    let url = issuer.url();
    let announce = async |version: &str, jti: &str| {
        let tag = format!("v{version}");
        let stamp = Stamp { issuer: &url, audience: ANNOUNCE, issued_at: START_MS / 1_000, jti };
        let manifest = manifest("@acme/widget", version);
        let bytes = bundle_of(&manifest);
        forge.asset("acme/widget", &tag, "w.mcpb", Delivery::Whole(bytes.clone()));
        let body = json!({
            "name": "@acme/widget", "version": version, "manifest": manifest, "release_tag": tag,
            "artifact": {"filename": "w.mcpb", "os": "any", "arch": "any", "size": bytes.len(),
                "sha256": mpak_bundle::digest::Sha256::of(&bytes).to_string()},
        });
        let token = issuer.token(&forgejo_claims(stamp, "acme/widget", &tag));
        let address = format!("{}/v1/bundles/announce", registry.url);
        answer(registry.client.post(address).bearer_auth(token).json(&body)).await
    };
    forge.tag("acme/widget", "v1.0.0", SHA);
    let (status, body) = announce("1.0.0", "one").await;
    assert_eq!((status.as_u16(), &body["status"]), (200, &json!("created")), "{body}");
    let asked = forge.requests();
    assert!(asked.iter().any(|path| path == "/repos/acme/widget/tags/v1.0.0"), "{asked:?}");
    forge.tag("acme/widget", "v1.1.0", &SHA.replace('9', "8"));
    let (status, body) = announce("1.1.0", "two").await;
    assert_eq!(status, 400, "{body}");
    assert!(message(&body).contains("of another commit than the build"), "{body}");
}
