//! Claiming: a package without owners becomes its maintainer's, proved in its own repository.

use mpak_registry::admin;
use serde_json::{Value, json};

use crate::ci::Ci;

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

#[tokio::test]
async fn only_a_maintainer_named_in_the_packages_own_repository_claims_it() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", NAME, "1.0.0").await;
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
    // The maintainer; then nobody else.
    ci.forge.file("acme/widget", "main", "mpak.json", proof(NAME, "ada-at-hub"));
    let (status, body) = claim(&ci, &ada, json!({"github_repo": "https://github.com/acme/widget"})).await;
    assert_eq!((status, &body["package"]["claimed_by"]), (200, &json!("ada")), "{body}");
    let bob = account(&ci, "bob", Some("ada-at-hub")).await;
    let (status, body) = claim(&ci, &bob, json!({})).await;
    assert_eq!((status, &body["error"]["message"]), (400, &json!("Package cannot be claimed")), "{body}");
    let status = ci.registry.json(&format!("/app/packages/{NAME}/claim-status")).await;
    assert_eq!((&status["claimable"], &status["claimed_by"]), (&json!(false), &json!("ada")));
}
