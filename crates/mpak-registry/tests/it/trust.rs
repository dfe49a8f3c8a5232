//! Who may publish what: scopes belong to owners by id, packages to repositories, tokens to one version.

use mpak_registry::config::Reads;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::ci::{Announcement, Ci, answer, message};
use crate::world::bundle;

const NAME: &str = "@acme/widget";

impl Ci {
    async fn announce_as(&self, claims: &Value, announced: &Announcement) -> (StatusCode, Value) {
        answer(self.post(&self.issuer.token(claims), &announced.body)).await
    }
}

#[tokio::test]
async fn a_renamed_owner_keeps_the_scope_and_the_package() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
    let before = ci.claims("acme/widget", "v1.1.0");
    let announced = ci.release("acme-inc/widget", NAME, "1.1.0", ("any", "any"));
    let mut renamed = ci.claims("acme-inc/widget", "v1.1.0");
    renamed["repository_owner_id"] = before["repository_owner_id"].clone();
    renamed["repository_id"] = before["repository_id"].clone();
    let (status, body) = ci.announce_as(&renamed, &announced).await;
    assert_eq!(status, 200, "{body}");
    // And makes further packages in it, by id.
    let gadget = ci.release("acme-inc/gadget", "@acme/gadget", "1.0.0", ("any", "any"));
    let mut claims = ci.claims("acme-inc/gadget", "v1.0.0");
    claims["repository_owner_id"] = before["repository_owner_id"].clone();
    let (status, body) = ci.announce_as(&claims, &gadget).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn a_recycled_login_inherits_nothing() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
    for (name, repository, version) in
        [(NAME, "acme/widget", "1.0.1"), ("@acme/gadget", "acme/gadget", "1.0.0"), (NAME, "acme/other", "1.0.2")]
    {
        let announced = ci.release(repository, name, version, ("any", "any"));
        let mut claims = ci.claims(repository, &announced.tag);
        claims["repository_owner_id"] = "666".into();
        claims["repository_id"] = "667".into();
        let (status, body) = ci.announce_as(&claims, &announced).await;
        assert_eq!(status, 401, "{name}: {body}");
        assert!(message(&body).contains("Scope mismatch"), "{body}");
    }
    // The repository itself, given away: the pin that its first owner's publish made does not go with it.
    let announced = ci.release("acme/widget", NAME, "1.0.3", ("any", "any"));
    let mut claims = ci.claims("acme/widget", &announced.tag);
    claims["repository_owner_id"] = "666".into();
    let (status, body) = ci.announce_as(&claims, &announced).await;
    assert_eq!(status, 401, "{body}");
    assert!(message(&body).contains("Scope mismatch"), "{body}");
}

#[tokio::test]
async fn another_repository_of_the_same_owner_needs_an_entry() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
    let announced = ci.release("acme/fork", NAME, "1.0.1", ("any", "any"));
    let (status, body) = ci.announce(&announced).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (403, &json!("FORBIDDEN")), "{body}");
    assert_eq!(message(&body), "`@acme/widget` is not published from `acme/fork`, but from `acme/widget`");
    let help = body["error"]["details"]["help"].as_str().unwrap();
    assert!(help.contains("mpak trust add @acme/widget --repository acme/fork"), "{help}");
    // A repository that took over the name of the pinned one is another repository.
    let announced = ci.release("acme/widget", NAME, "1.0.1", ("any", "any"));
    let mut claims = ci.claims("acme/widget", "v1.0.1");
    claims["repository_id"] = "667".into();
    assert_eq!(ci.announce_as(&claims, &announced).await.0, 403);
}

#[tokio::test]
async fn tokens_are_refused_for_what_identities_publish() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
    let (status, body) = answer(ci.registry.put(NAME, "1.0.1", "any", bundle(NAME, "1.0.1"))).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (403, &json!("FORBIDDEN")), "{body}");
    assert_eq!(message(&body), "`@acme/widget` is published by `acme/widget`; tokens are refused");
}

