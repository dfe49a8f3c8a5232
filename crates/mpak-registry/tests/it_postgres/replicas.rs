//! Several servers with one database and one storage.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use mpak_registry::admin;
use mpak_registry::clock::Clock;
use mpak_registry::config::{Config, Database, Secret, Storage};
use mpak_registry::{Running, start};
use mpak_testkit::postgres;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use crate::world::{DAY_MS, START_MS, bundle, bundle_with};

/// What replicas share, and their clock.
pub(crate) struct Site {
    pub(crate) database: postgres::Database,
    folder: tempfile::TempDir,
    now_ms: Arc<AtomicI64>,
    client: Client,
    replicas: AtomicI64,
}

/// One of them.
pub(crate) struct Replica {
    running: Running,
    pub(crate) url: String,
    pub(crate) data: PathBuf,
    client: Client,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::on(postgres::Database::create())
    }

    pub(crate) fn on(database: postgres::Database) -> Self {
        Self {
            database,
            folder: tempfile::tempdir().unwrap(),
            now_ms: Arc::new(AtomicI64::new(START_MS)),
            client: Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap(),
            replicas: AtomicI64::new(0),
        }
    }

    /// A configuration with a data folder of its own and the shared storage.
    fn config(&self, change: impl FnOnce(&mut Config)) -> Config {
        let number = self.replicas.fetch_add(1, Ordering::SeqCst);
        let data = self.folder.path().join(format!("replica-{number}"));
        let mut config = Config::new(data, "127.0.0.1:0".parse().unwrap());
        config.database = Database::Postgres(Secret::new(self.database.url()));
        config.storage = Storage::local(&self.folder.path().join("blobs"));
        config.rates.publishes_per_minute = 0;
        config.rates.reads_per_minute = Some(0);
        config.scanning.enabled = false;
        let now_ms = Arc::clone(&self.now_ms);
        config.clock = Clock::from_fn(move || now_ms.fetch_add(1, Ordering::SeqCst));
        change(&mut config);
        config
    }

    pub(crate) async fn replica(&self) -> Replica {
        self.replica_with(|_| {}).await
    }

    pub(crate) async fn replica_with(&self, change: impl FnOnce(&mut Config)) -> Replica {
        let config = self.config(change);
        let data = config.data.clone();
        let running = start(config).await.unwrap();
        Replica { url: format!("http://{}", running.address()), running, data, client: self.client.clone() }
    }

    fn wait_ms(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Replica {
    pub(crate) fn put(&self, token: &str, name: &str, version: &str, bytes: impl Into<Vec<u8>>) -> RequestBuilder {
        let path = format!("{}/api/v1/packages/{name}/versions/{version}/artifacts/any", self.url);
        self.client.put(path).bearer_auth(token).body(bytes.into())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}{path}", self.url)).header("accept", "application/json");
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let request = self.client.get(format!("{}{path}", self.url)).header("accept", "text/html");
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) fn first_token(&self) -> Option<String> {
        self.running.first_token().map(str::to_owned)
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

/// Two replicas, and a token.
pub(crate) async fn two(site: &Site) -> (Replica, Replica, String) {
    let one = site.replica().await;
    let token = one.first_token().unwrap();
    (one, site.replica().await, token)
}

/// Waits until a question has an answer.
pub(crate) async fn within<T>(limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        if began.elapsed() > limit {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_on_an_empty_database_agree_on_one_first_token() {
    let site = Site::new();
    let (one, two, three) = tokio::join!(site.replica(), site.replica(), site.replica());
    let replicas = [one, two, three];
    let tokens: Vec<String> = replicas.iter().filter_map(Replica::first_token).collect();
    assert_eq!(tokens.len(), 1, "one replica made it");
    let files: Vec<_> = replicas.iter().filter(|r| r.data.join("first-token").exists()).collect();
    assert_eq!(files.len(), 1, "one replica wrote it down");
    assert_eq!(site.database.number("SELECT count(*) FROM tokens"), 1);
    for (n, replica) in replicas.iter().enumerate() {
        let name = format!("@acme/p{n}");
        let sent = replica.put(&tokens[0], &name, "1.0.0", bundle(&name, "1.0.0")).send().await.unwrap();
        assert_eq!(sent.status(), 201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_publishes_the_other_finds_and_serves() {
    let site = Site::new();
    let (one, two, token) = two(&site).await;
    let bytes = bundle("@acme/widget", "1.0.0");
    assert_eq!(one.put(&token, "@acme/widget", "1.0.0", bytes.clone()).send().await.unwrap().status(), 201);
    assert_eq!(one.get("/v1/bundles/search").await.1["total"], 1, "its own publisher sees it at once");
    let download = two.get("/v1/bundles/@acme/widget/versions/1.0.0/download").await.1;
    let url = download["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&two.url), "{url}");
    assert_eq!(two.client.get(url).send().await.unwrap().bytes().await.unwrap(), bytes);
    let found = within(Duration::from_secs(2), async || {
        let search = two.get("/v1/bundles/search?q=widget").await.1;
        (search["total"] == 1).then_some(search)
    });
    assert_eq!(found.await.expect("found on the other replica")["bundles"][0]["latest_version"], "1.0.0");
    let next = bundle("@acme/widget", "1.1.0");
    assert_eq!(two.put(&token, "@acme/widget", "1.1.0", next).send().await.unwrap().status(), 201);
    let followed = within(Duration::from_secs(2), async || {
        let search = one.get("/v1/bundles/search").await.1;
        (search["bundles"][0]["latest_version"] == "1.1.0").then_some(())
    });
    assert!(followed.await.is_some(), "changes are followed, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloads_of_one_replica_are_seen_on_the_other_and_added_up_exactly() {
    let site = Site::new();
    let (one, two, token) = two(&site).await;
    let bytes = bundle("@acme/widget", "1.0.0");
    assert_eq!(one.put(&token, "@acme/widget", "1.0.0", bytes).send().await.unwrap().status(), 201);
    for n in 0..10 {
        let replica = if n < 7 { &one } else { &two };
        assert_eq!(replica.get("/v1/bundles/@acme/widget/versions/1.0.0/download").await.0, 200);
    }
    for replica in [&one, &two] {
        let counted = within(Duration::from_secs(3), async || {
            (replica.get("/v1/bundles/@acme/widget").await.1["downloads"] == 10).then_some(())
        });
        assert!(counted.await.is_some(), "{}", replica.get("/v1/bundles/@acme/widget").await.1);
    }
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    for replica in [&one, &two] {
        assert_eq!(replica.get("/v1/bundles/@acme/widget").await.1["downloads"], 10, "nothing is added twice");
    }
    one.stop().await;
    two.stop().await;
    assert_eq!(site.database.number("SELECT CAST(sum(count) AS BIGINT) FROM downloads"), 10);
}

/// The other replica counted the download, and nobody else knows of it for the next moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_downloaded_from_another_replica_a_moment_ago_is_not_deleted() {
    let site = Site::new();
    let (one, two, token) = two(&site).await;
    let manager = {
        let (config, clock) = (site.config(|_| {}), site.config(|_| {}).clock);
        let made = move || {
            let packages = ["@acme/widget".to_owned()];
            admin::create_token_for(&config, "t", &["manage"], &packages, 90, &clock).unwrap().token
        };
        tokio::task::spawn_blocking(made).await.unwrap()
    };
    for version in ["1.0.0", "1.1.0"] {
        let bytes = bundle("@acme/widget", version);
        assert_eq!(one.put(&token, "@acme/widget", version, bytes).send().await.unwrap().status(), 201);
    }
    site.wait_ms(4 * DAY_MS);
    let delete = async |version: &str| {
        let path = format!("{}/api/v1/packages/@acme/widget/versions/{version}", two.url);
        let answer = two.client.delete(path).bearer_auth(&manager).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(one.get("/v1/bundles/@acme/widget/versions/1.0.0/download").await.0, 200);
    let (status, told) = delete("1.0.0").await;
    assert!(status == 403 && told.contains("downloaded 1 times"), "{status} {told}");
    let (status, told) = delete("1.1.0").await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(one.get("/v1/bundles/@acme/widget/versions/1.0.0/download").await.0, 200);
}

/// Nobody waits for counts who may not delete: a wait would tell of what is held. Here all that wait stand still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_delete_is_told_so_before_anything_is_waited_for() {
    let site = Site::new();
    let (one, two, token) = two(&site).await;
    let stranger = {
        let (config, clock) = (site.config(|_| {}), site.config(|_| {}).clock);
        let packages = ["@other/thing".to_owned()];
        let made = move || admin::create_token_for(&config, "t", &["manage"], &packages, 90, &clock).unwrap().token;
        tokio::task::spawn_blocking(made).await.unwrap()
    };
    let bytes = bundle("@acme/widget", "1.0.0");
    assert_eq!(one.put(&token, "@acme/widget", "1.0.0", bytes).send().await.unwrap().status(), 201);
    site.wait_ms(4 * DAY_MS);
    let _turn = tokio::task::block_in_place(|| site.database.hold("SELECT pg_advisory_lock(1836081515)"));
    for name in ["@acme/widget", "@acme/nothing"] {
        let path = format!("{}/api/v1/packages/{name}/versions/1.0.0", two.url);
        let answer = two.client.delete(path).bearer_auth(&stranger).send().await.unwrap();
        assert!([403, 404].contains(&answer.status().as_u16()), "{name}: {}", answer.text().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_publishers_on_two_replicas_exactly_one_wins() {
    let site = Site::new();
    let (one, two, token) = two(&site).await;
    let sends = (0..10_u8).map(|n| {
        let replica = if n % 2 == 0 { &one } else { &two };
        let bytes = bundle_with("@acme/widget", "1.0.0", "n", &[n]);
        let request = replica.put(&token, "@acme/widget", "1.0.0", bytes);
        tokio::spawn(async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        })
    });
    let mut answers = Vec::new();
    for send in sends.collect::<Vec<_>>() {
        answers.push(send.await.unwrap());
    }
    let won: Vec<_> = answers.iter().filter(|(status, _)| *status == 201).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|(s, b)| *s == 201 || b["error"]["code"] == "VERSION_IMMUTABLE"), "{answers:?}");
    for replica in [&one, &two] {
        let download = replica.get("/v1/bundles/@acme/widget/versions/1.0.0/download").await.1;
        assert_eq!(download["bundle"]["sha256"], won[0].1["sha256"]);
    }
    assert_eq!(site.database.number("SELECT count(*) FROM artifacts"), 1);
    assert_eq!(site.database.number("SELECT count(*) FROM events WHERE kind = 'artifact_published'"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_on_two_replicas_at_once_are_published_once() {
    let site = Site::new();
    let (one, two, token) = two(&site).await;
    let bytes = bundle("@acme/widget", "1.0.0");
    let sends = (0..10).map(|n| {
        let replica = if n % 2 == 0 { &one } else { &two };
        let request = replica.put(&token, "@acme/widget", "1.0.0", bytes.clone());
        tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
    });
    let mut statuses = Vec::new();
    for send in sends.collect::<Vec<_>>() {
        statuses.push(send.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 9].as_slice(), &[201]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_all_replicas_have_one_order_and_none_is_missed() {
    let site = Arc::new(Site::new());
    let (one, two, token) = two(&site).await;
    let watcher = site.replica().await;
    // Somebody who remembers the last number, and how many there were up to it.
    let stop = Arc::new(AtomicBool::new(false));
    let follower = {
        let (site, stop) = (Arc::clone(&site), Arc::clone(&stop));
        tokio::task::spawn_blocking(move || {
            let (mut looks, mut late, mut last, mut count) = (0, Vec::new(), 0, 0);
            while !stop.load(Ordering::SeqCst) {
                let both =
                    |up_to: &str| format!("SELECT coalesce(max(seq), 0) * 1000000 + count(*) FROM events {up_to}");
                let again = site.database.number(&both(&format!("WHERE seq <= {last}"))) % 1_000_000;
                if again != count {
                    late.push(last);
                }
                let now = site.database.number(&both(""));
                (looks, last, count) = (looks + 1, now / 1_000_000, now % 1_000_000);
            }
            (looks, late)
        })
    };
    let sends = (0..60).map(|n| {
        let replica = if n % 2 == 0 { &one } else { &two };
        let name = format!("@acme/p{n}");
        let request = replica.put(&token, &name, "1.0.0", bundle(&name, "1.0.0"));
        tokio::spawn(async move { assert_eq!(request.send().await.unwrap().status(), 201) })
    });
    for send in sends.collect::<Vec<_>>() {
        send.await.unwrap();
    }
    for replica in [&one, &two, &watcher] {
        let all = within(Duration::from_secs(3), async || {
            (replica.get("/v1/bundles/search").await.1["total"] == 60).then_some(())
        });
        assert!(all.await.is_some(), "{}", replica.get("/v1/bundles/search").await.1["total"]);
    }
    // Whoever followed the numbers while they were given saw none appear below one that was there before.
    stop.store(true, Ordering::SeqCst);
    let (looks, late) = follower.await.unwrap();
    assert!(looks > 5, "{looks} looks");
    assert_eq!(late, Vec::<i64>::new(), "numbers that came after higher ones");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_scanned_once_by_whichever_replica() {
    let site = Site::new();
    let one = site.replica_with(|c| c.scanning.enabled = true).await;
    let two = site.replica_with(|c| c.scanning.enabled = true).await;
    let token = one.first_token().unwrap();
    for n in 0..12 {
        let name = format!("@acme/p{n}");
        let replica = if n % 2 == 0 { &one } else { &two };
        let sent = replica.put(&token, &name, "1.0.0", bundle(&name, "1.0.0")).send().await.unwrap();
        assert_eq!(sent.status(), 201);
    }
    let done =
        within(Duration::from_mins(1), async || (site.database.number("SELECT count(*) FROM jobs") == 0).then_some(()));
    assert!(done.await.is_some());
    assert_eq!(site.database.number("SELECT count(*) FROM events WHERE kind = 'scanned'"), 12);
    assert_eq!(site.database.number("SELECT count(*) FROM scans"), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_of_a_killed_worker_is_taken_up_when_its_lease_ends_and_not_before() {
    let site = Site::new();
    let one = site.replica().await;
    let token = one.first_token().unwrap();
    let bytes = bundle("@acme/widget", "1.0.0");
    assert_eq!(one.put(&token, "@acme/widget", "1.0.0", bytes).send().await.unwrap().status(), 201);
    // As a worker leaves it that is killed right after it took the job.
    let until = START_MS + 60_000;
    let taken = format!("UPDATE jobs SET state = 'running', attempts = 1, leased_until_ms = {until}");
    assert_eq!(site.database.execute(&taken), 1);
    let two = site.replica_with(|c| c.scanning.enabled = true).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(two.get("/v1/bundles/@acme/widget/security").await.1["status"], "scanning");
    site.wait_ms(60_000);
    let scanned = within(Duration::from_secs(20), async || {
        (two.get("/v1/bundles/@acme/widget/security").await.1["status"] == "completed").then_some(())
    });
    assert!(scanned.await.is_some());
    assert_eq!(site.database.number("SELECT count(*) FROM events WHERE kind = 'scanned'"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_keeps_nothing_that_another_would_miss() {
    let site = Site::new();
    let one = site.replica().await;
    let token = one.first_token().unwrap();
    let bytes = bundle("@acme/widget", "1.0.0");
    assert_eq!(one.put(&token, "@acme/widget", "1.0.0", bytes).send().await.unwrap().status(), 201);
    let before = one.get("/v1/bundles/@acme/widget").await.1;
    let data = one.data.clone();
    one.stop().await;
    std::fs::remove_dir_all(data).unwrap();
    let two = site.replica().await;
    assert_eq!(two.first_token(), None);
    let after = two.get("/v1/bundles/@acme/widget").await.1;
    assert_eq!(after["latest_version"], before["latest_version"]);
    assert_eq!(two.get("/v1/bundles/@acme/widget/versions/1.0.0/download").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_have_one_order_whatever_the_database_thinks_of_text() {
    let site = Site::on(postgres::Database::create_with_people_order());
    let one = site.replica().await;
    let token = one.first_token().unwrap();
    for name in ["@acme/b-c", "@acme/ba", "@acme/b0"] {
        let sent = one.put(&token, name, "1.0.0", bundle(name, "1.0.0")).send().await.unwrap();
        assert_eq!(sent.status(), 201);
    }
    let sql = "SELECT count(*) FROM (SELECT 1 WHERE (SELECT string_agg(name, ' ' ORDER BY name) FROM packages) \
               = '@acme/b-c @acme/b0 @acme/ba') AS t";
    assert_eq!(site.database.number(sql), 1, "the order of bytes");
    let search = one.get("/v1/bundles/search?sort=name").await.1;
    let names: Vec<_> = search["bundles"].as_array().unwrap().iter().map(|b| b["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
}
