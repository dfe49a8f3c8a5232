//! What sessions allow: the administrator's link, forms that prove where they come from, tokens, the
//! device flow. No provider is needed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::person::{Browser, form};
use crate::routes::writes;
use crate::world::{DAY_MS, Registry, bundle};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn admin() -> (Registry, Browser) {
    let registry = Registry::start().await;
    let mut browser = Browser::new(&registry);
    let page = browser.follow(&registry.sign_in_link().unwrap()).await;
    assert_eq!((page.status, page.location()), (303, "/admin"), "{}", page.text);
    (registry, browser)
}

#[tokio::test]
async fn the_link_signs_one_browser_in_once() {
    let registry = Registry::start().await;
    let link = registry.sign_in_link().unwrap();
    // Looking at it, by whatever looks ahead, uses nothing up.
    for _ in 0..3 {
        assert_eq!(registry.client.get(&link).send().await.unwrap().status(), 200);
        assert_eq!(registry.client.head(&link).send().await.unwrap().status(), 200);
    }
    let mut browser = Browser::new(&registry);
    // Without the page's own browser, origin or token it is not followed.
    let page = browser.open(link.parse().unwrap()).await;
    let (proof, token) = (page.field("browser"), page.field("token"));
    let body = form(&[("browser", &proof), ("token", &token)]);
    let (url, own) = (browser.at("/auth/link"), registry.url.clone());
    let other = Browser::new(&registry).send(Method::POST, url.clone(), &[FORM, ("origin", &own)], &body).await;
    assert_eq!(other.status, 403);
    for headers in [vec![FORM], vec![FORM, ("origin", "https://evil.example")], vec![FORM, ("origin", "null")]] {
        assert_eq!(browser.send(Method::POST, url.clone(), &headers, &body).await.status, 403, "{headers:?}");
    }
    assert_eq!(browser.session(), None);
    assert_eq!(browser.follow(&link).await.status, 303);
    assert!(browser.get("/admin").await.text.contains("Held packages"));
    let again = Browser::new(&registry).open(link.parse().unwrap()).await;
    assert_eq!(again.status, 404);
    let body = form(&[("browser", &proof), ("token", &token)]);
    assert_eq!(browser.send(Method::POST, url, &[FORM, ("origin", &own)], &body).await.status, 403);
}

#[tokio::test]
async fn a_link_ends_after_a_day_and_none_is_made_once_there_is_an_administrator() {
    let mut registry = Registry::start().await;
    let link = registry.sign_in_link().unwrap();
    registry.wait_ms(DAY_MS + 1);
    assert_eq!(Browser::new(&registry).open(link.parse().unwrap()).await.status, 404);
    registry.restart().await;
    let mut browser = Browser::new(&registry);
    browser.follow(&registry.sign_in_link().unwrap()).await;
    registry.restart().await;
    assert_eq!(registry.sign_in_link(), None);
}

