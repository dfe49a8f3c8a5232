//! Who may publish: missing, wrong, expired, revoked and narrow tokens.

use mpak_registry::admin::{self, AdminError};
use serde_json::Value;

use crate::world::{DAY_MS, Registry, bundle};

async fn try_publish(registry: &Registry, name: &str, token: Option<&str>) -> (u16, Value) {
    let path = format!("{}/api/v1/packages/{name}/versions/1.0.0/artifacts/any", registry.url);
    let mut request = registry.client.put(path).body(bundle(name, "1.0.0"));
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn without_a_known_token_nothing_is_published() {
    let registry = Registry::start().await;
    let before = registry.everything();
    let right = registry.token.clone();
    let altered = format!("{}x", &right[..right.len() - 1]);
    for (what, header) in [
        ("none", None),
        ("empty", Some("Bearer ".to_owned())),
        ("another scheme", Some(format!("Basic {right}"))),
        ("no scheme", Some(right.clone())),
        ("unknown", Some("Bearer mpak_nothing".to_owned())),
        ("altered", Some(format!("Bearer {altered}"))),
    ] {
        let (status, body) = try_publish(&registry, "@acme/widget", header.as_deref()).await;
        assert_eq!(status, 401, "{what}");
        assert_eq!(body["error"]["code"], "UNAUTHORIZED", "{what}");
        assert!(!body.to_string().contains(&right), "{what}");
        assert_eq!(registry.everything(), before, "{what}");
    }
    let (status, _) = try_publish(&registry, "@acme/widget", Some(&format!("bearer {right}"))).await;
    assert_eq!(status, 201, "the scheme's case does not matter");
}

#[tokio::test]
async fn a_token_publishes_what_it_covers_only() {
    let registry = Registry::start().await;
    let token = registry.make_token(&["@acme/*", "@other/one"], 90).await.token;
    let bearer = format!("Bearer {token}");
    for (name, status) in [("@acme/widget", 201), ("@other/one", 201), ("@other/two", 403), ("@acme2/widget", 403)] {
        let before = registry.everything();
        let (found, body) = try_publish(&registry, name, Some(&bearer)).await;
        assert_eq!(found, status, "{name}");
        if status == 403 {
            assert_eq!(body["error"]["code"], "FORBIDDEN");
            assert_eq!(body["error"]["details"]["expected"], "@acme/*, @other/one");
            assert_eq!(registry.everything(), before, "{name}");
        }
    }
}

#[tokio::test]
async fn a_token_ends_when_it_expires() {
    let registry = Registry::start().await;
    let bearer = format!("Bearer {}", registry.make_token(&[], 1).await.token);
    assert_eq!(try_publish(&registry, "@acme/one", Some(&bearer)).await.0, 201);
    registry.wait_ms(DAY_MS);
    let (status, body) = try_publish(&registry, "@acme/two", Some(&bearer)).await;
    assert_eq!(status, 401);
    assert!(body["error"]["message"].as_str().unwrap().contains("expired"), "{body}");
}

#[tokio::test]
async fn a_revoked_token_ends_at_once() {
    let registry = Registry::start().await;
    let made = registry.make_token(&[], 90).await;
    let bearer = format!("Bearer {}", made.token);
    assert_eq!(try_publish(&registry, "@acme/one", Some(&bearer)).await.0, 201);
    let (config, clock) = (registry.config(), registry.clock());
    let revoke = move || (admin::revoke_token(&config, made.id, &clock), admin::revoke_token(&config, made.id, &clock));
    let (first, second) = tokio::task::spawn_blocking(revoke).await.unwrap();
    assert!(first.is_ok());
    assert!(matches!(second, Err(AdminError::NoToken { .. })));
    let (status, body) = try_publish(&registry, "@acme/two", Some(&bearer)).await;
    assert_eq!(status, 401);
    assert!(body["error"]["message"].as_str().unwrap().contains("revoked"), "{body}");
}

#[tokio::test]
async fn tokens_are_kept_as_hashes_only() {
    let mut registry = Registry::start().await;
    let made = registry.make_token(&[], 90).await.token;
    assert_eq!(try_publish(&registry, "@acme/one", Some(&format!("Bearer {made}"))).await.0, 201);
    registry.stop().await;
    let kept = registry.everything_in_full().into_iter().filter(|(path, _)| !path.ends_with("first-token"));
    for (path, content) in kept {
        for secret in [&made, &registry.token] {
            let found = content.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found, "{} holds a token", path.display());
        }
    }
}

