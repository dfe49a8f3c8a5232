//! Metrics, on a port of their own.

use reqwest::Method;

use crate::world::{Registry, bundle};

async fn told(registry: &Registry) -> String {
    let response = registry.client.get(format!("{}/metrics", registry.metrics_url())).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    response.text().await.unwrap()
}

fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let line = text.lines().find(|l| {
        let rest = l.strip_prefix(name);
        rest.is_some_and(|r| r.starts_with(['{', ' '])) && labels.iter().all(|label| l.contains(label))
    })?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test]
async fn requests_publishes_and_the_stock_are_counted() {
    let registry = Registry::start_with(|c| c.metrics_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let bytes = bundle("@acme/widget", "1.0.0");
    registry.publish("@acme/widget", "1.0.0", "any", &bytes).await;
    assert_eq!(registry.put("@acme/widget", "1.0.0", "any", bytes.clone()).send().await.unwrap().status(), 200);
    assert_eq!(registry.put("@acme/widget", "1.1.0", "any", "no bundle").send().await.unwrap().status(), 422);
    // What becomes of a version later is no publish.
    let yank = format!("{}/api/v1/packages/@acme/widget/versions/1.0.0/yank", registry.url);
    let deprecation = format!("{}/api/v1/packages/@acme/widget/deprecation", registry.url);
    for (url, body) in [(yank, "{}"), (deprecation, "{\"message\": \"old\"}")] {
        let done = registry.client.put(url).bearer_auth(&registry.token).body(body).send().await.unwrap();
        assert_eq!(done.status(), 200);
    }
    for _ in 0..3 {
        registry.get("/v1/bundles/@acme/widget").await;
    }
    registry.get("/nowhere/at/all").await;
    let odd = Method::from_bytes(b"BREW").unwrap();
    registry.client.request(odd, format!("{}/health", registry.url)).send().await.unwrap();

    let text = told(&registry).await;
    let requests = |labels: &[&str]| value(&text, "http_requests_total", labels);
    let detail = "route=\"/v1/bundles/{scope}/{name}\"";
    assert_eq!(requests(&["method=\"GET\"", detail, "status=\"200\""]), Some(3.0), "{text}");
    assert_eq!(requests(&["method=\"GET\"", "route=\"/*\"", "status=\"404\""]), Some(1.0), "{text}");
    assert!(requests(&["method=\"OTHER\""]).is_some(), "{text}");
    assert!(
        !text.contains("acme") && !text.contains("BREW") && !text.contains("nowhere"),
        "labels are bounded: {text}"
    );
    let bucket = |le: &str| value(&text, "http_request_duration_seconds_bucket", &[detail, &format!("le=\"{le}\"")]);
    for le in ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"] {
        assert!(bucket(le).is_some(), "{le}: {text}");
    }
    assert_eq!(bucket("+Inf"), Some(3.0));
    for (outcome, count) in [("created", 1.0), ("accepted", 1.0), ("refused", 1.0)] {
        let label = format!("outcome=\"{outcome}\"");
        assert_eq!(value(&text, "mpak_publishes_total", &[&label]), Some(count), "{text}");
    }
    assert_eq!(value(&text, "mpak_jobs", &["state=\"queued\""]), Some(1.0));
    assert_eq!(value(&text, "mpak_jobs", &["state=\"failed\""]), Some(0.0));
    assert_eq!(value(&text, "mpak_blob_bytes", &[]), Some(f64::from(u32::try_from(bytes.len()).unwrap())));
    assert_eq!((value(&text, "mpak_blobs", &[]), value(&text, "mpak_packages", &[])), (Some(1.0), Some(1.0)));
    assert!(value(&text, "mpak_database_connections", &[]).unwrap() >= 1.0);
    if cfg!(target_os = "linux") {
        assert!(value(&text, "process_resident_memory_bytes", &[]).unwrap() > 1e6);
        assert!(value(&text, "process_open_fds", &[]).unwrap() > 3.0);
    }
}

#[tokio::test]
async fn they_are_not_told_on_the_port_of_the_registry_and_the_registry_not_on_theirs() {
    let registry = Registry::start_with(|c| c.metrics_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    assert_eq!(registry.get("/metrics").await.status(), 404);
    let other = registry.client.get(format!("{}/v1/bundles/search", registry.metrics_url())).send().await.unwrap();
    assert_eq!(other.status(), 404);
}
