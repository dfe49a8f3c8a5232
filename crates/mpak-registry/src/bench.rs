//! For benchmarks: a catalogue of invented packages, as large as wanted and the same for the same seed,
//! and a route that answers so many fixed bytes through the same server and middleware.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::extract::Path as UrlPath;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use mpak_bundle::collect::collect;
use mpak_bundle::digest::Sha256;
use mpak_bundle::durable;
use mpak_bundle::limits::Limits;
use mpak_bundle::pack::PackOptions;
use mpak_bundle::platform::Platform;
use mpak_scan::controls::CONTROLS;
use mpak_scan::report::ruleset;
use serde_json::{Value, json};

use crate::config::{Config, Database};
use crate::db::scans::Basis;
use crate::db::{self, Connection, Db, DbResult, artifacts, blobs, downloads, events, packages, scans, versions};
use crate::public_files;
use crate::server::{self, ServeError, create_data};

pub(crate) mod words;

use words::{Random, capital};

/// Packages that are written in one transaction.
const BATCH: u64 = 5_000;
/// Different bundles behind all versions.
const BUNDLES: u64 = 4;
/// How often is looked whether everything that follows from the rows is made.
const LOOK: Duration = Duration::from_millis(100);
/// Versions of each package.
pub const VERSIONS_COUNT: u64 = 3;
/// First publish of the first package: 2025-01-01.
const START_MS: i64 = 1_735_689_600_000;
/// Largest answer of the floor.
const FLOOR_BYTES_MAX: usize = 1 << 20;

/// Writes so many invented packages with three versions each into a new data folder, and tells how many are
/// written now and then. It is left as by a registry that has run: all is scanned and indexed, and the static files
/// are there, so that the next start has nothing to make. All versions share a few small bundles.
///
/// # Errors
/// [`ServeError`] when the folder or its database cannot be written.
pub fn catalogue(data: &Path, count: u64, seed: u64, mut progress: impl FnMut(u64)) -> Result<(), ServeError> {
    let data_error = |source| ServeError::Data { path: data.display().to_string(), source };
    create_data(data).map_err(data_error)?;
    let bundles = pack(data).map_err(data_error)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    runtime.block_on(async {
        // 1. What is known.
        let db = Db::open(&Database::Sqlite(data.join(db::FILE))).await?;
        let mut tx = db.write().await?;
        for (sha256, bytes) in &bundles {
            blobs::insert(&mut tx, sha256, *bytes, START_MS).await?;
        }
        tx.commit().await?;
        let scanned = Scanned::new();
        let mut written = 0;
        while written < count {
            let mut tx = db.write().await?;
            for number in written..count.min(written + BATCH) {
                write(&mut tx, &Invented::new(seed, number), &bundles, &scanned).await?;
            }
            tx.commit().await?;
            written = count.min(written + BATCH);
            progress(written);
        }
        db.close().await;
        // 2. What follows from it.
        settle(data).await
    })
}

/// Lets a registry run until it has made everything that it makes of the rows.
async fn settle(data: &Path) -> Result<(), ServeError> {
    let mut config = Config::new(data, SocketAddr::from(([127, 0, 0, 1], 0)));
    config.scanning.enabled = false;
    let running = server::start(config).await?;
    while !public_files::are_current(running.state()).await? {
        tokio::time::sleep(LOOK).await;
    }
    running.stop().await;
    Ok(())
}

/// The bundles that all packages share, with their lengths; written to where blobs are.
fn pack(data: &Path) -> io::Result<Vec<(Sha256, u64)>> {
    let folder = tempfile::tempdir_in(data)?;
    let source = folder.path().join("source");
    std::fs::create_dir_all(source.join("server"))?;
    let mut all = Vec::new();
    for number in 0..BUNDLES {
        let manifest = json!({
            "manifest_version": "0.3", "name": "invented", "version": "1.0.0", "description": "Invented.",
            "author": {"name": "Nobody"},
            "server": {"type": "node", "entry_point": "server/main.js",
                "mcp_config": {"command": "node", "args": ["${__dirname}/server/main.js"]}},
        });
        durable::replace_derived(&source.join("manifest.json"), manifest.to_string().as_bytes(), 0o644)?;
        let main = format!("console.error({number})\n");
        durable::replace_derived(&source.join("server/main.js"), main.as_bytes(), 0o644)?;
        let out = folder.path().join("invented.mcpb");
        let collected = collect(&source, &Limits::default(), &[]).map_err(io::Error::other)?;
        let packed = mpak_bundle::pack::pack(&collected, &out, &PackOptions::default()).map_err(io::Error::other)?;
        let hex = packed.sha256.to_string();
        let place = data.join("blobs/sha256").join(&hex[..2]);
        std::fs::create_dir_all(&place)?;
        std::fs::rename(&out, place.join(&hex[2..]))?;
        all.push((packed.sha256, packed.bytes));
    }
    Ok(all)
}

/// What scans of this program came to.
struct Scanned {
    basis: Basis,
    report_json: String,
}

impl Scanned {
    /// The least that a report says.
    fn new() -> Self {
        let basis = Basis { ruleset: ruleset(CONTROLS), ..Basis::default() };
        let report = json!({
            "level": 1, "score": 80, "ruleset": basis.ruleset, "advisories": null, "controls_run": CONTROLS.len(),
            "controls": [],
        });
        Self { report_json: report.to_string(), basis }
    }