#[tokio::test]
async fn tokens_publish_again_only_while_two_owners_allow_them() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
    let token = |login: &'static str| {
        let (config, clock) = (ci.registry.config(), ci.registry.clock());
        let made = move || mpak_registry::admin::person::add(&config, login, None, "publisher", &clock).unwrap().token;
        async { tokio::task::spawn_blocking(made).await.unwrap() }
    };
    let (ada, bob) = (token("ada").await, token("bob").await);
    let change = async |method: reqwest::Method, token: &str, path: &str| {
        let url = format!("{}/api/v1/packages/{NAME}/{path}", ci.registry.url);
        let (status, body) = answer(ci.registry.client.request(method, url).bearer_auth(token)).await;
        assert_eq!(status, 200, "{body}");
    };
    let publish = async |version: &str| answer(ci.registry.put(NAME, version, "any", bundle(NAME, version))).await;
    for login in ["ada", "bob"] {
        change(reqwest::Method::PUT, &ci.registry.token, &format!("owners/{login}")).await;
    }
    assert_eq!(publish("1.0.1").await.0, 403, "nobody allows it");
    change(reqwest::Method::PUT, &ada, "tokens").await;
    let (status, body) = publish("1.0.1").await;
    assert_eq!(
        (status.as_u16(), message(&body)),
        (403, "`@acme/widget` is published by `acme/widget`; tokens are refused")
    );
    change(reqwest::Method::PUT, &bob, "tokens").await;
    let (status, body) = publish("1.0.1").await;
    assert_eq!(status, 201, "{body}");
    // Identities go on.
    ci.publish("acme/widget", NAME, "1.1.0").await;
    // One of them withdraws; or is no owner any more.
    change(reqwest::Method::DELETE, &ada, "tokens").await;
    assert_eq!(publish("1.1.1").await.0, 403);
    change(reqwest::Method::PUT, &ada, "tokens").await;
    assert_eq!(publish("1.1.1").await.0, 201);
    change(reqwest::Method::DELETE, &ci.registry.token, "owners/bob").await;
    assert_eq!(publish("1.1.2").await.0, 403);
}

#[tokio::test]
async fn a_token_publishes_one_version_with_all_its_platforms() {
    let ci = Ci::start().await;
    let token = ci.token("acme/widget", "v1.0.0");
    let first = ci.release("acme/widget", NAME, "1.0.0", ("linux", "x64"));
    let second = ci.release("acme/widget", NAME, "1.0.0", ("darwin", "arm64"));
    for (announced, status) in [(&first, "created"), (&second, "created"), (&first, "updated")] {
        let (code, body) = answer(ci.post(&token, &announced.body)).await;
        assert_eq!((code.as_u16(), &body["status"]), (200, &json!(status)), "{body}");
    }
    // Another package of the same release, and another version, need another token.
    let other = ci.release("acme/widget", "@acme/gadget", "1.0.0", ("any", "any"));
    let (status, body) = answer(ci.post(&token, &other.body)).await;
    assert_eq!(status, 403, "{body}");
    assert_eq!(message(&body), "this token published version 1.0.0 of `@acme/widget` and is good for nothing else");
    let mut claims = ci.claims("acme/widget", "v1.0.0");
    claims["jti"] = "jti-0".into();
    claims["ref"] = "refs/heads/main".into();
    let next = ci.release("acme/widget", NAME, "1.1.0", ("any", "any"));
    assert_eq!(ci.announce_as(&claims, &next).await.0, 403);
    ci.accepted(&next).await;
}

#[tokio::test]
async fn a_token_that_raced_with_itself_publishes_one_version() {
    let ci = Ci::start().await;
    let mut claims = ci.claims("acme/widget", "v1.0.0");
    claims["ref"] = "refs/heads/main".into();
    let token = ci.issuer.token(&claims);
    let all: Vec<_> = (0..5).map(|n| ci.release("acme/widget", NAME, &format!("{n}.0.0"), ("any", "any"))).collect();
    let answers = futures_util::future::join_all(all.iter().map(|one| answer(ci.post(&token, &one.body)))).await;
    let accepted = answers.iter().filter(|(status, _)| *status == StatusCode::OK).count();
    let refused = answers.iter().filter(|(status, _)| *status == StatusCode::FORBIDDEN).count();
    assert_eq!((accepted, refused), (1, 4), "{answers:?}");
}

#[tokio::test]
async fn a_refused_announcement_does_not_spend_the_token() {
    let ci = Ci::start().await;
    let token = ci.token("acme/widget", "v1.0.0");
    let announced = ci.release("acme/widget", NAME, "1.0.0", ("any", "any"));
    let wrong = announced.with("/artifact/sha256", "0".repeat(64));
    assert_eq!(answer(ci.post(&token, &wrong.body)).await.0, 400);
    assert_eq!(answer(ci.post(&token, &announced.body)).await.0, 200);
}

#[tokio::test]
async fn the_scope_of_two_racing_owners_goes_to_one() {
    let ci = Ci::start().await;
    let announced = ci.release("acme/widget", NAME, "1.0.0", ("any", "any"));
    let claims = |id: &str| {
        let mut claims = ci.claims("acme/widget", "v1.0.0");
        claims["repository_owner_id"] = id.into();
        claims["repository_id"] = id.into();
        claims
    };
    let (one, two) = (claims("1"), claims("2"));
    let (one, two) = tokio::join!(ci.announce_as(&one, &announced), ci.announce_as(&two, &announced));
    // The loser is told that the scope is not theirs, or that the same bytes are there already.
    let accepted = [&one, &two].iter().filter(|(_, body)| body["status"] == "created").count();
    assert_eq!(accepted, 1, "{one:?} {two:?}");
}

