//! Sign-in by a real OpenID provider, walked as a browser does, and the attacks on it.

use mpak_registry::config::{Config, Secret, SignIn};
use mpak_testkit::openid_provider::{CLIENT_ID, CLIENT_SECRET, Provider};
use reqwest::Method;
use url::Url;

use crate::person::{Browser, Page};
use crate::world::Registry;

/// Sets the provider.
pub(crate) fn by(issuer: &str) -> impl Fn(&mut Config) + Send + Sync + 'static {
    let issuer: Url = issuer.parse().unwrap();
    move |config| {
        config.sign_in = Some(SignIn {
            issuer: issuer.clone(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(Secret::new(CLIENT_SECRET)),
            scopes: ["profile", "email", "groups"].map(str::to_owned).to_vec(),
            role_claim: Some("groups".to_owned()),
            admins: vec!["admins".to_owned()],
            publishers: vec!["devs".to_owned()],
            github_claim: None,
        });
    }
}

async fn started() -> (Provider, Registry) {
    let provider = tokio::task::spawn_blocking(Provider::start).await.unwrap();
    let registry = Registry::start_with(by(&provider.issuer)).await;
    (provider, registry)
}

/// Whom the provider signs in next.
pub(crate) async fn is(registry: &Registry, provider: &Provider, account: &str) {
    let url = format!("{}/control?account={account}", provider.issuer);
    assert_eq!(registry.client.get(url).send().await.unwrap().text().await.unwrap(), account);
}

/// Goes to the provider and comes back to the callback's address, which is not opened.
async fn to_the_callback(browser: &mut Browser, path: &str) -> Url {
    let mut page = browser.send(Method::GET, browser.at(path), &[], "").await;
    for _ in 0..10 {
        assert!((300..400).contains(&page.status), "{} {}", page.url, page.text);
        let next = page.url.join(page.location()).unwrap();
        if next.path() == "/auth/callback" {
            return next;
        }
        page = browser.send(Method::GET, next, &[], "").await;
    }
    panic!("the provider does not come back");
}

fn refused(page: &Page, status: u16) {
    assert_eq!(page.status, status, "{}", page.text);
    assert!(page.text.contains("You are not signed in"), "{}", page.text);
}

#[tokio::test]
async fn people_sign_in_with_the_roles_of_their_claims() {
    let (provider, registry) = started().await;
    assert_eq!(registry.sign_in_link(), None, "with a provider there is no link");
    for (account, login, role, admin) in [
        ("alice", "alice", "admin", 200),
        ("bob", "bob", "publisher", 403),
        ("eve", "&#60;b&#62;eve&#60;/b&#62;&#34;[U+202E]", "reader", 403),
    ] {
        is(&registry, &provider, account).await;
        let mut browser = Browser::new(&registry);
        let page = browser.get("/account").await;
        assert!(page.url.path() == "/sign-in" && page.text.contains("Sign in with 127.0.0.1"), "{}", page.text);
        let page = browser.get("/auth/start?return=/account").await;
        assert_eq!((page.status, page.url.path()), (200, "/account"), "{account}: {}", page.text);
        assert!(page.text.contains(&format!("<h1>{login}</h1>")), "{account}: {}", page.text);
        assert!(page.text.contains(&format!("<dd>{role}</dd>")), "{account}: {}", page.text);
        assert_eq!(browser.get("/admin").await.status, admin, "{account}");
        let set = browser.set.iter().find(|line| line.starts_with("mpak_session=")).unwrap();
        assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax") && set.contains("; Path=/"), "{set}");
    }
}