#[tokio::test]
async fn a_write_with_a_cookie_needs_the_sessions_token_and_its_own_origin() {
    let (registry, mut browser) = admin().await;
    let (csrf, own) = (browser.csrf().await, registry.url.clone());
    let mut stranger = Browser::new(&registry);
    let fields = |token: &str| form(&[("csrf", token), ("name", "x"), ("read", "on"), ("days", "1")]);
    let json = ("content-type", "application/json");
    let url = browser.at("/account/tokens");
    for (what, headers, token) in [
        ("no origin", vec![FORM], csrf.as_str()),
        ("another origin", vec![FORM, ("origin", "https://evil.example")], &csrf),
        ("a sandboxed frame", vec![FORM, ("origin", "null")], &csrf),
        ("another port", vec![FORM, ("origin", "http://127.0.0.1:1")], &csrf),
        ("a name like ours", vec![FORM, ("origin", "http://127.0.0.1.evil.example")], &csrf),
        ("another site", vec![FORM, ("sec-fetch-site", "cross-site")], &csrf),
        ("the same site only", vec![FORM, ("origin", &own), ("sec-fetch-site", "same-site")], &csrf),
        ("a typed address", vec![FORM, ("sec-fetch-site", "none")], &csrf),
        ("no token", vec![FORM, ("origin", &own)], ""),
        ("another token", vec![FORM, ("origin", &own)], &"A".repeat(43)),
        ("a form that says it is text", vec![("content-type", "text/plain"), ("origin", &own)], &csrf),
        ("JSON without the header", vec![json, ("origin", &own)], &csrf),
    ] {
        let page = browser.send(Method::POST, url.clone(), &headers, &fields(token)).await;
        assert_eq!(page.status, 403, "{what}");
    }
    // Every route that changes something, with the cookie and without the token; a route may not exist for
    // a method, but none works.
    for (method, path) in writes(&registry).await {
        let page = browser.send(method.clone(), browser.at(&path), &[FORM, ("origin", &own)], "").await;
        assert_eq!(page.status, 403, "{method} {path}: {}", page.text);
        let page = stranger.send(method.clone(), stranger.at(&path), &[FORM, ("origin", &own)], "").await;
        assert!(!(200..300).contains(&page.status), "{method} {path}: {}", page.status);
    }
    assert!(!browser.get("/account").await.text.contains("Revoke"), "nothing was made");
    let made = browser.post("/account/tokens", &[("csrf", &csrf), ("name", "x"), ("read", "on"), ("days", "1")]).await;
    assert_eq!(made.status, 200);
    assert!(browser.get("/account").await.text.contains("Revoke"));
}

