//! Tokens of workloads: every way in which one can be wrong, and the keys that they are checked against.

use std::time::Duration;

use mpak_registry::config::IssuerKind;
use mpak_testkit::forge::Forge;
use mpak_testkit::issuer::{Algorithm, Issuer, Key, Mood, SHA, Stamp, forgejo_claims, github_claims, gitlab_claims};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::ci::{ANNOUNCE, Announcement, Ci, answer, configured, message};
use crate::world::{Registry, START_MS, bundle, bundle_of, manifest};

const REPOSITORY: &str = "acme/widget";

fn announced(ci: &Ci) -> Announcement {
    ci.release(REPOSITORY, "@acme/widget", "1.0.0", ("any", "any"))
}

async fn post(ci: &Ci, token: &str) -> (StatusCode, Value) {
    answer(ci.post(token, &announced(ci).body)).await
}

async fn invalid(ci: &Ci, what: &str, token: &str, words: &str) {
    let (status, body) = post(ci, token).await;
    assert_eq!(status, 401, "{what}: {body}");
    assert!(message(&body).starts_with("Invalid OIDC token: "), "{what}: {body}");
    assert!(message(&body).contains(words), "{what}: {body}");
}

#[tokio::test]
async fn no_spoiled_token_is_believed() {
    let ci = Ci::start().await;
    let claims = ci.claims(REPOSITORY, "v1.0.0");
    let now_s = START_MS / 1_000;
    let with = |member: &str, value: Value| {
        let mut claims = claims.clone();
        claims[member] = value;
        ci.issuer.token(&claims)
    };
    let without = |member: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(member);
        ci.issuer.token(&claims)
    };
    let headed = |member: &str, value: Value| {
        let mut header = ci.issuer.header();
        header[member] = value;
        ci.issuer.token_of(&header, &claims.to_string())
    };
    let twice = claims.to_string().replacen('{', "{\"repository_owner\":\"evil\",", 1);
    let good = ci.issuer.token(&claims);
    let (front, signature) = good.rsplit_once('.').unwrap();
    let mut broken = signature.to_owned().into_bytes();
    broken[10] = if broken[10] == b'A' { b'B' } else { b'A' };
    let broken = format!("{front}.{}", String::from_utf8(broken).unwrap());
    for (what, token, words) in [
        ("alg none", ci.issuer.unsigned(&claims), "algorithm `none` is not accepted"),
        ("HS256 with the public key", ci.issuer.hs256_with_public_key(&claims), "algorithm `HS256` is not accepted"),
        ("another's key", ci.issuer.forged(&claims), "signature is not valid"),
        ("a changed signature", broken, "signature is not valid"),
        ("no signature", format!("{front}."), "signature is not valid"),
        (
            "an algorithm that the key is not for",
            headed("alg", "PS256".into()),
            "`PS256` is not accepted, expected RS256",
        ),
        ("an algorithm of another key type", headed("alg", "ES256".into()), "`ES256` is not accepted, expected RS256"),
        ("an unknown algorithm", headed("alg", "RS1".into()), "is not accepted"),
        ("extensions", headed("crit", json!(["b64"])), "extensions"),
        ("no key", headed("kid", Value::Null), "names no key"),
        ("an unknown key", headed("kid", "other".into()), "its key `other` is unknown"),
        ("expired", with("exp", (now_s - 61).into()), "expired"),
        ("not valid yet", with("nbf", (now_s + 120).into()), "not valid for another"),
        ("issued later", with("iat", (now_s + 120).into()), "not valid for another"),
        ("valid for a year", with("exp", (now_s + 31_536_000).into()), "expected at most"),
        ("for another", with("aud", "https://other.example".into()), "its audience is `https://other.example`"),
        ("for several", with("aud", json!([ANNOUNCE, "https://other.example"])), "claim `aud`"),
        ("of another issuer", with("iss", "https://issuer.example".into()), "issuer `https://issuer.example` is not"),
        ("a repeated claim", ci.issuer.token_of(&ci.issuer.header(), &twice), "distinct members"),
        ("oversized", with("more", "x".repeat(20_000).into()), "expected at most 16384"),
        ("a long claim", with("repository", "x".repeat(600).into()), "claim `repository`"),
        ("an object for a claim", with("repository_id", json!({"id": 1})), "claim `repository_id`"),
        ("a line break", with("sha", "a\nb".into()), "claim `sha`"),
        ("a path", with("repository", "acme/../evil".into()), "not the name of a repository"),
        ("another owner's repository", with("repository", "other/widget".into()), "not the name of a repository"),
        ("a number for a time", with("exp", "tomorrow".into()), "claim `exp`"),
        ("no token at all", "text".to_owned(), "malformed"),
        ("two parts", front.to_owned(), "malformed"),
    ] {
        invalid(&ci, what, &token, words).await;
    }
    for member in [
        "iss",
        "aud",
        "exp",
        "iat",
        "jti",
        "repository",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "sha",
    ] {
        let words = if member == "iss" { "issuer ``" } else { member };
        invalid(&ci, &format!("without {member}"), &without(member), words).await;
    }
    assert_eq!(ci.registry.get("/v1/bundles/@acme/widget").await.status(), 404);
    ci.registry.assert_agrees().await;
    // What was spoiled all the time is good otherwise.
    let (status, body) = post(&ci, &good).await;
    assert_eq!(status, 200, "{body}");
    ci.registry.assert_agrees().await;
}

