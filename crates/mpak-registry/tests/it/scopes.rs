//! Whose a scope is: the first owner's who builds in it, by id. Tokens give nobody a scope, and take none.

use mpak_registry::admin::{self, package::Verdict};
use reqwest::Method;
use serde_json::{Value, json};

use crate::ci::{Ci, answer, message};
use crate::world::{DAY_MS, bundle, bundle_of, change_rows, manifest};

/// An account's token.
async fn person(ci: &Ci, login: &'static str, role: &'static str) -> String {
    let (config, clock) = (ci.registry.config(), ci.registry.clock());
    let made = move || admin::person::add(&config, login, None, role, &clock).unwrap().token;
    tokio::task::spawn_blocking(made).await.unwrap()
}

async fn upload(ci: &Ci, token: &str, name: &str, version: &str) -> (u16, Value) {
    let path = format!("{}/api/v1/packages/{name}/versions/{version}/artifacts/any", ci.registry.url);
    let request = ci.registry.client.put(path).bearer_auth(token).body(bundle(name, version));
    let (status, body) = answer(request).await;
    (status.as_u16(), body)
}

async fn announce(ci: &Ci, repository: &str, name: &str, version: &str) -> (u16, Value) {
    let (status, body) = ci.announce(&ci.release(repository, name, version, ("any", "any"))).await;
    (status.as_u16(), body)
}

