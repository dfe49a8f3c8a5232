//! A test's world: a started registry on a folder of its own, a clock of its own, bundles to publish.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mpak_bundle::digest::Sha256;
use mpak_registry::clock::Clock;
use mpak_registry::config::{Config, Database, Secret};
use mpak_registry::{Running, admin, start};
use mpak_testkit::postgres;
use mpak_testkit::zip::{ZipBuilder, good_manifest};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

/// 2026-11-20T09:00:00Z
pub(crate) const START_MS: i64 = 1_795_165_200_000;
/// A day.
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Whether these are the tests of `it_postgres`.
fn on_postgres() -> bool {
    module_path!() == "it_postgres::world"
}

/// A registry; its clock goes on by a millisecond each time it is asked.
pub(crate) struct Registry {
    folder: tempfile::TempDir,
    /// Where it is not SQLite's file in the folder.
    postgres: Option<postgres::Database>,
    running: Option<Running>,
    now_ms: Arc<AtomicI64>,
    change: Arc<dyn Fn(&mut Config) + Send + Sync>,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// May publish everything.
    pub(crate) token: String,
    pub(crate) client: Client,
}

impl Registry {
    /// Starts one that does not scan, so that nothing happens by itself.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts one with a changed configuration.
    pub(crate) async fn start_with(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let mut registry = Self {
            folder: tempfile::tempdir().unwrap(),
            postgres: on_postgres().then(postgres::Database::create),
            running: None,
            now_ms: Arc::new(AtomicI64::new(START_MS)),
            change: Arc::new(change),
            url: String::new(),
            token: String::new(),
            client,
        };
        registry.begin().await;
        registry.token = registry.running.as_ref().unwrap().first_token().unwrap().to_owned();
        registry
    }

    /// Where Prometheus reads.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}", self.running.as_ref().unwrap().metrics_address().unwrap())
    }

    /// Starts it again after [`Registry::stop`].
    pub(crate) async fn begin(&mut self) {
        let running = start(self.config()).await.unwrap();
        self.url = format!("http://{}", running.address());
        self.running = Some(running);
    }

    /// What it is started with.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new(self.data(), "127.0.0.1:0".parse().unwrap());
        if let Some(database) = &self.postgres {
            config.database = Database::Postgres(Secret::new(database.url()));
        }
        config.scanning.enabled = false;
        config.clock = self.clock();
        // Tests of other things publish as fast as they can; `rates` tests the limits.
        config.rates.publishes_per_minute = 0;
        config.rates.reads_per_minute = Some(0);
        (self.change)(&mut config);
        config
    }

    pub(crate) fn clock(&self) -> Clock {
        let now_ms = Arc::clone(&self.now_ms);
        Clock::from_fn(move || now_ms.fetch_add(1, Ordering::SeqCst))
    }

    /// Lets time pass.
    pub(crate) fn wait_ms(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Stops it in order and starts it again, on another port.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.begin().await;
    }

    /// Another configuration for the next start.
    pub(crate) fn change_for_next_start(&mut self, change: impl Fn(&mut Config) + Send + Sync + 'static) {
        self.change = Arc::new(change);
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    /// The link that signs the administrator in, which a first start makes.
    pub(crate) fn sign_in_link(&self) -> Option<String> {
        self.running.as_ref().unwrap().sign_in_link().map(str::to_owned)
    }

    /// A token for some packages, valid for some days.
    pub(crate) async fn make_token(&self, packages: &[&str], days: u32) -> admin::NewToken {
        let packages: Vec<String> = packages.iter().map(|p| (*p).to_owned()).collect();
        let (config, clock) = (self.config(), self.clock());
        let made = move || admin::create_token(&config, "test", &packages, days, &clock).unwrap();
        tokio::task::spawn_blocking(made).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    /// A GET that must succeed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> impl Future<Output = Value> {
        let at = std::panic::Location::caller();
        let request = self.client.get(format!("{}{path}", self.url)).header("accept", "application/json");
        async move {
            let response = request.send().await.unwrap();
            let (status, text) = (response.status(), response.text().await.unwrap());
            assert_eq!(status, 200, "{at}: {text}");
            serde_json::from_str(&text).unwrap()
        }
    }

    /// A publish, not sent yet, with the registry's token.
    pub(crate) fn put(&self, name: &str, version: &str, platform: &str, bundle: impl Into<Vec<u8>>) -> RequestBuilder {
        let path = format!("{}/api/v1/packages/{name}/versions/{version}/artifacts/{platform}", self.url);
        self.client.put(path).bearer_auth(&self.token).body(bundle.into())
    }

    /// A publish that must be new.
    pub(crate) async fn publish(&self, name: &str, version: &str, platform: &str, bundle: &[u8]) -> Value {
        let response = self.put(name, version, platform, bundle).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 201, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Asserts that database, blobs and events agree, as `mpak admin verify` does beside a running server.
    pub(crate) async fn assert_agrees(&self) {
        let config = self.config();
        let verdict = tokio::task::spawn_blocking(move || admin::verify::verify(&config, true)).await.unwrap().unwrap();
        assert!(verdict.agrees, "{:?}", verdict.problems);
    }

    /// Everything that is kept: files of the data folder and tables of the database, as digests.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, Sha256> {
        self.everything_in_full().into_iter().map(|(path, content)| (path, Sha256::of(&content))).collect()
    }

    /// The same, in full.
    pub(crate) fn everything_in_full(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut kept = BTreeMap::new();
        collect(&self.data(), &mut kept);
        // Which readers are active, not what is known.
        kept.retain(|path, _| path.extension().is_none_or(|e| e != "db-shm"));
        if let Some(database) = &self.postgres {
            kept.extend(database.content().into_iter().map(|(t, rows)| (Path::new("tables").join(t), rows.into())));
        }
        kept
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What follows from the rest, a moment later.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("public")) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else {
            let content = fs::read(&path).unwrap();
            files.insert(path, content);
        }
    }
}

