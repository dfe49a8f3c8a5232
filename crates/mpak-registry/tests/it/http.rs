//! The server itself: readiness, slow and hostile connections, shutdown.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{Registry, bundle, bundle_of, bundle_with, checklist, manifest};

async fn connect(registry: &Registry) -> TcpStream {
    TcpStream::connect(registry.url.strip_prefix("http://").unwrap()).await.unwrap()
}

async fn talk(registry: &Registry, request: &[u8]) -> String {
    let mut stream = connect(registry).await;
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn ready_means_database_and_blobs() {
    let registry = Registry::start().await;
    assert_eq!(registry.json("/ready").await["status"], "ready");
    let blobs = registry.data().join("blobs/sha256");
    std::fs::rename(&blobs, registry.data().join("blobs/elsewhere")).unwrap();
    let response = registry.get("/ready").await;
    assert_eq!(response.status(), 503);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "SERVICE_UNAVAILABLE");
    assert!(!body.to_string().contains("blobs/"), "causes are not shown: {body}");
    assert_eq!(registry.get("/health").await.status(), 200);
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let registry = Registry::start().await;
    let id = async || registry.get("/health").await.headers()["x-request-id"].clone();
    assert_ne!(id().await, id().await);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let registry = Registry::start_with(|c| c.header_timeout = Duration::from_millis(200)).await;
    let began = Instant::now();
    let answer = talk(&registry, b"GET /health HTTP/1.1\r\nHost: x\r\n").await;
    assert!(began.elapsed() < Duration::from_secs(4), "closed after {:?}", began.elapsed());
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn a_request_id_of_the_client_is_kept_when_it_can_stand_in_a_log() {
    let registry = Registry::start().await;
    let ask = async |id: &str| {
        let request = registry.client.get(format!("{}/health", registry.url)).header("x-request-id", id);
        request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(ask("abc-123_x.Y").await, "abc-123_x.Y");
    for hostile in ["", "a b", "a=b\tc", "\"}", &"a".repeat(65)] {
        let given = ask(hostile).await;
        assert!(given != hostile && !given.is_empty(), "{hostile}: {given}");
    }
}

#[tokio::test]
async fn a_connection_without_a_next_request_is_closed() {
    let registry = Registry::start_with(|c| c.header_timeout = Duration::from_millis(300)).await;
    let began = Instant::now();
    let answer = talk(&registry, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(began.elapsed() >= Duration::from_millis(200), "it is kept open for a while");
    assert!(began.elapsed() < Duration::from_secs(4), "closed after {:?}", began.elapsed());
}

#[tokio::test]
async fn hostile_heads_are_refused() {
    let registry = Registry::start().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(200_000));
    assert!(!talk(&registry, long.as_bytes()).await.contains("200 OK"));
    assert!(talk(&registry, b"nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    assert_eq!(registry.get("/health").await.status(), 200);
}

#[tokio::test]
async fn addresses_come_from_the_host_header_or_the_configuration() {
    let registry = Registry::start().await;
    registry.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    let path = "/v1/bundles/@acme/widget/versions/1.0.0/download";
    for (host, expect) in [
        ("registry.example:8080", "http://registry.example:8080/blobs/"),
        ("user@evil.example", registry.url.as_str()),
        ("evil.example/path", registry.url.as_str()),
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
        let answer = talk(&registry, request.as_bytes()).await;
        assert!(answer.contains(&format!("\"url\":\"{expect}")), "{host}: {answer}");
    }
    let behind = Registry::start_with(|c| c.public_url = Some("https://mpak.example/".parse().unwrap())).await;
    let published = behind.publish("@acme/widget", "1.0.0", "any", &bundle("@acme/widget", "1.0.0")).await;
    assert_eq!(published["url"], "https://mpak.example/packages/@acme/widget");
}

#[tokio::test]
async fn accepted_requests_finish_when_the_server_stops() {
    let mut registry = Registry::start().await;
    let bytes = bundle("@acme/widget", "1.0.0");
    let mut stream = connect(&registry).await;
    let head = format!(
        "PUT /api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        registry.token,
        bytes.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes[..10]).await.unwrap();
    while std::fs::read_dir(registry.data().join("tmp")).unwrap().count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let idle = connect(&registry).await;
    let finish = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(&bytes[10..]).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let began = Instant::now();
    let (answer, ()) = tokio::join!(finish, registry.stop());
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(5), "idle connections do not hold it up: {:?}", began.elapsed());
    drop(idle);
}

#[tokio::test]
async fn requests_that_never_end_do_not_hold_up_the_stop_for_ever() {
    let mut registry = Registry::start_with(|c| c.shutdown_timeout = Duration::from_millis(300)).await;
    let mut stream = connect(&registry).await;
    let head = format!(
        "PUT /api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {}\r\nContent-Length: 99\r\n\r\n",
        registry.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    while std::fs::read_dir(registry.data().join("tmp")).unwrap().count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    registry.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// One of the databases keeps no NUL; a text with one is the asker's mistake, not ours.
#[tokio::test]
async fn a_nul_is_no_fault_of_ours() {
    let registry = checklist().await;
    for path in [
        "/v1/bundles/@acme/widget/versions/%00",
        "/v1/bundles/@acme/widget/versions/%00/download",
        "/packages/@acme/widget/%00",
        "/packages/%00/widget",
        "/v1/servers/@acme%2Fwidget/versions/%00",
        "/v0.1/servers/@acme%2Fwidget/versions/%00",
        "/v0.1/servers?version=%00",
        "/v0.1/servers?search=%00",
        "/v1/servers/search?q=%00",
        "/v1/bundles/search?q=%00",
        "/search?q=%00",
        "/controls/%00",
        "/index/v1/@acme/%00.json",
        "/device?user_code=%00",
        "/auth/link?token=%00",
    ] {
        let response = registry.client.get(format!("{}{path}", registry.url)).send().await.unwrap();
        assert!(!response.status().is_server_error(), "{path}: {}", response.status());
    }
    for (at, name) in [("description", "@acme/n0"), ("display_name", "@acme/n1"), ("license", "@acme/n2")] {
        let mut manifest = manifest(name, "1.0.0");
        manifest[at] = serde_json::json!("a\u{0}b");
        let response = registry.put(name, "1.0.0", "any", bundle_of(&manifest)).send().await.unwrap();
        assert!(!response.status().is_server_error(), "{at}: {}", response.text().await.unwrap());
    }
    let readme = bundle_with("@acme/n5", "1.0.0", "README.md", b"a\0b");
    let response = registry.put("@acme/n5", "1.0.0", "any", readme).send().await.unwrap();
    assert!(!response.status().is_server_error(), "{}", response.text().await.unwrap());
}

#[tokio::test]
async fn claims_refuse_in_the_family_of_programs() {
    let registry = Registry::start().await;
    let at = |path: &str| format!("{}/app/{path}", registry.url);
    let large = registry.client.post(at("packages/@acme/widget/claim")).body("x".repeat(100 << 10));
    let unknown = registry.client.get(at("nothing")).header("accept", "text/html");
    for (request, status) in [(large, 413), (unknown, 404)] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
        let body: Value = response.json().await.unwrap();
        assert!(body["error"]["code"].is_string() || body["statusCode"] == 404, "{body}");
    }
}