impl Ci {
    fn publishers(&self, method: reqwest::Method, below: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/v1/packages/{NAME}/trusted-publishers{below}", self.registry.url);
        self.registry.client.request(method, url)
    }
}

#[tokio::test]
async fn an_entry_lets_another_repository_publish_and_its_removal_ends_it() {
    use reqwest::Method;
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
    let admin = ci.registry.token.clone();
    // 1. By name; the first publish tells the id.
    let wish = json!({"repository": "Partner/Fork"});
    let (status, added) = answer(ci.publishers(Method::POST, "").bearer_auth(&admin).json(&wish)).await;
    assert_eq!(status, 201, "{added}");
    assert_eq!((&added["repository_id"], &added["workflow"]), (&Value::Null, &Value::Null));
    let (status, again) = answer(ci.publishers(Method::POST, "").bearer_auth(&admin).json(&wish)).await;
    assert_eq!((status.as_u16(), &again["id"]), (200, &added["id"]));
    ci.publish("partner/fork", NAME, "1.1.0").await;
    let (_, listed) = answer(ci.publishers(Method::GET, "").bearer_auth(&admin)).await;
    let fork = &listed["trusted_publishers"][1];
    assert_eq!(fork["repository"], "partner/fork");
    assert_eq!(fork["workflow"], ".github/workflows/release.yml");
    assert!(fork["repository_id"].is_string(), "{listed}");
    // 2. From then on the name alone is not enough.
    let announced = ci.release("partner/fork", NAME, "1.2.0", ("any", "any"));
    let mut claims = ci.claims("partner/fork", "v1.2.0");
    claims["repository_id"] = "668".into();
    assert_eq!(ci.announce_as(&claims, &announced).await.0, 401);
    // 3. The pinned one still may, until both are taken back.
    ci.publish("acme/widget", NAME, "1.3.0").await;
    let id = fork["id"].as_i64().unwrap();
    let removed = ci.publishers(Method::DELETE, &format!("/{id}")).bearer_auth(&admin).send().await.unwrap();
    assert_eq!(removed.status(), 204);
    let gone = ci.publishers(Method::DELETE, &format!("/{id}")).bearer_auth(&admin).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    assert_eq!(ci.announce(&announced).await.0, 401);
}

#[tokio::test]
async fn entries_are_made_by_those_who_may_and_in_their_form() {
    use reqwest::Method;
    let ci = Ci::start().await;
    let wish = json!({"repository": "evil/fork"});
    let weak = ci.registry.make_token(&["*"], 1).await.token;
    assert_eq!(ci.publishers(Method::POST, "").json(&wish).send().await.unwrap().status(), 401);
    assert_eq!(ci.publishers(Method::POST, "").bearer_auth(&weak).json(&wish).send().await.unwrap().status(), 403);
    assert_eq!(ci.publishers(Method::GET, "").bearer_auth(&weak).send().await.unwrap().status(), 403);
    let admin = ci.registry.token.clone();
    for (wish, expect) in [
        (json!({}), 400),
        (json!({"repository": "a/b", "more": 1}), 400),
        (json!({"repository": ""}), 422),
        (json!({"repository": "a b"}), 422),
        (json!({"repository": "a/b", "repository_id": "name:evil/fork"}), 422),
        (json!({"repository": "a/b", "issuer": "https://issuer.example"}), 422),
    ] {
        let (status, body) = answer(ci.publishers(Method::POST, "").bearer_auth(&admin).json(&wish)).await;
        assert_eq!(status.as_u16(), expect, "{wish}: {body}");
    }
}

#[tokio::test]
async fn an_entry_before_the_first_publish_reserves_the_package() {
    use reqwest::Method;
    let ci = Ci::start().await;
    let admin = ci.registry.token.clone();
    let wish = json!({"repository": "partner/widget"});
    assert_eq!(answer(ci.publishers(Method::POST, "").bearer_auth(&admin).json(&wish)).await.0, 201);
    // Not even the owner of the scope's name comes first.
    let own = ci.release("acme/widget", NAME, "1.0.0", ("any", "any"));
    assert_eq!(ci.announce(&own).await.0, 403);
    ci.publish("partner/widget", NAME, "1.0.0").await;
}