#[tokio::test]
async fn the_list_tells_the_state_and_no_secret() {
    let registry = Registry::start().await;
    let short = registry.make_token(&["@acme/*"], 1).await;
    let used = registry.make_token(&[], 90).await;
    assert_eq!(try_publish(&registry, "@acme/one", Some(&format!("Bearer {}", used.token))).await.0, 201);
    registry.wait_ms(DAY_MS);
    let (config, clock) = (registry.config(), registry.clock());
    let tokens = tokio::task::spawn_blocking(move || admin::list_tokens(&config, &clock).unwrap()).await.unwrap();
    let states: Vec<_> = tokens.iter().map(|t| (t.name.as_str(), t.state)).collect();
    assert_eq!(states, [("first-token", "valid"), ("test", "expired"), ("test", "valid")]);
    assert_eq!(tokens[1].packages, short.packages);
    assert!(tokens[2].last_used_at.is_some() && tokens[1].last_used_at.is_none());
    assert!(!serde_json::to_string(&tokens).unwrap().contains(&used.token));
}

#[test]
fn tokens_that_make_no_sense_are_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let clock = mpak_registry::clock::Clock::system();
    let config = mpak_registry::config::Config::new(folder.path(), "127.0.0.1:0".parse().unwrap());
    let make =
        |name: &str, package: &str, days| admin::create_token(&config, name, &[package.to_owned()], days, &clock);
    assert!(matches!(make("", "*", 1), Err(AdminError::Name { .. })));
    assert!(matches!(make("a\nb", "*", 1), Err(AdminError::Name { .. })));
    assert!(matches!(make("ci", "acme", 1), Err(AdminError::Pattern(_))));
    assert!(matches!(make("ci", "*", 0), Err(AdminError::Days { .. })));
    assert!(matches!(make("ci", "*", 91), Err(AdminError::Days { .. })));
    assert!(make("ci", "@acme/*", 90).is_ok());
}

#[tokio::test]
async fn every_use_of_a_token_is_told_not_only_publishes() {
    let registry = Registry::start_with(|c| c.access.reads = mpak_registry::config::Reads::Private).await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let token_for = async |action: &'static str| {
        let (config, clock) = (registry.config(), registry.clock());
        let made = move || admin::create_token_for(&config, action, &[action], &["*".to_owned()], 90, &clock).unwrap();
        tokio::task::spawn_blocking(made).await.unwrap().token
    };
    let used = async |name: &'static str| {
        let (config, clock) = (registry.config(), registry.clock());
        let listed = move || admin::list_tokens(&config, &clock).unwrap();
        let listed = tokio::task::spawn_blocking(listed).await.unwrap();
        listed.into_iter().find(|t| t.name == name).unwrap().last_used_at
    };
    let (reader, yanker) = (token_for("read").await, token_for("yank").await);
    assert_eq!((used("read").await, used("yank").await), (None, None));
    let url = |path: &str| format!("{}{path}", registry.url);
    let read = registry.client.get(url("/v1/bundles/@acme/widget")).bearer_auth(&reader).send().await.unwrap();
    assert_eq!(read.status(), 200);
    let yank = url("/api/v1/packages/@acme/widget/versions/1.0.0/yank");
    let yanked = registry.client.put(yank).bearer_auth(&yanker).body("{}").send().await.unwrap();
    assert_eq!(yanked.status(), 200, "{}", yanked.text().await.unwrap());
    let told = async |name: &'static str, before: Option<String>| {
        for _ in 0..200 {
            let now = used(name).await;
            if now.is_some() && now != before {
                return now;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the use of `{name}` is not told");
    };
    let first = told("read", None).await;
    told("yank", None).await;
    // An hour later it is another time.
    registry.wait_ms(60 * 60_000);
    registry.client.get(url("/v1/bundles/@acme/widget")).bearer_auth(&reader).send().await.unwrap();
    told("read", first).await;
}
