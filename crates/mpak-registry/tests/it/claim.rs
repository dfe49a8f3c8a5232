//! Claiming: a package without owners becomes its maintainer's, proved in its own repository.

use mpak_registry::admin;
use serde_json::{Value, json};

use crate::ci::Ci;
use crate::world::{bundle, change_rows};

const NAME: &str = "@acme/widget";

/// An account with a login at GitHub, and its token.
async fn account(ci: &Ci, login: &str, github: Option<&'static str>) -> String {
    let (config, clock) = (ci.registry.config(), ci.registry.clock());
    let login = login.to_owned();
    let made = move || admin::person::add(&config, &login, github, "publisher", &clock).unwrap().token;
    tokio::task::spawn_blocking(made).await.unwrap()
}

async fn claim(ci: &Ci, token: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/app/packages/{NAME}/claim", ci.registry.url);
    let response = ci.registry.client.post(url).bearer_auth(token).body(body.to_string()).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// As the detail and the search have it, which always agree.
async fn is_verified(ci: &Ci, name: &str) -> bool {
    let detail = ci.registry.json(&format!("/v1/bundles/{name}")).await["verified"].as_bool().unwrap();
    let found = ci.registry.json(&format!("/v1/bundles/search?q={name}")).await;
    assert_eq!(found["bundles"][0]["verified"], detail, "{found}");
    detail
}

/// `verified` is told by the latest version's publisher, or by an owner's claim; a token proves nothing about a
/// repository, whatever the manifest says of one.
#[tokio::test]
async fn verified_is_whose_repository_is_proved() {
    let ci = Ci::start().await;
    ci.registry.publish("@tokens/widget", "1.0.0", "any", &bundle("@tokens/widget", "1.0.0")).await;
    assert!(!is_verified(&ci, "@tokens/widget").await);
    // Built by its repository; then published by token, as two owners allow.
    ci.publish("acme/widget", NAME, "1.0.0").await;
    assert!(is_verified(&ci, NAME).await);
    let ada = account(&ci, "ada", Some("ada-at-hub")).await;
    let eve = account(&ci, "eve", None).await;
    let own = async |login: &str, method: reqwest::Method| {
        let url = format!("{}/api/v1/packages/{NAME}/owners/{login}", ci.registry.url);
        let done = ci.registry.client.request(method, url).bearer_auth(&ci.registry.token).send().await.unwrap();
        assert!(done.status().is_success(), "{}", done.text().await.unwrap());
    };
    let eventually = async |expected: bool| {
        for _ in 0..500 {
            if is_verified(&ci, NAME).await == expected {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("verified did not become {expected}");
    };
    ci.forge.file("acme/widget", "main", "mpak.json", json!({"name": NAME, "maintainers": ["ada-at-hub"]}).to_string());
    let (status, body) = claim(&ci, &ada, json!({})).await;
    assert_eq!(status, 200, "{body}");
    own("eve", reqwest::Method::PUT).await;
    for token in [&ada, &eve] {
        let url = format!("{}/api/v1/packages/{NAME}/tokens", ci.registry.url);
        let done = ci.registry.client.put(url).bearer_auth(token).send().await.unwrap();
        assert!(done.status().is_success(), "{}", done.text().await.unwrap());
    }
    let url = format!("{}/api/v1/packages/{NAME}/versions/1.1.0/artifacts/any", ci.registry.url);
    let put = ci.registry.client.put(url).bearer_auth(&eve).body(bundle(NAME, "1.1.0")).send().await.unwrap();
    assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
    assert_eq!(ci.registry.json(&format!("/v1/bundles/{NAME}")).await["provenance"], Value::Null);
    eventually(true).await;
    // The claim goes with the owner who made it.
    own("ada", reqwest::Method::DELETE).await;
    eventually(false).await;
}

#[tokio::test]
async fn only_a_maintainer_named_in_the_packages_own_repository_claims_it() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
    assert!(is_verified(&ci, NAME).await, "a build of its repository published it");
    let ada = account(&ci, "ada", Some("Ada-At-Hub")).await;
    let proof = |name: &str, who: &str| json!({"name": name, "maintainers": [who]}).to_string();
    // F7: a repository of the claimer's own proves nothing.
    ci.forge.file("ada/evil", "main", "mpak.json", proof(NAME, "ada-at-hub"));
    let (status, body) = claim(&ci, &ada, json!({"github_repo": "ada/evil"})).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("FORBIDDEN")), "{body}");
    assert_eq!(claim(&ci, &ada, json!({})).await.0, 400, "there is no proof yet");
    for (name, who) in [("@acme/other", "ada-at-hub"), (NAME, "somebody")] {
        ci.forge.file("acme/widget", "main", "mpak.json", proof(name, who));
        let (status, body) = claim(&ci, &ada, json!({})).await;
        assert_eq!(status, 403, "{name} {who}: {body}");
        assert!(body["error"]["details"]["instructions"]["steps"].is_array(), "{body}");
    }
    let status = ci.registry.json(&format!("/app/packages/{NAME}/claim-status")).await;
    assert_eq!((&status["claimable"], &status["github_repo"]), (&json!(true), &json!("acme/widget")));
    // Without a login that somebody vouches for, and without an account.
    let eve = account(&ci, "eve", None).await;
    assert_eq!(claim(&ci, &eve, json!({})).await.0, 400);
    assert_eq!(claim(&ci, &ci.registry.token, json!({})).await.0, 403);
    // Whoever registers the name after its repository went away has another number, and a proof that says all it should.
    ci.forge.file("acme/widget", "main", "mpak.json", proof(NAME, "ada-at-hub"));
    ci.forge.replace_repository("acme/widget", 4_711);
    let (status, body) = claim(&ci, &ada, json!({})).await;
    assert_eq!((status, &body["error"]["details"]["found"]), (403, &json!("one with the number 4711")), "{body}");
    ci.forge.replace_repository(
        "acme/widget",
        ci.claims("acme/widget", "v1.0.0")["repository_id"].as_str().unwrap().parse().unwrap(),
    );
    // The maintainer; then nobody else.
    ci.forge.file("acme/widget", "main", "mpak.json", proof(NAME, "ada-at-hub"));
    // With a token that is for owning, and a role that may publish.
    for narrow in [
        "UPDATE tokens SET actions_json = '[\"read\",\"publish\",\"yank\"]' WHERE name = 'ada''s first'",
        "UPDATE tokens SET actions_json = '[\"manage\"]', packages_json = '[\"@other/*\"]' WHERE name = 'ada''s first'",
        "UPDATE tokens SET packages_json = '[\"*\"]' WHERE name = 'ada''s first'",
    ] {
        change_rows(&ci.registry, narrow).await;
        let role = if narrow.contains("[\"*\"]") { "reader" } else { "publisher" };
        let of_role = [
            "UPDATE users SET role = 'reader' WHERE login = 'ada'",
            "UPDATE users SET role = 'publisher' WHERE login = 'ada'",
        ];
        change_rows(&ci.registry, of_role[usize::from(role == "publisher")]).await;
        let (status, body) = claim(&ci, &ada, json!({})).await;
        assert_eq!(status, 403, "{narrow}: {body}");
        change_rows(&ci.registry, of_role[1]).await;
    }
    let (status, body) = claim(&ci, &ada, json!({"github_repo": "https://github.com/acme/widget"})).await;
    assert_eq!((status, &body["package"]["claimed_by"]), (200, &json!("ada")), "{body}");
    let bob = account(&ci, "bob", Some("ada-at-hub")).await;
    let (status, body) = claim(&ci, &bob, json!({})).await;
    assert_eq!((status, &body["error"]["message"]), (400, &json!("Package cannot be claimed")), "{body}");
    let status = ci.registry.json(&format!("/app/packages/{NAME}/claim-status")).await;
    assert_eq!((&status["claimable"], &status["claimed_by"]), (&json!(false), &json!("ada")));
}