async fn ask(ci: &Ci, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/api/v1/packages/{path}", ci.registry.url);
    let (status, body) =
        answer(ci.registry.client.request(method, url).bearer_auth(token).body(body.to_string())).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn an_owner_builds_beside_and_over_what_the_operator_put_there() {
    let ci = Ci::start().await;
    let operator = ci.registry.token.clone();
    for name in ["@acme/tool", "@acme/other"] {
        assert_eq!(upload(&ci, &operator, name, "1.0.0").await.0, 201);
    }
    let (status, body) = announce(&ci, "acme/widget", "@acme/widget", "1.0.0").await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = announce(&ci, "acme/tool", "@acme/tool", "1.1.0").await;
    assert_eq!(status, 200, "{body}");
    // From then on it is the repository's, for other repositories and for tokens.
    let (status, body) = announce(&ci, "acme/fork", "@acme/tool", "1.2.0").await;
    assert_eq!(status, 403, "{body}");
    let (status, body) = upload(&ci, &operator, "@acme/tool", "1.3.0").await;
    assert_eq!((status, message(&body)), (403, "`@acme/tool` is published by `acme/tool`; tokens are refused"));
    // What a token alone publishes goes on; nobody else has the scope by its name.
    assert_eq!(upload(&ci, &operator, "@acme/other", "1.1.0").await.0, 201);
    let announced = ci.release("acme/again", "@acme/again", "1.0.0", ("any", "any"));
    let mut claims = ci.claims("acme/again", &announced.tag);
    claims["repository_owner_id"] = "666".into();
    let (status, body) = answer(ci.post(&ci.issuer.token(&claims), &announced.body)).await;
    assert_eq!(status, 401, "{body}");
}

#[tokio::test]
async fn what_people_published_stays_theirs_and_gives_no_right_over_the_scope() {
    let ci = Ci::start().await;
    let ada = person(&ci, "ada", "publisher").await;
    let given = ci.registry.make_token(&["@acme/*"], 90).await.token;
    assert_eq!(upload(&ci, &ada, "@acme/notes", "1.0.0").await.0, 201);
    assert_eq!(upload(&ci, &given, "@acme/given", "1.0.0").await.0, 201);
    // 1. The scope's owner comes.
    let (status, body) = announce(&ci, "acme/widget", "@acme/widget", "1.0.0").await;
    assert_eq!(status, 200, "{body}");
    // 2. What others published is not theirs without an entry.
    for name in ["@acme/notes", "@acme/given"] {
        let (status, body) = announce(&ci, "acme/repo", name, "2.0.0").await;
        assert_eq!(status, 403, "{name}: {body}");
        assert!(message(&body).contains("is not published from `acme/repo`"), "{body}");
    }
    assert_eq!(upload(&ci, &ada, "@acme/notes", "1.1.0").await.0, 201);
    assert_eq!(upload(&ci, &given, "@acme/given", "1.1.0").await.0, 201);
    // 3. New names are not the others'.
    for token in [&ada, &given] {
        let (status, body) = upload(&ci, token, "@acme/new", "1.0.0").await;
        assert_eq!(status, 403, "{body}");
        assert!(message(&body).contains("the scope `@acme` belongs to `acme`"), "{body}");
    }
    // 4. The operator may, for the registry; an entry makes the rest possible.
    assert_eq!(upload(&ci, &ci.registry.token, "@acme/new", "1.0.0").await.0, 201);
    let (status, body) =
        ask(&ci, &ada, Method::POST, "@acme/notes/trusted-publishers", json!({"repository": "acme/repo"})).await;
    assert_eq!(status, 201, "{body}");
    let (status, body) = announce(&ci, "acme/repo", "@acme/notes", "2.0.0").await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn an_owner_of_one_package_takes_no_other_name_of_the_scope() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", "@acme/widget", "1.0.0").await;
    let (admin, eve) = (ci.registry.token.clone(), person(&ci, "eve", "publisher").await);
    assert_eq!(ask(&ci, &admin, Method::PUT, "@acme/widget/owners/eve", json!({})).await.0, 200);
    // 1. By a first publish.
    let (status, body) = upload(&ci, &eve, "@acme/anything", "1.0.0").await;
    assert_eq!(status, 403, "{body}");
    assert_eq!(announce(&ci, "acme/anything", "@acme/anything", "1.0.0").await.0, 200, "the name is the owner's");
    // 2. By bringing a package of theirs.
    assert_eq!(upload(&ci, &eve, "@eve/thing", "1.0.0").await.0, 201);
    let path = "@eve/thing/transfer";
    assert_eq!(ask(&ci, &eve, Method::POST, path, json!({"name": "@acme/thing"})).await.1["state"], "requested");
    let (status, body) = ask(&ci, &eve, Method::PUT, path, json!({})).await;
    assert_eq!(status, 403, "{body}");
    assert!(message(&body).contains("an administrator: new names in `@acme`"), "{body}");
    // 3. By a rename within.
    let path = "@acme/widget/transfer";
    assert_eq!(ask(&ci, &eve, Method::POST, path, json!({"name": "@acme/taken"})).await.1["state"], "requested");
    assert_eq!(ask(&ci, &eve, Method::PUT, path, json!({})).await.0, 403);
    // An administrator decides.
    assert_eq!(ask(&ci, &admin, Method::PUT, path, json!({})).await.1["state"], "accepted");
}

#[tokio::test]
async fn a_transfer_into_a_scope_that_found_its_owner_meanwhile_does_not_take_effect() {
    let ci = Ci::start().await;
    let (ada, bob) = (person(&ci, "ada", "publisher").await, person(&ci, "bob", "publisher").await);
    assert_eq!(upload(&ci, &ada, "@ada/notes", "1.0.0").await.0, 201);
    assert_eq!(upload(&ci, &bob, "@acme/bobs", "1.0.0").await.0, 201);
    ask(&ci, &ada, Method::POST, "@ada/notes/transfer", json!({"name": "@acme/notes"})).await;
    let (_, body) = ask(&ci, &bob, Method::PUT, "@ada/notes/transfer", json!({})).await;
    assert_eq!(body["state"], "accepted", "{body}");
    ci.publish("acme/widget", "@acme/widget", "1.0.0").await;
    ci.registry.wait_ms(8 * DAY_MS);
    assert_eq!(ci.registry.json("/api/v1/packages/@ada/notes").await["name"], "@ada/notes");
    assert_eq!(ci.registry.get("/v1/bundles/@acme/notes").await.status(), 404);
}

#[tokio::test]
async fn what_was_deleted_or_rejected_keeps_no_scope() {
    let ci = Ci::start().await;
    let (ada, bob) = (person(&ci, "ada", "publisher").await, person(&ci, "bob", "publisher").await);
    // 1. Deleted.
    assert_eq!(upload(&ci, &ada, "@contoso/x", "1.0.0").await.0, 201);
    assert_eq!(upload(&ci, &bob, "@contoso/y", "1.0.0").await.0, 403, "it is hers");
    assert_eq!(ask(&ci, &ada, Method::DELETE, "@contoso/x", json!({})).await.0, 200);
    assert_eq!(upload(&ci, &bob, "@contoso/y", "1.0.0").await.0, 201);
    assert_eq!(upload(&ci, &ada, "@contoso/z", "1.0.0").await.0, 403, "it was hers");
    // 2. Held, and rejected.
    let held = "@antropic/filesystem";
    let (status, body) = upload(&ci, &ada, held, "1.0.0").await;
    assert!(status == 201 && body["held"].is_string(), "{body}");
    let (config, clock) = (ci.registry.config(), ci.registry.clock());
    let decided = move || admin::package::decide(&config, held, Verdict::Reject, Some("no"), &clock).unwrap();
    tokio::task::spawn_blocking(decided).await.unwrap();
    assert_eq!(upload(&ci, &bob, "@antropic/other", "1.0.0").await.0, 201);
}

#[tokio::test]
async fn a_former_name_is_told_to_the_repository_that_published_under_it() {
    let ci = Ci::start().await;
    ci.publish("acme/widget", "@acme/widget", "1.0.0").await;
    let admin = ci.registry.token.clone();
    let (_, body) = ask(&ci, &admin, Method::POST, "@acme/widget/transfer", json!({"name": "@acme/gadget"})).await;
    assert_eq!(body["state"], "accepted", "{body}");
    ci.registry.wait_ms(8 * DAY_MS);
    ci.registry.json("/api/v1/packages/@acme/gadget").await;
    let now = |claims: &mut Value| {
        for (name, by) in [("iat", 0), ("nbf", 0), ("exp", 600)] {
            claims[name] = (crate::world::START_MS / 1_000 + 8 * 86_400 + 2 + by).into();
        }
    };
    for (name, status) in [("@acme/widget", 422), ("@acme/gadget", 200)] {
        let bytes = bundle_of(&manifest(name, "1.1.0"));
        let announced = ci.release_of("acme/widget", name, "1.1.0", ("any", "any"), &manifest(name, "1.1.0"), &bytes);
        let mut claims = ci.claims("acme/widget", "v1.1.0");
        now(&mut claims);
        let (found, body) = answer(ci.post(&ci.issuer.token(&claims), &announced.body)).await;
        assert_eq!(found.as_u16(), status, "{name}: {body}");
        if status == 422 {
            assert_eq!(
                (&body["error"]["code"], message(&body)),
                (&json!("RETIRED"), "`@acme/widget` is called `@acme/gadget` now")
            );
        }
    }
}

#[tokio::test]
async fn a_name_that_would_be_held_is_not_taken_by_a_rename() {
    let ci = Ci::start().await;
    let ada = person(&ci, "ada", "publisher").await;
    assert_eq!(upload(&ci, &ada, "@ada/notes", "1.0.0").await.0, 201);
    let path = "@ada/notes/transfer";
    let (_, body) = ask(&ci, &ada, Method::POST, path, json!({"name": "@ada/official-github-mcp"})).await;
    assert_eq!(body["state"], "requested", "{body}");
    let (status, body) = ask(&ci, &ada, Method::PUT, path, json!({})).await;
    assert_eq!(status, 403, "{body}");
    assert!(message(&body).contains("an administrator: "), "{body}");
    assert_eq!(ask(&ci, &ci.registry.token, Method::PUT, path, json!({})).await.1["state"], "accepted");
}

#[tokio::test]
async fn who_takes_a_transfer_needs_a_token_for_it() {
    let ci = Ci::start().await;
    let (ada, bob) = (person(&ci, "ada", "publisher").await, person(&ci, "bob", "publisher").await);
    assert_eq!(upload(&ci, &ada, "@ada/notes", "1.0.0").await.0, 201);
    let path = "@ada/notes/transfer";
    ask(&ci, &ada, Method::POST, path, json!({"owner": "bob"})).await;
    for narrow in [
        "UPDATE tokens SET actions_json = '[\"read\",\"publish\",\"yank\"]' WHERE name = 'bob''s first'",
        "UPDATE tokens SET actions_json = '[\"manage\"]', packages_json = '[\"@bob/*\"]' WHERE name = 'bob''s first'",
    ] {
        change_rows(&ci.registry, narrow).await;
        for method in [Method::PUT, Method::DELETE] {
            let (status, body) = ask(&ci, &bob, method, path, json!({})).await;
            assert_eq!(status, 403, "{narrow}: {body}");
        }
    }
    change_rows(&ci.registry, "UPDATE tokens SET packages_json = '[\"@ada/*\"]' WHERE name = 'bob''s first'").await;
    assert_eq!(ask(&ci, &bob, Method::PUT, path, json!({})).await.1["state"], "accepted");
    assert_eq!(ask(&ci, &bob, Method::DELETE, path, json!({})).await.0, 200);
}
