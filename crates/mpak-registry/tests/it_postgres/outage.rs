//! The database goes away, comes back, and loses connections in the middle.

use std::sync::Arc;
use std::time::Duration;

use mpak_testkit::postgres::{Database, Server};

use crate::replicas::{Site, two, within};
use crate::world::{bundle, manifest};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_gone_answers_say_so_and_afterwards_all_goes_on() {
    let server = Arc::new(Server::start());
    let site = Site::on(Database::create_on(&server));
    let replica = site.replica().await;
    let token = replica.first_token().unwrap();
    let publish = async |version: &str| {
        let sent = replica.put(&token, "@acme/widget", version, bundle("@acme/widget", version)).send().await.unwrap();
        let retry_after = sent.headers().contains_key("retry-after");
        (sent.status().as_u16(), retry_after, sent.json::<serde_json::Value>().await.unwrap())
    };
    assert_eq!(publish("1.0.0").await.0, 201);
    assert_eq!(replica.get("/ready").await.0, 200);

    server.stop();
    let (status, body) = replica.get("/ready").await;
    assert_eq!((status, &body["error"]["code"]), (503, &"SERVICE_UNAVAILABLE".into()));
    assert!(body["error"]["message"].as_str().unwrap().contains("database"), "{body}");
    assert_eq!(replica.get("/health").await.0, 200, "the process itself answers");
    let (status, body) = replica.get("/v1/bundles/@acme/unknown").await;
    assert_eq!((status, &body["error"]["code"]), (503, &"SERVICE_UNAVAILABLE".into()), "it may be there");
    assert_eq!(replica.get("/v1/bundles/@acme/widget").await.0, 200, "what is known needs no database");
    let (status, page) = replica.page("/packages/@acme/widget").await;
    assert_eq!(status, 503);
    assert!(page.contains("cannot answer now"), "{page}");
    let (status, retry_after, body) = publish("1.1.0").await;
    assert_eq!((status, retry_after, &body["error"]["code"]), (503, true, &"SERVICE_UNAVAILABLE".into()));
    assert_eq!(replica.get("/v1/bundles/search").await.1["total"], 1, "search needs no database");

    assert!(server.go_on());
    let back = within(Duration::from_secs(10), async || (replica.get("/ready").await.0 == 200).then_some(()));
    assert!(back.await.is_some(), "without a restart");
    assert_eq!(replica.get("/v1/bundles/@acme/widget").await.1["latest_version"], "1.0.0");
    assert_eq!(publish("1.1.0").await.0, 201, "what was refused was not half done");
    assert_eq!(site.database.number("SELECT count(*) FROM artifacts"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_under_publishes_and_reads_leave_no_half_and_no_double() {
    let site = Site::new();
    let (one, two, token) = two(&site).await;
    let mut sends = Vec::new();
    for n in 0..40 {
        let replica = if n % 2 == 0 { &one } else { &two };
        let name = format!("@acme/p{n}");
        let request = replica.put(&token, &name, "1.0.0", bundle(&name, "1.0.0"));
        sends.push(tokio::spawn(async move {
            let began = std::time::Instant::now();
            while began.elapsed() < Duration::from_mins(1) {
                let sent = request.try_clone().unwrap().send().await.unwrap();
                match sent.status().as_u16() {
                    200 | 201 => return,
                    status => {
                        let body = sent.text().await.unwrap();
                        assert_eq!(status, 503, "{body}");
                        assert!(body.contains("SERVICE_UNAVAILABLE"), "{body}");
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            panic!("not published in the end");
        }));
    }
    let (mut ended, mut pause_ms) = (0, 30);
    while sends.iter().any(|s| !s.is_finished()) {
        ended += site.database.end_connections();
        let (status, body) = one.get("/v1/bundles/@acme/p0").await;
        assert!([200, 404, 503].contains(&status), "{status}: {body}");
        // On a busy machine nothing is done between two ends that are near to each other.
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        pause_ms += 10;
    }
    for send in sends {
        send.await.unwrap();
    }
    assert!(ended > 0, "connections were ended");
    assert_eq!(site.database.number("SELECT count(*) FROM artifacts"), 40);
    assert_eq!(site.database.number("SELECT count(*) FROM events WHERE kind = 'artifact_published'"), 40);
    for replica in [&one, &two] {
        let all = within(Duration::from_secs(5), async || {
            (replica.get("/v1/bundles/search").await.1["total"] == 40).then_some(())
        });
        assert!(all.await.is_some(), "both replicas find all");
    }
}

#[tokio::test]
async fn a_stopped_writer_makes_others_wait_for_a_while_and_not_for_ever() {
    let site = Site::new();
    let replica = site.replica().await;
    let token = replica.first_token().unwrap();
    // Another program holds the write turn for longer than anybody waits.
    let holder = site.database.hold("SELECT pg_advisory_lock(1836081515)");
    let bytes = bundle("@acme/widget", "1.0.0");
    let sent = replica.put(&token, "@acme/widget", "1.0.0", bytes.clone()).send().await.unwrap();
    assert_eq!(sent.status(), 503);
    assert_eq!(replica.get("/v1/bundles/search").await.0, 200, "reads go on");
    drop(holder);
    let sent = replica.put(&token, "@acme/widget", "1.0.0", bytes).send().await.unwrap();
    assert_eq!(sent.status(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_answered_while_many_writers_wait() {
    let site = Site::new();
    let replica = site.replica().await;
    let token = replica.first_token().unwrap();
    let first = replica.put(&token, "@acme/widget", "1.0.0", bundle("@acme/widget", "1.0.0")).send().await.unwrap();
    assert_eq!(first.status(), 201);
    let holder = site.database.hold("SELECT pg_advisory_lock(1836081515)");
    // More than there are connections to the database.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let writers: Vec<_> = (0..64)
        .map(|n| {
            let path = format!("{}/api/v1/packages/@acme/widget/versions/1.0.0/yank", replica.url);
            let request = client.put(path).bearer_auth(&token).body(format!("{{\"reason\":\"{n}\"}}"));
            tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!writers.iter().any(tokio::task::JoinHandle::is_finished), "they wait for the write turn");
    let began = std::time::Instant::now();
    for path in ["/v1/bundles/@acme/widget", "/api/v1/packages/@acme/widget", "/index/v1/@acme/widget.json", "/ready"] {
        let (status, body) = replica.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(!writers.iter().any(tokio::task::JoinHandle::is_finished), "all the while");
    drop(holder);
    for writer in writers {
        assert_eq!(writer.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn texts_that_postgresql_cannot_keep_are_kept_without_the_character() {
    let site = Site::new();
    let replica = site.replica().await;
    let token = replica.first_token().unwrap();
    let mut described = manifest("@acme/widget", "1.0.0");
    described["description"] = "a\u{0}b".into();
    let mut zip = mpak_testkit::zip::ZipBuilder::with_manifest(&described);
    zip.file("README.md", "# Wid\u{0}get");
    let sent = replica.put(&token, "@acme/widget", "1.0.0", zip.build()).send().await.unwrap();
    let (status, body) = (sent.status().as_u16(), sent.text().await.unwrap());
    assert!(status == 201 || status == 422, "{status}: {body}");
    let mut zip = mpak_testkit::zip::ZipBuilder::with_manifest(&manifest("@acme/plain", "1.0.0"));
    zip.file("README.md", "# Wid\u{0}get");
    let sent = replica.put(&token, "@acme/plain", "1.0.0", zip.build()).send().await.unwrap();
    assert_eq!(sent.status(), 201);
    assert_eq!(replica.page("/packages/@acme/plain").await.0, 200);
    for path in
        ["/v1/bundles/@acme/a%00b", "/packages/@acme/a%00b", "/v1/bundles/search?q=%00", "/v1/servers?search=%00"]
    {
        assert!(replica.page(path).await.0 < 500, "{path}");
    }
}