#[tokio::test]
async fn a_minute_of_difference_between_clocks_is_tolerated() {
    let ci = Ci::start().await;
    let now_s = START_MS / 1_000;
    let mut claims = ci.claims(REPOSITORY, "v1.0.0");
    claims["exp"] = (now_s - 30).into();
    claims["iat"] = (now_s - 300).into();
    claims["nbf"] = (now_s - 300).into();
    assert_eq!(post(&ci, &ci.issuer.token(&claims)).await.0, 200);
    claims["exp"] = (now_s + 300).into();
    claims["iat"] = (now_s + 30).into();
    claims["nbf"] = (now_s + 30).into();
    claims["jti"] = "another".into();
    assert_eq!(post(&ci, &ci.issuer.token(&claims)).await.0, 200);
}

#[tokio::test]
async fn keys_of_every_accepted_kind_verify() {
    let ci = Ci::start().await;
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256] {
        ci.issuer.rotate(algorithm);
        ci.registry.wait_ms(60_000);
        let mut claims = ci.claims(REPOSITORY, "v1.0.0");
        claims["exp"] = (START_MS / 1_000 + 3_600).into();
        let (status, body) = post(&ci, &ci.issuer.token(&claims)).await;
        assert_eq!(status, 200, "{algorithm:?}: {body}");
        invalid(&ci, "forged", &ci.issuer.forged(&claims), "signature is not valid").await;
    }
}