#[tokio::test]
async fn a_session_ends_by_sign_out_age_disuse_and_disabling() {
    const HOUR_MS: i64 = 3_600_000;
    let (provider, registry) = started().await;
    let mut admin = Browser::new(&registry);
    assert_eq!(admin.get("/auth/start?return=/admin").await.url.path(), "/admin");
    is(&registry, &provider, "bob").await;
    let mut bob = Browser::new(&registry);
    bob.get("/auth/start").await;
    // Signed out, the cookie that somebody kept is worth nothing.
    let (csrf, kept) = (bob.csrf().await, bob.cookies.clone());
    let out = bob.post("/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!((out.status, bob.session()), (303, None));
    bob.cookies = kept;
    assert_eq!(bob.get("/account").await.url.path(), "/sign-in");
    // Not used for a day.
    bob.get("/auth/start").await;
    registry.wait_ms(23 * HOUR_MS);
    assert_eq!(bob.get("/account").await.url.path(), "/account");
    registry.wait_ms(25 * HOUR_MS);
    assert_eq!(bob.get("/account").await.url.path(), "/sign-in");
    // Seven days old, however often it is used.
    bob.get("/auth/start").await;
    for hour in (0..7 * 24).step_by(12) {
        assert_eq!(bob.get("/account").await.url.path(), "/account", "{hour}");
        registry.wait_ms(12 * HOUR_MS);
    }
    assert_eq!(bob.get("/account").await.url.path(), "/sign-in");
    // Disabled by an administrator, at once and at the next sign-in.
    bob.get("/auth/start").await;
    is(&registry, &provider, "alice").await;
    let page = admin.get("/auth/start?return=/admin").await;
    let action = page.text.split("action=\"").find(|a| a.contains("/disabled\"") && a.contains("Disable bob")).unwrap();
    let (path, csrf) = (action.split('"').next().unwrap().to_owned(), page.field("csrf"));
    assert_eq!(admin.post(&path, &[("csrf", &csrf), ("disabled", "yes")]).await.status, 303);
    assert_eq!(bob.get("/account").await.url.path(), "/sign-in");
    is(&registry, &provider, "bob").await;
    let refusal = bob.get("/auth/start").await;
    refused(&refusal, 403);
    assert!(refusal.text.contains("may not sign in"), "{}", refusal.text);
}

#[tokio::test]
async fn nobody_signs_another_browser_in() {
    let (_provider, registry) = started().await;
    let (mut attacker, mut victim) = (Browser::new(&registry), Browser::new(&registry));
    // Login CSRF: the attacker's own code, given to the victim.
    let callback = to_the_callback(&mut attacker, "/auth/start").await;
    refused(&victim.open(callback.clone()).await, 400);
    assert_eq!(victim.session(), None);
    // It was used up by the attempt, also for its own browser.
    refused(&attacker.open(callback).await, 400);
    // Code injection: the attacker's code under the victim's state. The nonce and PKCE tell.
    let (theirs, own) =
        (to_the_callback(&mut attacker, "/auth/start").await, to_the_callback(&mut victim, "/auth/start").await);
    let code = theirs.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let mut injected = own.clone();
    injected.query_pairs_mut().clear().extend_pairs(
        own.query_pairs().map(|(name, value)| if name == "code" { (name, code.clone().into()) } else { (name, value) }),
    );
    refused(&victim.open(injected).await, 502);
    assert_eq!(victim.session(), None);
}

#[tokio::test]
async fn answers_that_do_not_fit_are_refused() {
    let (provider, registry) = started().await;
    let mut browser = Browser::new(&registry);
    for (what, status, change) in [
        ("state", 400, Some(("state", Some("x")))),
        ("no state", 400, Some(("state", None))),
        ("another issuer", 502, Some(("iss", Some("https://evil.example")))),
        ("no issuer, though it says that it names itself", 502, Some(("iss", None))),
        ("no code", 403, Some(("code", None))),
        ("a wrong code", 502, Some(("code", Some("x")))),
    ] {
        let (name, value) = change.unwrap();
        let mut url = to_the_callback(&mut browser, "/auth/start").await;
        let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(n, _)| n != name).collect();
        pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        url.query_pairs_mut().clear().extend_pairs(pairs);
        refused(&browser.open(url).await, status);
        assert_eq!(browser.session(), None, "{what}");
    }
    // The same answer twice.
    let url = to_the_callback(&mut browser, "/auth/start").await;
    assert_eq!(browser.open(url.clone()).await.status, 200);
    refused(&browser.open(url).await, 400);
    // Too late.
    let url = to_the_callback(&mut browser, "/auth/start").await;
    registry.wait_ms(11 * 60_000);
    refused(&browser.open(url).await, 400);
    // The person says no; what the provider says is shown as text.
    is(&registry, &provider, "nobody").await;
    let page = Browser::new(&registry).get("/auth/start").await;
    refused(&page, 403);
    assert!(page.text.contains("access_denied"), "{}", page.text);
}

