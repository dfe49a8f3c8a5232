//! A real `mpak serve` as those who run it meet it: signals, logs, traces, kills, backups of a busy server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mpak_testkit::otlp::Collector;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::registry::Registry;
use crate::servers::Server;
use crate::world::World;

/// A server with its streams in our hands.
struct Serving {
    child: Child,
    host: String,
    token: String,
}

fn serve(world: &World, arguments: &[&str]) -> Serving {
    let data = world.path("registry").display().to_string();
    let log = fs::File::create(world.path("registry.log")).unwrap();
    let mut command = world.command(&[&["serve", "--data", &data, "--listen", "127.0.0.1:0"], arguments].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let host = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
    let token = fs::read_to_string(world.path("registry/first-token")).unwrap().trim().to_owned();
    Serving { child, host, token }
}

#[test]
fn a_start_that_waits_for_its_database_ends_when_told_and_says_so_once() {
    let world = World::new();
    let data = world.path("registry").display().to_string();
    let args = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--database-url", "postgres://x@127.0.0.1:9/x"];
    let log = world.path("registry.log");
    let mut command = world.command(&args);
    let mut child = command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fs::read_to_string(&log).unwrap().contains("does not answer yet") {
        assert!(Instant::now() < deadline, "it never waited");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Several tries, one line.
    std::thread::sleep(Duration::from_millis(1_500));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    let told = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    let log = fs::read_to_string(&log).unwrap();
    assert_eq!(log.matches("does not answer yet").count(), 1, "{log}");
}

impl Serving {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Sends the head of a publish and its first bytes.
    fn begin_publish(&self, bytes: &[u8], sent: usize) -> TcpStream {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!(
            "PUT /api/v1/packages/@acme/one/versions/1.0.0/artifacts/any HTTP/1.1\r\nHost: x\r\n\
             Authorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.token,
            bytes.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&bytes[..sent]).unwrap();
        stream
    }

    fn get(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Waits for something that another process does.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn uploads(world: &World) -> usize {
    fs::read_dir(world.path("registry/tmp")).map_or(0, Iterator::count)
}

fn verify(world: &World) -> Value {
    let ran = world.mpak(&["admin", "verify", "--data", &world.path("registry").display().to_string(), "--json"]);
    let verdict = ran.json();
    assert_eq!(ran.code, 0, "{verdict}");
    verdict
}

#[test]
fn a_publish_that_began_before_the_signal_is_finished_and_a_new_one_is_not_accepted() {
    let world = World::new();
    let mut serving = serve(&world, &[]);
    let bytes = Server::new("one", "1.0.0").bytes();
    let mut stream = serving.begin_publish(&bytes, 10);
    until("the upload", || uploads(&world) > 0);
    serving.signal(Signal::SIGTERM);
    until("the end of listening", || TcpStream::connect(&serving.host).is_err());
    stream.write_all(&bytes[10..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    assert_eq!(verify(&world)["artifacts"], 1);
}

#[test]
fn a_second_signal_ends_at_once() {
    let world = World::new();
    let mut serving = serve(&world, &["--limits-shutdown-timeout-seconds", "600"]);
    let _held = serving.begin_publish(&[0; 100], 10);
    until("the upload", || uploads(&world) > 0);
    serving.signal(Signal::SIGTERM);
    until("the end of listening", || TcpStream::connect(&serving.host).is_err());
    assert!(serving.child.try_wait().unwrap().is_none(), "it waits for what it accepted");
    let began = Instant::now();
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.child.wait().unwrap().code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(fs::read_to_string(world.path("registry.log")).unwrap().contains("second signal"));
    verify(&world);
}

#[test]
fn every_request_is_one_line_of_the_log_without_secrets() {
    let world = World::new();
    let mut serving = serve(&world, &["--log-json"]);
    serving.get("/v1/bundles/search?q=hunter2", "x-request-id: from-the-proxy\r\nCookie: a=hunter2\r\n");
    serving.get("/nowhere\u{202e}", "Authorization: Bearer hunter2\r\n");
    serving.signal(Signal::SIGTERM);
    serving.child.wait().unwrap();
    let log = fs::read_to_string(world.path("registry.log")).unwrap();
    assert!(!log.contains("hunter2") && !log.contains(&serving.token) && !log.contains('\u{202e}'), "{log}");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let requests: Vec<&Value> = lines.iter().map(|l| &l["fields"]).filter(|f| f["message"] == "request").collect();
    let search = requests.iter().find(|r| r["id"] == "from-the-proxy").unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&search["method"], &search["status"]), (&"GET".into(), &200.into()));
    assert_eq!((&search["route"], &search["client"]), (&"/v1/bundles/search".into(), &"127.0.0.1".into()));
    assert!(search["bytes"].as_u64().unwrap() > 0 && search["us"].as_u64().unwrap() > 0, "{search}");
}

#[test]
fn traces_reach_the_collector_and_the_last_ones_at_the_end() {
    let world = World::new();
    let collector = Collector::start();
    let mut serving = serve(&world, &["--tracing-otlp-endpoint", &collector.url]);
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let bytes = Server::new("one", "1.0.0").bytes();
    let mut stream = serving.begin_publish(&bytes, bytes.len());
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    serving.get("/v1/bundles/@acme/one", &format!("traceparent: 00-{trace}-{parent}-01\r\n"));
    // Batches are sent every few seconds; the end sends what waits.
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let named = |name: &str| {
        let spans = collector.spans();
        spans.iter().find(|s| s.name == name).cloned().unwrap_or_else(|| panic!("no `{name}` in {spans:?}"))
    };
    let detail = named("GET /v1/bundles/{scope}/{name}");
    assert_eq!((detail.trace_id.as_str(), detail.parent_id.as_str()), (trace, parent));
    let publish = named("PUT /api/v1/packages/{scope}/{name}/versions/{version}/artifacts/{platform}");
    for stage in ["receive", "admit", "store", "record", "index"] {
        let stage = named(stage);
        assert_eq!((stage.trace_id, stage.parent_id), (publish.trace_id.clone(), publish.span_id.clone()));
    }
    let log = fs::read_to_string(world.path("registry.log")).unwrap();
    assert!(!log.contains("mpak_trace"), "{log}");
}

#[test]
fn a_collector_that_is_gone_does_not_stop_the_registry() {
    let world = World::new();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut serving = serve(&world, &["--tracing-otlp-endpoint", &format!("http://{gone}")]);
    assert!(serving.get("/health", "").starts_with("HTTP/1.1 200"));
    let began = Instant::now();
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_taken_port_for_metrics_is_told_and_nothing_is_started() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = world.path("registry").display().to_string();
    let arguments = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--metrics-listen", &address];
    let stderr = world.mpak(&arguments).fails(2);
    assert!(stderr.contains(&address), "{stderr}");
}

/// Publishes versions of one package until told to stop or the server is gone; gives those acknowledged.
fn storm(url: &str, token: &str, name: &str, round: usize, stop: &AtomicBool) -> Vec<String> {
    let host = url.trim_start_matches("http://");
    let mut done = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let version = format!("{round}.{n}.0");
        let bytes = Server::new(name, &version).bytes();
        let head = format!(
            "PUT /api/v1/packages/@acme/{name}/versions/{version}/artifacts/any HTTP/1.1\r\nHost: {host}\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            bytes.len()
        );
        let mut answer = String::new();
        let sent = TcpStream::connect(host).and_then(|mut stream| {
            stream.write_all(head.as_bytes())?;
            stream.write_all(&bytes)?;
            stream.read_to_string(&mut answer)
        });
        if sent.is_err() || answer.is_empty() {
            break;
        }
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        done.push(format!("{name} {version}"));
    }
    done
}

/// Storms from several publishers while something happens; gives what was acknowledged.
fn while_storming(registry: &Registry, round: usize, happens: impl FnOnce()) -> Vec<String> {
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(Mutex::new(Vec::new()));
    let publishers: Vec<_> = (0..3)
        .map(|p| {
            let (url, token, stop, done) =
                (registry.url.clone(), registry.token.clone(), Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || {
                let acknowledged = storm(&url, &token, &format!("p{p}"), round, &stop);
                done.lock().unwrap().extend(acknowledged);
            })
        })
        .collect();
    happens();
    stop.store(true, Ordering::Relaxed);
    for publisher in publishers {
        publisher.join().unwrap();
    }
    Arc::into_inner(done).unwrap().into_inner().unwrap()
}

const RATES: &[&str] = &["--rates-publishes-per-minute", "0", "--rates-reads-per-minute", "0"];

#[test]
fn after_a_kill_at_any_time_database_blobs_and_events_agree() {
    let world = World::new();
    let mut acknowledged = 0;
    for round in 0..12 {
        let registry = Registry::start_with(&world, RATES);
        let pid = Pid::from_raw(i32::try_from(registry.id()).unwrap());
        acknowledged += while_storming(&registry, round, || {
            std::thread::sleep(Duration::from_millis(20 + (round as u64 * 29) % 97));
            kill(pid, Signal::SIGKILL).unwrap();
        })
        .len();
        drop(registry);
        let verdict = verify(&world);
        assert!(
            verdict["artifacts"].as_u64().unwrap() >= acknowledged as u64,
            "{acknowledged} acknowledged: {verdict}"
        );
    }
    assert!(acknowledged > 0);
    let _again = Registry::start_with(&world, RATES);
    verify(&world);
}

#[test]
fn a_backup_taken_in_the_middle_of_a_storm_restores_to_a_sound_registry() {
    let world = World::new();
    let registry = Registry::start_with(&world, RATES);
    let data = world.path("registry").display().to_string();
    let backup = world.path("backup").display().to_string();
    let mut made = None;
    let acknowledged = while_storming(&registry, 0, || {
        until("a publish", || fs::read_dir(world.path("registry/blobs/sha256")).is_ok_and(|d| d.count() > 3));
        made = Some(world.mpak(&["admin", "backup", &backup, "--data", &data, "--json"]).json());
    });
    let rows = made.unwrap()["tables"]["artifacts"]["rows"].as_u64().unwrap();
    assert!(rows > 0 && rows <= acknowledged.len() as u64, "{rows} rows, {} publishes", acknowledged.len());
    let target = world.path("target").display().to_string();
    let restored = world.mpak(&["admin", "restore", &backup, "--data", &target, "--verify"]);
    assert!(restored.stderr.contains(&format!("agree: {rows} artifacts")), "{}", restored.stderr);
    restored.ok();
    verify(&world);
}