#[tokio::test]
async fn keys_are_cached_and_an_unknown_one_is_asked_for_once() {
    let ci = Ci::start().await;
    for _ in 0..3 {
        assert_eq!(post(&ci, &ci.token(REPOSITORY, "v1.0.0")).await.0, 200);
    }
    assert_eq!((ci.issuer.fetches(), ci.issuer.discoveries()), (1, 1));
    // A rotated key is found at once.
    ci.issuer.rotate(Algorithm::Es256);
    assert_eq!(post(&ci, &ci.token(REPOSITORY, "v1.0.0")).await.0, 200);
    assert_eq!(ci.issuer.fetches(), 2);
    // Made-up keys do not turn us against the issuer.
    let stranger = Key::new("made-up", Algorithm::Es256, 0);
    let header = json!({"alg": "ES256", "kid": "made-up"});
    for _ in 0..20 {
        let token = stranger.token(&header, &ci.claims(REPOSITORY, "v1.0.0").to_string());
        invalid(&ci, "made up", &token, "its key `made-up` is unknown").await;
    }
    assert_eq!(ci.issuer.fetches(), 2);
    ci.registry.wait_ms(31_000);
    let token = stranger.token(&header, &ci.claims(REPOSITORY, "v1.0.0").to_string());
    invalid(&ci, "made up", &token, "unknown").await;
    assert_eq!(ci.issuer.fetches(), 3);
    // A key that was taken back is not believed for long.
    let old = ci.token(REPOSITORY, "v1.0.0");
    ci.issuer.rotate(Algorithm::Rs256);
    ci.registry.wait_ms(11 * 60_000);
    assert_eq!(post(&ci, &old).await.0, 401);
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_well_is_told_as_503() {
    for (what, mood) in [
        ("broken", Mood::Broken(StatusCode::INTERNAL_SERVER_ERROR)),
        ("slow", Mood::Slow(Duration::from_secs(30))),
        ("oversized", Mood::Oversized),
        ("nonsense", Mood::Nonsense),
    ] {
        let ci = Ci::start().await;
        ci.issuer.set_mood(mood);
        let (status, body) = post(&ci, &ci.token(REPOSITORY, "v1.0.0")).await;
        assert_eq!(status, 503, "{what}: {body}");
        assert!(
            message(&body).contains("keys of the issuer") || message(&body).contains("asked for its keys"),
            "{body}"
        );
        ci.issuer.set_mood(Mood::Good);
        ci.registry.wait_ms(6_000);
        assert_eq!(post(&ci, &ci.token(REPOSITORY, "v1.0.0")).await.0, 200, "{what}");
    }
}

#[tokio::test]
async fn keys_outlive_a_short_outage_of_their_issuer() {
    let ci = Ci::start().await;
    assert_eq!(post(&ci, &ci.token(REPOSITORY, "v1.0.0")).await.0, 200);
    ci.issuer.set_mood(Mood::Broken(StatusCode::BAD_GATEWAY));
    ci.registry.wait_ms(20 * 60_000);
    let mut claims = ci.claims(REPOSITORY, "v1.0.0");
    claims["exp"] = (START_MS / 1_000 + 7_200).into();
    assert_eq!(post(&ci, &ci.issuer.token(&claims)).await.0, 200);
    ci.registry.wait_ms(60 * 60_000);
    assert_eq!(post(&ci, &ci.issuer.token(&claims)).await.0, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_issuer_slows_no_token_whose_key_is_known() {
    let ci = std::sync::Arc::new(Ci::start().await);
    assert_eq!(post(&ci, &ci.token(REPOSITORY, "v1.0.0")).await.0, 200);
    let mut claims = ci.claims(REPOSITORY, "v1.0.0");
    claims["exp"] = (START_MS / 1_000 + 7_200).into();
    let good = ci.issuer.token(&claims);
    ci.issuer.set_mood(Mood::Slow(Duration::from_secs(30)));
    // 1. Somebody's made-up key sends us to the issuer, who does not answer.
    let stranger = Key::new("made-up", Algorithm::Es256, 0);
    let header = json!({"alg": "ES256", "kid": "made-up"});
    let made_up = stranger.token(&header, &ci.claims(REPOSITORY, "v1.0.0").to_string());
    let waiting = tokio::spawn({
        let ci = std::sync::Arc::clone(&ci);
        async move { post(&ci, &made_up).await.0 }
    });
    while ci.issuer.fetches() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = std::time::Instant::now();
    assert_eq!(post(&ci, &good).await.0, 200);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(!waiting.is_finished(), "the other one waits all the while");
    assert_eq!(waiting.await.unwrap(), 503);
    // 2. The keys are old and the issuer is still slow: nobody waits until it gave up.
    ci.registry.wait_ms(20 * 60_000);
    let began = std::time::Instant::now();
    let all = futures_util::future::join_all((0..4).map(|_| post(&ci, &good))).await;
    assert!(all.iter().all(|(status, _)| *status == 200), "{all:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(ci.issuer.fetches(), 3, "they share one question");
}

#[tokio::test]
async fn tokens_that_come_at_once_share_one_fetch_of_the_keys() {
    let ci = Ci::start().await;
    ci.issuer.set_mood(Mood::Slow(Duration::from_millis(500)));
    let tokens: Vec<String> = (0..8).map(|_| ci.token(REPOSITORY, "v1.0.0")).collect();
    let all = futures_util::future::join_all(tokens.iter().map(|token| post(&ci, token))).await;
    assert!(all.iter().all(|(status, _)| *status == 200), "{all:?}");
    assert_eq!((ci.issuer.fetches(), ci.issuer.discoveries()), (1, 1));
}

#[tokio::test]
async fn the_audience_of_announcements_does_not_upload() {
    let ci = Ci::start().await;
    let request = |token: &str| {
        let path = "/api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any";
        let request = ci.registry.client.put(format!("{}{path}", ci.registry.url));
        request.bearer_auth(token).body(bundle("@acme/widget", "1.0.0"))
    };
    let (status, body) = answer(request(&ci.token(REPOSITORY, "v1.0.0"))).await;
    assert_eq!(status, 401, "{body}");
    assert_eq!(body["error"]["details"]["expected"], format!("`{}`", ci.registry.url));
    assert_eq!(body["error"]["details"]["found"], ANNOUNCE);
    // Nor does whatever the request's `Host` says.
    let mut claims = ci.claims(REPOSITORY, "v1.0.0");
    claims["aud"] = "http://registry.example".into();
    let (status, _) = answer(request(&ci.issuer.token(&claims)).header("host", "registry.example")).await;
    assert_eq!(status, 401);
    // The registry's own does.
    claims["aud"] = ci.registry.url.as_str().into();
    let (status, body) = answer(request(&ci.issuer.token(&claims))).await;
    assert_eq!(status, 201, "{body}");
    let versions = ci.registry.json("/v1/bundles/@acme/widget/versions").await;
    assert_eq!(versions["versions"][0]["publish_method"], "oidc");
}

#[tokio::test]
async fn gitlab_announces_a_release_of_its_project() {
    let (issuer, forge) = (Issuer::start().await, Forge::start().await);
    let (issuer_url, api_url) = (issuer.url(), forge.url());
    let registry = Registry::start_with(move |config| {
        config.outbound.allow_loopback = true;
        let mut gitlab = configured(IssuerKind::Gitlab, &issuer_url, &api_url);
        gitlab.default_scopes = Some(true);
        config.publishing.issuer = vec![gitlab];
    })
    .await;
    let url = issuer.url();
    let stamp = Stamp { issuer: &url, audience: ANNOUNCE, issued_at: START_MS / 1_000, jti: "one" };
    let claims = gitlab_claims(stamp, "acme/widget", "v1.0.0");
    let manifest = manifest("@acme/widget", "1.0.0");
    let bytes = bundle_of(&manifest);
    forge.project("acme/widget", claims["project_id"].as_str().unwrap());
    forge.tag("acme/widget", "v1.0.0", SHA);
    forge.file("acme/widget", "v1.0.0", "README.md", "# Of the project");
    forge.asset("acme/widget", "v1.0.0", "w.mcpb", mpak_testkit::forge::Delivery::Whole(bytes.clone()));
    let body = json!({
        "name": "@acme/widget", "version": "1.0.0", "manifest": manifest, "release_tag": "v1.0.0",
        "artifact": {"filename": "w.mcpb", "os": "any", "arch": "any", "size": bytes.len(),
            "sha256": mpak_bundle::digest::Sha256::of(&bytes).to_string()},
    });
    let address = format!("{}/v1/bundles/announce", registry.url);
    let request = registry.client.post(address).bearer_auth(issuer.token(&claims)).json(&body);
    let (status, answered) = answer(request).await;
    assert_eq!((status.as_u16(), &answered["status"]), (200, &json!("created")), "{answered}");
    let page = registry.client.get(format!("{}/packages/@acme/widget", registry.url)).header("accept", "text/html");
    assert!(page.send().await.unwrap().text().await.unwrap().contains("Of the project"));
    // Where the pipeline is defined elsewhere, no workflow is told; the package is the project's all the same.
    let stamp = Stamp { issuer: &url, audience: ANNOUNCE, issued_at: START_MS / 1_000, jti: "two" };
    let mut claims = gitlab_claims(stamp, "acme/widget", "v1.1.0");
    claims["ci_config_ref_uri"] = Value::Null;
    let manifest = crate::world::manifest("@acme/widget", "1.1.0");
    let bytes = bundle_of(&manifest);
    forge.tag("acme/widget", "v1.1.0", SHA);
    forge.asset("acme/widget", "v1.1.0", "w.mcpb", mpak_testkit::forge::Delivery::Whole(bytes.clone()));
    let body = json!({
        "name": "@acme/widget", "version": "1.1.0", "manifest": manifest, "release_tag": "v1.1.0",
        "artifact": {"filename": "w.mcpb", "os": "any", "arch": "any", "size": bytes.len(),
            "sha256": mpak_bundle::digest::Sha256::of(&bytes).to_string()},
    });
    let address = format!("{}/v1/bundles/announce", registry.url);
    let request = registry.client.post(address).bearer_auth(issuer.token(&claims)).json(&body);
    let (status, answered) = answer(request).await;
    assert_eq!(status, 200, "{answered}");
}

#[tokio::test]
async fn an_issuer_without_ids_needs_an_entry_for_its_scopes() {
    let (issuer, forge) = (Issuer::start().await, Forge::start().await);
    let (issuer_url, api_url) = (issuer.url(), forge.url());
    let registry = Registry::start_with(move |config| {
        config.outbound.allow_loopback = true;
        let mut forgejo = configured(IssuerKind::Generic, &issuer_url, &api_url);
        forgejo.mapping = Some("forgejo".to_owned());
        config.publishing.issuer = vec![forgejo];
    })
    .await;
    let url = issuer.url();
    let own = registry.url.clone();
    let stamp = Stamp { issuer: &url, audience: &own, issued_at: START_MS / 1_000, jti: "one" };
    let token = issuer.token(&forgejo_claims(stamp, "acme/widget", "v1.0.0"));
    let path = format!("{}/api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any", registry.url);
    let request = registry.client.put(path).bearer_auth(token).body(bundle("@acme/widget", "1.0.0"));
    let (status, body) = answer(request).await;
    assert_eq!(status, 403, "{body}");
    assert!(message(&body).contains("do not create scopes by their name alone"), "{body}");
}

#[tokio::test]
async fn keys_may_be_configured_instead_of_discovered() {
    let issuer = Issuer::start().await;
    let url = issuer.url();
    let ci = Ci::start_with(move |config| {
        let keys = format!("{url}/.well-known/jwks");
        let mut one = configured(IssuerKind::Github, &url, "http://127.0.0.1:1");
        one.issuer = "https://ci.example".parse().unwrap();
        one.jwks_url = Some(keys.parse().unwrap());
        config.publishing.issuer = vec![one];
    })
    .await;
    let stamp = Stamp { issuer: "https://ci.example", audience: ANNOUNCE, issued_at: START_MS / 1_000, jti: "one" };
    let token = issuer.token(&github_claims(stamp, "evil/widget", "v1.0.0"));
    let (status, body) = post(&ci, &token).await;
    assert_eq!((status.as_u16(), message(&body).contains("Scope mismatch")), (401, true), "{body}");
    assert_eq!((issuer.discoveries(), issuer.fetches()), (0, 1));
}

#[tokio::test]
async fn own_audiences_are_taken_beside_the_usual_one_unless_the_operator_says_so() {
    for (usual, status) in [(true, 200), (false, 401)] {
        let ci = Ci::start_with(move |config| {
            config.publishing.issuer[0].audience = vec!["https://registry.example".to_owned()];
            config.publishing.default_audience = usual;
        })
        .await;
        let announced = ci.release("acme/widget", "@acme/widget", "1.0.0", ("any", "any"));
        let (found, body) = ci.announce(&announced).await;
        assert_eq!(found.as_u16(), status, "{body}");
        let own = ci.registry.url.clone();
        for (version, audience) in [("1.1.0", "https://registry.example"), ("1.2.0", own.as_str())] {
            let announced = ci.release("acme/widget", "@acme/widget", version, ("any", "any"));
            let mut claims = ci.claims("acme/widget", &announced.tag);
            claims["aud"] = audience.into();
            let (found, body) = answer(ci.post(&ci.issuer.token(&claims), &announced.body)).await;
            assert_eq!(found, 200, "{audience}: {body}");
        }
    }
}
