//! `mpak serve` as a user meets it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mpak_bundle::digest::Sha256;
use mpak_testkit::zip::{ZipBuilder, good_manifest};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::registry::Registry;
use crate::world::World;

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn json(client: &reqwest::Client, url: &str) -> Value {
    let response = client.get(url).header("accept", "application/json").send().await.unwrap();
    assert_eq!(response.status(), 200, "{url}");
    response.json().await.unwrap()
}

fn bundle(name: &str, version: &str) -> Vec<u8> {
    let mut manifest = good_manifest();
    manifest["name"] = name.rsplit('/').next().unwrap().into();
    manifest["version"] = version.into();
    ZipBuilder::with_manifest(&manifest).build()
}

fn serve(world: &World, data: &str) -> Child {
    let mut command = world.command(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn stop(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

#[test]
fn the_first_start_creates_everything_and_says_one_line() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let world = World::new();
        let data = world.path("new/data");
        let mut child = serve(&world, &data.display().to_string());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        let token = std::fs::read_to_string(data.join("first-token")).unwrap();
        runtime().block_on(async {
            assert_eq!(json(&client(), &format!("{url}/health")).await["status"], "ok");
            let put = client().put(format!("{url}/api/v1/packages/@acme/widget/versions/1.0.0/artifacts/any"));
            let sent = put.bearer_auth(token.trim()).body(bundle("@acme/widget", "1.0.0")).send().await.unwrap();
            assert_eq!(sent.status(), 201);
        });
        stop(&child, signal);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line only on stdout");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(&data.join("first-token").display().to_string()), "{stderr}");
        assert!(!stderr.contains(token.trim()), "the token itself is not shown");
    }
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let world = World::new();
    let _registry = Registry::start(&world);
    let data = world.path("registry").display().to_string();
    let refused = world.mpak(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.stdout, "");
    let stderr = refused.fails(3);
    assert!(stderr.contains("another server runs") && stderr.contains("--data"), "{stderr}");
}

#[test]
fn wrong_flags_are_usage_errors() {
    let world = World::new();
    let data = world.path("data").display().to_string();
    for arguments in [["--listen", "nowhere"], ["--public-url", "ftp://x.example"], ["--log", "[["]] {
        world.mpak(&[&["serve", "--data", &data][..], &arguments].concat()).fails(2);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let stderr = world.mpak(&["serve", "--data", &data, "--listen", &address]).fails(2);
    assert!(stderr.contains(&address), "{stderr}");
}

#[test]
fn a_file_configures_the_server_and_its_administration() {
    let world = World::new();
    let file = world.write(
        "registry.toml",
        "listen = '127.0.0.1:0'\ndata = 'elsewhere'\npublic_url = 'https://mpak.example'\n\
         [database]\nurl = 'sqlite:elsewhere/known.db'\n[limits]\nbundle_bytes_max = 2000\n",
    );
    let file = file.display().to_string();
    let mut child = world.command(&["serve", "--config", &file]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let token = world.mpak(&["admin", "token", "create", "--config", &file, "--name", "ci"]).ok();
    let (status, published) = runtime().block_on(async {
        let put = |version: &str, bytes: Vec<u8>| {
            let put = client().put(format!("{url}/api/v1/packages/@acme/widget/versions/{version}/artifacts/any"));
            put.bearer_auth(token.trim()).body(bytes).send()
        };
        let large = put("1.0.0", vec![0; 3_000]).await.unwrap();
        let good = put("1.0.0", bundle("@acme/widget", "1.0.0")).await.unwrap();
        (large.status().as_u16(), good.json::<Value>().await.unwrap())
    });
    stop(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(status, 413, "the limit of the file holds");
    assert_eq!(published["url"], "https://mpak.example/packages/@acme/widget");
    assert!(world.path("elsewhere/known.db").is_file());
}

#[test]
fn settings_are_printed_with_where_they_come_from() {
    let world = World::new().with("MPAK_DATABASE_URL", "postgres://mpak:hunter2@db.example/mpak");
    let file = world.write("registry.toml", "listen = '127.0.0.1:1'\n[log]\njson = true\n").display().to_string();
    let arguments = ["serve", "--config", &file, "--rates-trusted-proxies", "10.0.0.1", "--print-config"];
    let printed = world.mpak(&arguments).ok();
    for expected in [
        format!("# MPAK_LISTEN · --listen · from `{file}` line 1\nlisten = \"127.0.0.1:1\"\n"),
        format!("# MPAK_LOG_JSON · --log-json · from `{file}` line 3\njson = true\n"),
        "from the flag `--rates-trusted-proxies`\ntrusted_proxies = [\"10.0.0.1\"]\n".to_owned(),
        "from the environment variable `MPAK_DATABASE_URL`\n# url = \"postgres://mpak:***@db.example/mpak\"\n"
            .to_owned(),
        "no variable · --outbound-allow-loopback · from the default\nallow_loopback = false\n".to_owned(),
    ] {
        assert!(printed.contains(&expected), "{expected}\n---\n{printed}");
    }
    assert!(!world.path("home/.mpak").exists(), "nothing is started");
    let again = world.write("again.toml", &printed).display().to_string();
    let again = world.mpak(&["serve", "--config", &again, "--print-config"]).ok();
    assert!(again.contains("trusted_proxies = [\"10.0.0.1\"]"), "{again}");
    let named = world.with("MPAK_CONFIG", &file).mpak(&["serve", "--print-config"]).ok();
    assert!(named.contains("listen = \"127.0.0.1:1\""), "{named}");
}

/// Every setting that there is, as the documents promise them: whoever adds or drops one says so here.
const KEYS: &[(&str, &[&str])] = &[
    ("", &["listen", "public_url", "data"]),
    ("database", &["url"]),
    (
        "storage",
        &[
            "url",
            "endpoint",
            "region",
            "path_style",
            "access_key_id",
            "secret_access_key",
            "mode",
            "downloads",
            "signed_url_seconds",
        ],
    ),
    ("publishing", &["version_policy", "default_audience"]),
    ("outbound", &["allow_loopback", "proxy"]),
    ("access", &["reads", "private_scopes"]),
    (
        "sign_in",
        &["issuer", "client_id", "client_secret", "scopes", "role_claim", "admins", "publishers", "github_claim"],
    ),
    ("rates", &["reads_per_minute", "publishes_per_minute", "connections_per_address", "trusted_proxies"]),
    ("advisories", &["path"]),
    ("scan", &["enabled", "timeout_seconds", "memory_megabytes", "trust_root"]),
    ("log", &["filter", "json"]),
    ("metrics", &["listen"]),
    ("tracing", &["otlp_endpoint"]),
    (
        "limits",
        &[
            "connections_max",
            "uploads_max",
            "bundle_bytes_max",
            "header_timeout_seconds",
            "body_idle_timeout_seconds",
            "shutdown_timeout_seconds",
        ],
    ),
    ("publishing.issuer", &["kind", "issuer", "jwks_url", "audience", "api_url", "default_scopes", "mapping"]),
];

#[test]
fn every_setting_is_printed_whether_it_is_set_or_not() {
    let printed = World::new().mpak(&["serve", "--print-config"]).ok();
    // A key stands alone in its line, set or in a comment, below its variable and flag.
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in printed.lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.trim_start_matches('[').split(']').next().filter(|_| line.starts_with('[')) {
            name.clone_into(&mut section);
        } else if let Some((name, _)) = line.split_once(" =") {
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            found.extend(plain.then(|| format!("{section}.{name}")));
        }
    }
    let expected: Vec<String> =
        KEYS.iter().flat_map(|(section, names)| names.iter().map(move |name| format!("{section}.{name}"))).collect();
    assert_eq!(found, expected, "{printed}");
    for (section, names) in KEYS.iter().filter(|(section, _)| *section != "publishing.issuer") {
        for name in *names {
            let flag = format!("{section}-{name}").trim_start_matches('-').replace(['_', '.'], "-");
            assert!(printed.contains(&format!(" · --{flag} · from ")), "--{flag}\n{printed}");
            let variable = format!("MPAK_{}", flag.to_uppercase().replace('-', "_"));
            // What lets a server reach its own machine is written down where others see it.
            let named = printed.contains(&format!("# {variable} · "));
            assert_eq!(named, variable != "MPAK_OUTBOUND_ALLOW_LOOPBACK", "{variable}\n{printed}");
        }
    }
}

#[test]
fn a_wrong_setting_is_told_with_its_place() {
    let world = World::new();
    let file = world.write("registry.toml", "\n[limits]\nuploads_max = 'many'\n").display().to_string();
    let stderr = world.mpak(&["serve", "--config", &file]).fails(2);
    assert!(stderr.contains(&format!("`{file}` line 3: `limits.uploads_max` expects a whole number")), "{stderr}");
    assert!(world.mpak(&["serve", "--config", "missing.toml"]).fails(2).contains("missing.toml"));
    assert!(world.mpak(&["admin", "token", "list", "--config", &file]).fails(2).contains("line 3"));
}

#[test]
fn a_start_that_cannot_work_says_what_to_change() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    // 1. A database that is not there.
    let world = World::new().with("MPAK_DATABASE_URL", format!("postgres://mpak@{nobody}/mpak"));
    // Each waits for it for a while.
    std::thread::scope(|scope| {
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["admin", "token", "list"], &["admin", "verify"]]
        {
            scope.spawn(|| {
                let told = world.mpak(arguments).fails(6);
                assert!(told.contains("the database does not answer") && told.contains("`database.url`"), "{told}");
            });
        }
    });
    // 2. A bucket in front of an address that takes no names.
    let s3 = format!(
        "[storage]\nurl = 's3://bucket/mpak'\nendpoint = 'http://{nobody}'\naccess_key_id = 'a'\n\
         secret_access_key = 'b'\n"
    );
    let world = World::new();
    let file = world.write("s3.toml", &s3).display().to_string();
    let told = world.mpak(&["serve", "--listen", "127.0.0.1:0", "--config", &file]).fails(2);
    assert!(told.contains("set `storage.path_style = true`"), "{told}");
    // 3. A store that is away for now is no reason not to start.
    let file = world.write("s3.toml", format!("{s3}path_style = true\n")).display().to_string();
    let _registry = Registry::start_with(&world, &["--config", &file]);
    let log = || std::fs::read_to_string(world.path("registry.log")).unwrap();
    assert!(log().contains("serving"), "{}", log());
    crate::faults::site::until("a word about the store", || log().contains("the storage does not answer"));
}

#[test]
fn fetching_from_loopback_is_warned_of() {
    let world = World::new();
    let file = world.write("registry.toml", "[outbound]\nallow_loopback = true\n").display().to_string();
    let _registry = Registry::start_with(&world, &["--config", &file]);
    let log = std::fs::read_to_string(world.path("registry.log")).unwrap();
    assert!(log.contains("WARNING: outbound.allow_loopback is true"), "{log}");
}

/// Publishes one version after the other until the server is gone, and notes each one that was
/// acknowledged.
async fn publish_on(
    url: String,
    token: String,
    package: String,
    round: usize,
    done: Arc<Mutex<Vec<(String, String)>>>,
) {
    let client = client();
    for n in 0.. {
        let version = format!("{round}.{n}.0");
        let put = client.put(format!("{url}/api/v1/packages/{package}/versions/{version}/artifacts/any"));
        match put.bearer_auth(&token).body(bundle(&package, &version)).send().await {
            Ok(response) => {
                assert_eq!(response.status(), 201, "{package} {version}");
                done.lock().unwrap().push((package.clone(), version));
            }
            Err(_killed) => return,
        }
    }
}

/// All versions that are listed, after checking that the bytes of each are there.
async fn listed(url: &str) -> Vec<(String, String)> {
    let client = client();
    let mut listed = Vec::new();
    let search = json(&client, &format!("{url}/v1/bundles/search?limit=100")).await;
    for package in search["bundles"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let versions = json(&client, &format!("{url}/v1/bundles/{name}/versions")).await;
        for version in versions["versions"].as_array().unwrap() {
            let version = version["version"].as_str().unwrap();
            let path = format!("{url}/v1/bundles/{name}/versions/{version}/download");
            let download = json(&client, &path).await;
            let blob = client.get(download["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
            assert_eq!(Sha256::of(&blob).to_string(), download["bundle"]["sha256"].as_str().unwrap(), "{path}");
            listed.push((name.to_owned(), version.to_owned()));
        }
    }
    listed
}

#[test]
fn a_kill_at_any_time_loses_nothing_that_was_acknowledged() {
    const ROUNDS: usize = 10;
    const PUBLISHERS: usize = 3;
    let world = World::new();
    let runtime = runtime();
    let done = Arc::new(Mutex::new(Vec::new()));
    for round in 0..ROUNDS {
        let registry = Registry::start(&world);
        let (url, token) = (registry.url.clone(), registry.token.clone());
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|p| publish_on(url.clone(), token.clone(), format!("@acme/p{p}"), round, Arc::clone(&done)))
            .map(|publisher| runtime.spawn(publisher))
            .collect();
        runtime.block_on(async {
            // At least one publish begins; then at a time that differs from round to round.
            let began = Instant::now();
            let before = done.lock().unwrap().len();
            while done.lock().unwrap().len() == before && began.elapsed() < Duration::from_secs(20) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis((round as u64 * 37) % 101)).await;
            registry.kill();
            for publisher in publishers {
                publisher.await.unwrap();
            }
        });
    }
    let registry = Registry::start(&world);
    let listed = runtime.block_on(listed(&registry.url));
    let done = done.lock().unwrap();
    assert!(done.len() >= ROUNDS, "{} publishes in {ROUNDS} rounds", done.len());
    for acknowledged in done.iter() {
        assert!(listed.contains(acknowledged), "{acknowledged:?} was acknowledged and is gone");
    }
    // What was decided and not acknowledged any more: at most one per publisher and round.
    assert!(listed.len() <= done.len() + ROUNDS * PUBLISHERS, "{} listed, {} acknowledged", listed.len(), done.len());
    assert_eq!(std::fs::read_dir(world.path("registry/tmp")).unwrap().count(), 0, "no leftovers");
    world.mpak(&["admin", "verify", "--data", &world.path("registry").display().to_string()]).ok();
}

#[test]
fn the_demo_publishes_what_it_can_and_says_what_it_cannot() {
    // Without package managers one server is left: this program itself.
    let world = World::new();
    let nothing = world.path("nothing");
    std::fs::create_dir(&nothing).unwrap();
    let world = world.with("PATH", nothing.display().to_string());
    let registry = Registry::start_with(&world, &["--demo"]);
    let deadline = Instant::now() + Duration::from_mins(3);
    let log = loop {
        let log = std::fs::read_to_string(world.path("registry.log")).unwrap();
        if log.contains("run it:") {
            break log;
        }
        assert!(Instant::now() < deadline, "no end of the demo:\n{log}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(log.contains("@demo/example    binary, this program itself: published"), "{log}");
    assert!(log.contains("@demo/memory     node, dependencies by npm: left out: `npm` is not on PATH"), "{log}");
    assert!(log.contains("demo: 1 of 7 servers"), "{log}");
    assert!(log.contains(&format!("{}/packages/@demo/example", registry.url)), "{log}");
    let found = world.mpak(&["search", "harmless", "--json", "--registry", &registry.url]).json();
    assert_eq!(found["results"][0]["name"], "@demo/example", "{found}");
}

#[test]
fn issuers_are_given_by_flag_and_variable_too() {
    let json = |host: &str| format!(r#"{{"kind":"gitlab","issuer":"https://{host}.example","audience":["x,y"]}}"#);
    let (one, two, three) = (json("one"), json("two"), json("three"));
    let world = World::new().with("MPAK_PUBLISHING_ISSUER", &one);
    let printed = world.mpak(&["serve", "--print-config"]).ok();
    assert!(
        printed.contains("issuer = \"https://one.example\"") && printed.contains("audience = [\"x,y\"]"),
        "{printed}"
    );
    assert!(printed.contains("from the environment variable `MPAK_PUBLISHING_ISSUER`"), "{printed}");
    let flags = ["serve", "--print-config", "--publishing-issuer", &two, "--publishing-issuer", &three];
    let printed = world.mpak(&flags).ok();
    assert!(!printed.contains("one.example"), "a flag wins: {printed}");
    for host in ["two", "three"] {
        assert!(printed.contains(&format!("issuer = \"https://{host}.example\"")), "{printed}");
    }
    let refused = world.mpak(&["serve", "--print-config", "--publishing-issuer", "{}"]).fails(2);
    assert!(refused.contains("publishing.issuer"), "{refused}");
}