    fn of(&self, artifact_id: i64) -> scans::New<'_> {
        let controls = i64::try_from(CONTROLS.len()).unwrap_or(0);
        scans::New {
            artifact_id,
            basis: &self.basis,
            outcome: String::new(),
            level: Some(1),
            score: 80,
            counts: [controls, 0, controls],
            report_json: self.report_json.clone(),
        }
    }
}

/// A package with all that is said about it.
struct Invented {
    name: String,
    created_at_ms: i64,
    versions: Vec<InventedVersion>,
}

struct InventedVersion {
    version: String,
    published_at_ms: i64,
    manifest: Value,
    platform: Platform,
    downloads: u64,
    bundle: usize,
}

impl Invented {
    fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::new(seed, number);
        let publisher = random.zipf(30_000);
        let (scope, topic) = (Random::new(seed, 1 << 40 | publisher).word(), random.word());
        // The number makes it unique.
        let base = format!("{topic}-{}-{}", random.word(), number);
        let created_at_ms = START_MS + i64::try_from(random.below(600 * 86_400_000)).unwrap_or(0);
        let popular = 200_000 / (1 + random.zipf(1_000_000));
        let manifest = manifest(&mut random, &base, &scope, publisher, &topic);
        let versions = (0..VERSIONS_COUNT).map(|n| {
            let mut manifest = manifest.clone();
            let version = format!("1.{n}.{}", number % 7);
            manifest["version"] = version.as_str().into();
            InventedVersion {
                version,
                published_at_ms: created_at_ms + i64::try_from(n * 9 * 86_400_000).unwrap_or(0),
                manifest,
                platform: Platform::ANY,
                downloads: popular / (VERSIONS_COUNT - n),
                bundle: usize::try_from((number + n) % BUNDLES).unwrap_or(0),
            }
        });
        Self { name: format!("@{scope}-{publisher}/{base}"), created_at_ms, versions: versions.collect() }
    }
}

fn manifest(random: &mut Random, base: &str, scope: &str, publisher: u64, topic: &str) -> Value {
    let tools = 2 + random.below(9);
    let tools: Vec<Value> = (0..tools)
        .map(|_| {
            let words = 5 + random.below(9);
            json!({"name": random.tool(), "description": random.sentence(words)})
        })
        .collect();
    let keywords: Vec<String> = (0..2 + random.below(5)).map(|_| random.word()).collect();
    let (words, kind) = (9 + random.below(16), random.below(10));
    let kind = if kind < 5 {
        "node"
    } else {
        ["python", "uv", "binary", "python", "python"][usize::try_from(kind - 5).unwrap_or(0)]
    };
    json!({
        "manifest_version": "0.3", "name": base, "version": "",
        "display_name": format!("{} {}", capital(topic), capital(&random.word())),
        "description": random.sentence(words),
        "author": {"name": format!("{} {}", capital(scope), capital(&random.word()))},
        "homepage": format!("https://{scope}-{publisher}.example/{base}"),
        "license": "MIT",
        "keywords": keywords,
        "server": {
            "type": kind, "entry_point": "server/main",
            "mcp_config": {"command": kind, "args": ["${__dirname}/server/main"]},
        },
        "tools": tools,
    })
}

async fn write(c: &mut Connection, invented: &Invented, bundles: &[(Sha256, u64)], scanned: &Scanned) -> DbResult<()> {
    let latest = invented.versions.last().map_or("", |v| v.version.as_str());
    let package_id = packages::insert(c, &invented.name, latest, invented.created_at_ms).await?;
    for version in &invented.versions {
        let (sha256, size_bytes) = bundles[version.bundle % bundles.len()];
        let payload = json!({
            "os": version.platform.os.as_str(), "arch": version.platform.arch.as_str(), "sha256": sha256.to_string(),
            "size": size_bytes, "publish_method": "upload",
        });
        let event_seq = events::append(
            c,
            events::New {
                at_ms: version.published_at_ms,
                kind: "artifact_published",
                package: Some(&invented.name),
                version: Some(&version.version),
                actor: "token:bench",
                payload: &payload,
            },
        )
        .await?;
        let version_id = versions::insert(
            c,
            versions::New {
                package_id,
                version: &version.version,
                server_type: version.manifest["server"]["type"].as_str().unwrap_or("node"),
                manifest_json: &version.manifest.to_string(),
                readme: None,
                release_tag: None,
                release_url: None,
                provenance_json: None,
                shown: true,
                publish_method: "upload",
                published_at_ms: version.published_at_ms,
            },
        )
        .await?;
        let artifact = artifacts::New {
            version_id,
            platform: version.platform,
            sha256,
            size_bytes,
            published_at_ms: version.published_at_ms,
            source_url: None,
            event_seq,
        };
        let artifact_id = artifacts::insert(c, artifact).await?;
        scans::put(c, &scanned.of(artifact_id), version.published_at_ms).await?;
        if version.downloads > 0 {
            downloads::add(c, &[(artifact_id, version.downloads)]).await?;
        }
    }
    Ok(())
}

/// `GET /v1/floor/{bytes}`, in benchmarks only: so many bytes of JSON, without doing anything for them.
pub(crate) async fn floor(UrlPath(bytes): UrlPath<usize>) -> Response {
    let content_type = HeaderValue::from_static("application/json; charset=utf-8");
    let body = vec![b' '; bytes.min(FLOOR_BYTES_MAX)];
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}