#[tokio::test]
async fn the_way_back_leads_to_this_registry_only() {
    let (_provider, registry) = started().await;
    for to in
        ["//evil.example/x", "https://evil.example/", "/\\evil.example", "/.//evil.example", "javascript:alert(1)"]
    {
        let mut browser = Browser::new(&registry);
        let start =
            format!("/auth/start?return={}", url::form_urlencoded::byte_serialize(to.as_bytes()).collect::<String>());
        let callback = to_the_callback(&mut browser, &start).await;
        let page = browser.send(Method::GET, callback, &[], "").await;
        assert_eq!((page.status, page.location()), (303, "/"), "{to}");
    }
}

#[tokio::test]
async fn each_sign_in_makes_a_new_session_and_a_planted_one_is_not_kept() {
    let (_provider, registry) = started().await;
    let mut browser = Browser::new(&registry);
    let host = browser.at("/").authority().to_owned();
    let planted = "A".repeat(43);
    browser.cookies.insert((host, "mpak_session".to_owned()), planted.clone());
    browser.get("/auth/start").await;
    let first = browser.session().unwrap();
    assert_ne!(first, planted);
    let former = browser.cookies.clone();
    browser.get("/auth/start").await;
    assert_ne!(browser.session().unwrap(), first);
    browser.cookies = former;
    assert_eq!(browser.get("/account").await.url.path(), "/sign-in", "the session before ended");
}

#[tokio::test]
async fn any_replica_finishes_what_another_began() {
    let (_provider, mut registry) = started().await;
    let mut browser = Browser::new(&registry);
    let mut callback = to_the_callback(&mut browser, "/auth/start?return=/account").await;
    // The same database, another process: it knows nothing but what is stored.
    registry.restart().await;
    let mut moved = Browser::new(&registry);
    let host = moved.at("/").authority().to_owned();
    moved.cookies = browser.cookies.iter().map(|((_, name), v)| ((host.clone(), name.clone()), v.clone())).collect();
    callback.set_port(moved.at("/").port()).unwrap();
    let page = moved.open(callback).await;
    assert_eq!((page.status, page.url.path()), (200, "/account"), "{}", page.text);
}

#[tokio::test]
async fn the_sign_ins_of_one_network_do_not_keep_others_out() {
    let provider = tokio::task::spawn_blocking(Provider::start).await.unwrap();
    let with_provider = by(&provider.issuer);
    let registry = Registry::start_with(move |config| {
        with_provider(config);
        config.rates.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let mut browser = Browser::new(&registry);
    let url = browser.at("/auth/start");
    for n in 0..200 {
        let page = browser.send(Method::GET, url.clone(), &[("x-forwarded-for", "203.0.113.7")], "").await;
        assert_eq!(page.status, 303, "{n}: {}", page.text);
    }
    let page = browser.send(Method::GET, url.clone(), &[("x-forwarded-for", "203.0.113.8")], "").await;
    refused(&page, 429);
    assert!(page.text.contains("sign-ins from your network"), "{}", page.text);
    let page = browser.send(Method::GET, url.clone(), &[("x-forwarded-for", "203.0.114.7")], "").await;
    assert_eq!(page.status, 303, "another network");
    registry.wait_ms(11 * 60_000);
    let page = browser.send(Method::GET, url, &[("x-forwarded-for", "203.0.113.7")], "").await;
    assert_eq!(page.status, 303, "what ran out does not count");
}