#[tokio::test]
async fn a_changed_workflow_is_accepted_and_told() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
    let announced = ci.release("acme/widget", NAME, "1.1.0", ("any", "any"));
    let mut claims = ci.claims("acme/widget", "v1.1.0");
    claims["workflow_ref"] = "acme/widget/.github/workflows/other.yml@refs/tags/v1.1.0".into();
    assert_eq!(ci.announce_as(&claims, &announced).await.0, 200);
    let admin = ci.registry.token.clone();
    let (_, listed) = answer(ci.publishers(reqwest::Method::GET, "").bearer_auth(admin)).await;
    assert_eq!(listed["trusted_publishers"][0]["workflow"], ".github/workflows/other.yml");
    // Readers see from what to what, as an event and on the page.
    let (before, after) = (".github/workflows/release.yml", ".github/workflows/other.yml");
    let events = ci.registry.json(&format!("/api/v1/packages/{NAME}/events")).await;
    let changed: Vec<&Value> =
        events["events"].as_array().unwrap().iter().filter(|e| e["kind"] == "workflow_changed").collect();
    assert_eq!(changed.len(), 1, "{events}");
    let details = &changed[0]["details"];
    assert_eq!((&details["from"], &details["to"]), (&json!(before), &json!(after)), "{events}");
    let page = ci.registry.get(&format!("/packages/{NAME}")).await.text().await.unwrap();
    assert!(page.contains(&format!("Published by the workflow {after}, before by {before}")), "{page}");
}

#[tokio::test]
async fn an_identity_is_explained_without_publishing_or_spending_it() {
    let ci = Ci::start().await;
    let mut claims = ci.claims("acme/widget", "v1.0.0");
    claims["aud"] = ci.registry.url.as_str().into();
    let token = ci.issuer.token(&claims);
    let explain = |name: &str| {
        let url = format!("{}/api/v1/packages/{name}/versions/1.0.0/publisher", ci.registry.url);
        answer(ci.registry.client.get(url).bearer_auth(&token))
    };
    let (status, body) = explain("@acme/other").await;
    assert_eq!((status.as_u16(), &body["allowed"]), (200, &json!(true)), "{body}");
    assert_eq!(body["identity"]["repository"], "acme/widget");
    assert_eq!(explain("@evil/widget").await.0, 401);
    let path = format!("{}/api/v1/packages/{NAME}/versions/1.0.0/artifacts/any", ci.registry.url);
    let (status, body) = answer(ci.registry.client.put(path).bearer_auth(&token).body(bundle(NAME, "1.0.0"))).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(explain("@acme/other").await.0, 403);
}

#[tokio::test]
async fn an_identity_is_explained_by_a_private_registry_and_reads_nothing_else() {
    let ci = Ci::start_with(|config| config.access.reads = Reads::Private).await;
    let mut claims = ci.claims("acme/widget", "v1.0.0");
    claims["aud"] = ci.registry.url.as_str().into();
    let good = ci.issuer.token(&claims);
    let get = |path: &str, token: &str| {
        let request = ci.registry.client.get(format!("{}{path}", ci.registry.url)).bearer_auth(token);
        answer(request.header("accept", "application/json"))
    };
    let explain = "/api/v1/packages/@acme/widget/versions/1.0.0/publisher";
    let (status, body) = get(explain, &good).await;
    assert_eq!((status.as_u16(), &body["allowed"]), (200, &json!(true)), "{body}");
    assert_eq!(get("/api/v1/packages/@evil/widget/versions/1.0.0/publisher", &good).await.0, 401);
    for token in [&ci.issuer.forged(&claims), &ci.issuer.unsigned(&claims), "mpak_wrong"] {
        assert_eq!(get(explain, token).await.0, 401, "{token}");
    }
    for path in ["/v1/bundles/search", "/v1/bundles/@acme/widget", "/api/v1/packages/@acme/widget", "/v1/servers"] {
        assert_eq!(get(path, &good).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn in_link_mode_readers_are_sent_to_the_release() {
    let ci = Ci::start_with(|config| config.storage.mode = mpak_registry::config::Mode::Link).await;
    let announced = ci.release("acme/widget", NAME, "1.0.0", ("any", "any"));
    ci.accepted(&announced).await;
    let blobs = ci.registry.data().join("blobs/sha256");
    let kept = std::fs::read_dir(blobs).map_or(0, Iterator::count);
    assert_eq!(kept, 0, "the bytes stay where they are");
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = format!("{}/v1/bundles/{NAME}/versions/1.0.0/download", ci.registry.url);
    let mut response = client.get(&url).send().await.unwrap();
    if !response.headers()["location"].to_str().unwrap().contains("/releases/download/") {
        let next = response.headers()["location"].to_str().unwrap().to_owned();
        response = client.get(next).send().await.unwrap();
    }
    let location = response.headers()["location"].to_str().unwrap();
    assert_eq!(location, format!("{}/acme/widget/releases/download/v1.0.0/{}", ci.forge.url(), announced.file));
}