/// A manifest for a package and version; change what the test is about.
pub(crate) fn manifest(name: &str, version: &str) -> Value {
    let mut manifest = good_manifest();
    manifest["name"] = name.rsplit('/').next().unwrap().into();
    manifest["version"] = version.into();
    manifest
}

/// A good bundle of a package and version.
pub(crate) fn bundle(name: &str, version: &str) -> Vec<u8> {
    bundle_of(&manifest(name, version))
}

/// A good bundle with this manifest.
pub(crate) fn bundle_of(manifest: &Value) -> Vec<u8> {
    ZipBuilder::with_manifest(manifest).build()
}

/// A good bundle with one more file.
pub(crate) fn bundle_with(name: &str, version: &str, path: &str, data: &[u8]) -> Vec<u8> {
    let mut zip = ZipBuilder::with_manifest(&manifest(name, version));
    zip.file(path, data);
    zip.build()
}

/// The head of an ELF program for Linux on x86-64.
pub(crate) fn elf_x64() -> Vec<u8> {
    let mut elf = vec![0_u8; 4096];
    elf[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0");
    elf
}

/// `@acme/widget` as the checklist of the wire has it, and `@acme/gadget`, which is newer.
pub(crate) async fn checklist() -> Registry {
    let registry = Registry::start().await;
    let widget = |version: &str| {
        let mut manifest = manifest("@acme/widget", version);
        manifest["display_name"] = "Widget Works".into();
        manifest["description"] = "Makes 100% of all sprockets.".into();
        manifest["keywords"] = serde_json::json!(["cogwheel"]);
        manifest["author"] = serde_json::json!({"name": "Ada Lovelace"});
        manifest["homepage"] = "https://widget.example/".into();
        manifest["license"] = "MIT".into();
        manifest["tools"] = serde_json::json!([{"name": "turnSprocket", "description": "Turns it"}, {"name": "stop"}]);
        manifest
    };
    let bytes = |version: &str, extra: &[u8]| {
        let mut zip = ZipBuilder::with_manifest(&widget(version));
        zip.file("README.md", "# Widget");
        zip.file("extra", extra);
        zip.build()
    };
    registry.publish("@acme/widget", "1.0.0", "any", &bytes("1.0.0", b"any")).await;
    registry.publish("@acme/widget", "1.0.0", "linux-x64", &bytes("1.0.0", b"linux")).await;
    registry.publish("@acme/widget", "1.1.0", "linux-any", &bytes("1.1.0", b"")).await;
    registry.publish("@acme/widget", "2.0.0-beta.1", "any", &bytes("2.0.0-beta.1", b"")).await;
    let mut gadget = manifest("@acme/gadget", "0.1.0");
    gadget["server"]["type"] = "python".into();
    gadget["server"]["entry_point"] = "server/main.py".into();
    gadget["server"]["mcp_config"]["command"] = "python".into();
    gadget["server"]["mcp_config"]["args"] = serde_json::json!(["${__dirname}/server/main.py"]);
    let mut zip = ZipBuilder::with_manifest(&gadget);
    zip.file("server/main.py", "print()");
    registry.publish("@acme/gadget", "0.1.0", "any", &zip.build()).await;
    registry
}

/// Runs statements on the database of a stopped registry.
pub(crate) async fn run_sql(registry: &Registry, statements: &[&'static str]) {
    use sqlx::Connection as _;
    if let Some(database) = &registry.postgres {
        for sql in statements {
            database.execute(sql);
        }
        return;
    }
    let path = registry.data().join("registry.db").display().to_string();
    let mut c = sqlx::SqliteConnection::connect(&format!("sqlite:{path}")).await.unwrap();
    for sql in statements {
        sqlx::query(*sql).execute(&mut c).await.unwrap();
    }
    c.close().await.unwrap();
}

/// Changes a stored row beside the registry, as another version or a crash would have left it.
pub(crate) async fn change_rows(registry: &Registry, sql: &'static str) {
    use sqlx::Connection as _;
    if let Some(database) = &registry.postgres {
        assert_eq!(database.execute(sql), 1);
        return;
    }
    let path = registry.data().join("registry.db").display().to_string();
    let mut c = sqlx::SqliteConnection::connect(&format!("sqlite:{path}")).await.unwrap();
    assert_eq!(sqlx::query(sql).execute(&mut c).await.unwrap().rows_affected(), 1);
    c.close().await.unwrap();
}