#[tokio::test]
async fn people_make_tokens_that_allow_no_more_than_they_may() {
    let (registry, mut browser) = admin().await;
    let csrf = browser.csrf().await;
    for fields in [
        [("name", ""), ("read", "on"), ("days", "1"), ("packages", "*")],
        [("name", "a\nb"), ("read", "on"), ("days", "1"), ("packages", "*")],
        [("name", "x"), ("everything", "on"), ("days", "1"), ("packages", "*")],
        [("name", "x"), ("read", "on"), ("days", "91"), ("packages", "*")],
        [("name", "x"), ("read", "on"), ("days", "0"), ("packages", "*")],
        [("name", "x"), ("read", "on"), ("days", "1"), ("packages", "acme")],
    ] {
        let page = browser.post("/account/tokens", &[&fields[..], &[("csrf", &csrf)]].concat()).await;
        assert_eq!(page.status, 422, "{fields:?}");
    }
    let fields = [("csrf", csrf.as_str()), ("name", "<ci>"), ("publish", "on"), ("days", "7"), ("packages", "@acme/*")];
    let page = browser.post("/account/tokens", &fields).await;
    let token = page.text.split("<code>mpak_").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
    let token = format!("mpak_{token}");
    assert!(page.text.contains("&#60;ci&#62;") && page.headers["cache-control"] == "private, no-store");
    assert!(!browser.get("/account").await.text.contains(&token), "it is shown once");
    let me: Value = me(&registry, &token).await;
    assert_eq!(me["login"], "admin");
    assert_eq!(me["token"]["actions"], json!(["publish"]));
    for (name, status) in [("@acme/widget", 201), ("@other/widget", 403)] {
        let path = format!("{}/api/v1/packages/{name}/versions/1.0.0/artifacts/any", registry.url);
        let put = registry.client.put(path).bearer_auth(&token).body(bundle(name, "1.0.0"));
        assert_eq!(put.send().await.unwrap().status(), status, "{name}");
    }
    let id = me["token"]["id"].as_i64().unwrap();
    assert_eq!(browser.post(&format!("/account/tokens/{id}/revoke"), &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(browser.post("/account/tokens/1/revoke", &[("csrf", &csrf)]).await.status, 404, "not their own");
    let refused = registry.client.get(format!("{}/api/v1/me", registry.url)).bearer_auth(&token).send().await.unwrap();
    assert_eq!(refused.status(), 401);
}

async fn me(registry: &Registry, token: &str) -> Value {
    let answer = registry.client.get(format!("{}/api/v1/me", registry.url)).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
const CLIENT: (&str, &str) = ("client_id", "mpak-cli");

async fn ask(registry: &Registry, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let request = registry.client.post(format!("{}/api/v1/device/{path}", registry.url));
    let request = request.header(FORM.0, FORM.1).body(form(fields));
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn code(registry: &Registry, machine: &str) -> (String, String) {
    let (status, body) = ask(registry, "code", &[CLIENT, ("machine", machine)]).await;
    assert_eq!(status, 200, "{body}");
    (body["device_code"].as_str().unwrap().to_owned(), body["user_code"].as_str().unwrap().to_owned())
}

async fn poll(registry: &Registry, device: &str) -> Value {
    ask(registry, "token", &[CLIENT, GRANT, ("device_code", device)]).await.1
}

#[tokio::test]
async fn a_machine_is_connected_by_its_person_and_once() {
    let (registry, mut browser) = admin().await;
    let (device, user) = code(&registry, "<desk>").await;
    assert_eq!(poll(&registry, &device).await["error"], "authorization_pending");
    assert_eq!(poll(&registry, &device).await["error"], "slow_down");
    registry.wait_ms(2_000);
    assert_eq!(poll(&registry, &device).await["error"], "authorization_pending");
    // A stranger is sent to sign in; opening the page approves nothing, nor does a form of another site.
    let page = Browser::new(&registry).get(&format!("/device?user_code={user}")).await;
    assert_eq!(page.url.path(), "/sign-in");
    let page = browser.get(&format!("/device?user_code={}", user.to_lowercase())).await;
    assert!(page.text.contains("&#60;desk&#62;") && page.text.contains(&user), "{}", page.text);
    let csrf = page.field("csrf");
    let body = form(&[("csrf", &csrf), ("user_code", &user), ("decision", "approve")]);
    let from_elsewhere = [FORM, ("origin", "https://evil.example")];
    assert_eq!(browser.send(Method::POST, browser.at("/device"), &from_elsewhere, &body).await.status, 403);
    registry.wait_ms(2_000);
    assert_eq!(poll(&registry, &device).await["error"], "authorization_pending");
    let page = browser.post("/device", &[("csrf", &csrf), ("user_code", &user), ("decision", "approve")]).await;
    assert!(page.status == 200 && page.text.contains("The machine is connected"), "{}", page.text);
    let granted = poll(&registry, &device).await;
    let token = granted["access_token"].as_str().unwrap();
    assert_eq!((granted["token_type"].as_str(), granted["login"].as_str()), (Some("Bearer"), Some("admin")));
    assert_eq!(granted["expires_in"].as_i64().unwrap() / 86_400, 89, "at most 90 days");
    assert_eq!(me(&registry, token).await["token"]["name"], "mpak login on <desk>");
    assert_eq!(poll(&registry, &device).await["error"], "invalid_grant", "once");
    let again = browser.post("/device", &[("csrf", &csrf), ("user_code", &user), ("decision", "approve")]).await;
    assert_eq!(again.status, 404);
    // Its end.
    let end =
        |token: &str| registry.client.delete(format!("{}/api/v1/me/token", registry.url)).bearer_auth(token).send();
    assert_eq!(end(token).await.unwrap().status(), 204);
    assert_eq!(end(token).await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_machine_that_is_turned_away_late_or_wrong_gets_nothing() {
    let (registry, mut browser) = admin().await;
    let csrf = browser.csrf().await;
    let (device, user) = code(&registry, "desk").await;
    assert_eq!(
        browser.post("/device", &[("csrf", &csrf), ("user_code", &user), ("decision", "maybe")]).await.status,
        400
    );
    browser.post("/device", &[("csrf", &csrf), ("user_code", &user), ("decision", "deny")]).await;
    assert_eq!(poll(&registry, &device).await["error"], "access_denied");
    let (device, user) = code(&registry, "desk").await;
    registry.wait_ms(10 * 60_000);
    assert_eq!(poll(&registry, &device).await["error"], "expired_token");
    let late = browser.post("/device", &[("csrf", &csrf), ("user_code", &user), ("decision", "approve")]).await;
    assert_eq!(late.status, 404);
    for (fields, error) in [
        (vec![CLIENT, GRANT, ("device_code", "x")], "invalid_grant"),
        (vec![GRANT, ("device_code", "x")], "invalid_client"),
        (vec![CLIENT, ("grant_type", "password")], "unsupported_grant_type"),
    ] {
        let (status, body) = ask(&registry, "token", &fields).await;
        assert_eq!((status, body["error"].as_str()), (400, Some(error)));
    }
    assert_eq!(ask(&registry, "code", &[("client_id", "other")]).await.0, 400);
}

#[tokio::test]
async fn over_https_cookies_are_secure_and_bound_to_the_host() {
    let registry = Registry::start_with(|c| c.public_url = Some("https://registry.example".parse().unwrap())).await;
    let link = registry.sign_in_link().unwrap();
    assert!(link.starts_with("https://registry.example/auth/link?token="), "{link}");
    let mut browser = Browser::new(&registry);
    let page = browser.get(link.strip_prefix("https://registry.example").unwrap()).await;
    let fields = [("browser", page.field("browser")), ("token", page.field("token"))];
    let body = form(&fields.each_ref().map(|(n, v)| (*n, v.as_str())));
    let headers = [FORM, ("origin", "https://registry.example")];
    let page = browser.send(Method::POST, browser.at("/auth/link"), &headers, &body).await;
    assert_eq!(page.status, 303, "{}", page.text);
    let set = browser.set.iter().find(|line| line.starts_with("__Host-mpak_session=")).unwrap();
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains("Domain"), "{set}");
}

/// Behind a proxy, as a client of an address.
async fn code_from(registry: &Registry, client: &str) -> (u16, Value) {
    let request = registry.client.post(format!("{}/api/v1/device/code", registry.url));
    let request = request.header(FORM.0, FORM.1).header("x-forwarded-for", client).body(form(&[CLIENT]));
    let answer = request.send().await.unwrap();
    assert!(answer.status() == 200 || answer.headers().contains_key("retry-after"), "{}", answer.status());
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn the_machines_of_one_network_do_not_keep_others_out() {
    let registry = Registry::start_with(|c| c.rates.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    for (client, other_host, other_network) in
        [("203.0.113.7", "203.0.113.8", "203.0.114.7"), ("2001:db8:1:2::1", "2001:db8:1:3::9", "2001:db8:2::1")]
    {
        for n in 0..200 {
            assert_eq!(code_from(&registry, client).await.0, 200, "{n}");
        }
        let (status, body) = code_from(&registry, other_host).await;
        assert_eq!((status, body["error"].as_str()), (429, Some("temporarily_unavailable")), "{body}");
        assert!(body["error_description"].as_str().unwrap().contains("machines of your network"), "{body}");
        assert_eq!(code_from(&registry, other_network).await.0, 200);
    }
    registry.wait_ms(11 * 60_000);
    assert_eq!(code_from(&registry, "203.0.113.7").await.0, 200, "what ran out does not count");
}

async fn verification(registry: &Registry, url: &str, host: &str) -> (u16, Value) {
    let request = registry.client.post(format!("{url}/api/v1/device/code")).header("host", host);
    let answer = request.header(FORM.0, FORM.1).body(form(&[CLIENT])).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn people_are_sent_to_the_registry_whatever_the_request_says_its_name_is() {
    // On this machine only: its own address, or the loopback name that was asked for.
    let registry = Registry::start().await;
    let port = registry.url.rsplit(':').next().unwrap().to_owned();
    for (host, expect) in [
        ("evil.example", registry.url.clone()),
        (&*format!("evil.example:{port}"), registry.url.clone()),
        (&*format!("localhost.evil.example:{port}"), registry.url.clone()),
        ("localhost:1", registry.url.clone()),
        (&*format!("localhost:{port}"), format!("http://localhost:{port}")),
    ] {
        let (status, body) = verification(&registry, &registry.url, host).await;
        assert_eq!((status, &body["verification_uri"]), (200, &json!(format!("{expect}/device"))), "{host}: {body}");
        assert!(body["verification_uri_complete"].as_str().unwrap().starts_with(&expect), "{body}");
    }
    // For everybody, without a name of its own: nobody is sent anywhere, and told why.
    let registry = Registry::start_with(|c| c.listen = "0.0.0.0:0".parse().unwrap()).await;
    let url = registry.url.replace("0.0.0.0", "127.0.0.1");
    let port = url.rsplit(':').next().unwrap().to_owned();
    for host in ["evil.example".to_owned(), format!("203.0.113.7:{port}")] {
        let (status, body) = verification(&registry, &url, &host).await;
        assert_eq!(status, 400, "{body}");
        assert!(body["error_description"].as_str().unwrap().contains("`public_url`"), "{body}");
    }
    assert_eq!(verification(&registry, &url, &format!("127.0.0.1:{port}")).await.0, 200, "from its own machine");
    // As configured.
    let registry = Registry::start_with(|c| c.public_url = Some("https://registry.example/".parse().unwrap())).await;
    let (_, body) = verification(&registry, &registry.url, "evil.example").await;
    assert_eq!(body["verification_uri"], "https://registry.example/device");
}

/// Programs that sign in know the errors of RFC 8628 only.
#[tokio::test]
async fn what_is_no_form_is_an_invalid_request_in_the_words_of_the_device_flow() {
    let registry = Registry::start().await;
    for path in ["/api/v1/device/code", "/api/v1/device/token"] {
        let asked = registry.client.post(format!("{}{path}", registry.url)).header("content-type", "application/json");
        let answer = asked.body("{}").send().await.unwrap();
        assert_eq!(answer.status(), 400, "{path}");
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told["error"], "invalid_request", "{path}: {told}");
        assert!(told["error_description"].as_str().unwrap().contains("form"), "{path}: {told}");
    }
}

/// A byte now and then would hold a request for ever.
#[tokio::test]
async fn a_form_that_does_not_arrive_is_refused() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let registry = Registry::start_with(|c| c.body_idle_timeout = std::time::Duration::from_secs(1)).await;
    let mut browser = Browser::new(&registry);
    browser.follow(&registry.sign_in_link().unwrap()).await;
    let session = browser.session().unwrap();
    let host = registry.url.strip_prefix("http://").unwrap();
    let mut slow = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /sign-out HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\nsec-fetch-site: same-origin\r\n\
         cookie: mpak_session={session}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: 1000\r\nconnection: close\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = slow.into_split();
    let trickle = tokio::spawn(async move {
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    let mut answer = [0; 12];
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), reading.read_exact(&mut answer)).await;
    read.expect("it ends").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400", "{}", String::from_utf8_lossy(&answer));
    trickle.abort();
}

#[tokio::test]
async fn the_local_administrators_tokens_end_where_a_provider_decides() {
    let mut registry = Registry::start().await;
    let mut browser = Browser::new(&registry);
    browser.follow(&registry.sign_in_link().unwrap()).await;
    let csrf = browser.csrf().await;
    let fields = [("csrf", &*csrf), ("name", "old"), ("admin", "on"), ("packages", "*"), ("days", "90")];
    let made = browser.post("/account/tokens", &fields).await;
    let (_, rest) = made.text.split_once("mpak_").unwrap_or_else(|| panic!("{}", made.text));
    let token = format!("mpak_{}", &rest[..43]);
    let me = async |registry: &Registry| {
        let request = registry.client.get(format!("{}/api/v1/me", registry.url)).bearer_auth(&token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(me(&registry).await, 200);
    registry.restart().await;
    assert_eq!(me(&registry).await, 200, "without a provider they go on");
    registry.change_for_next_start(crate::sign_in::by("https://id.example"));
    registry.restart().await;
    assert_eq!(me(&registry).await, 401);
    assert_eq!(
        registry.put("@acme/widget", "1.0.0", "any", bundle("@acme/widget", "1.0.0")).send().await.unwrap().status(),
        201,
        "the operator's own goes on"
    );
}
