//! The registry's files without the registry: any file server is enough to install from.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::registry::Registry;
use crate::servers::Server;
use crate::world::World;

/// `python3 -m http.server` on a folder; ended when dropped.
struct FileServer {
    child: Child,
    url: String,
}

impl FileServer {
    fn start(folder: &std::path::Path) -> Self {
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 is needed for this test: install python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        // Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ...
        let url = line.split(['(', ')']).nth(1).expect("an address").trim_end_matches('/').to_owned();
        Self { child, url }
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a file holds a text.
fn wait_for(path: &std::path::Path, text: &str) {
    let began = Instant::now();
    while !fs::read_to_string(path).is_ok_and(|found| found.contains(text)) {
        assert!(began.elapsed() < Duration::from_secs(20), "{} never held {text}", path.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn with_the_registry_gone_bundles_install_from_a_plain_file_server() {
    let world = World::new();
    let registry = Registry::start(&world);
    Server::new("tell", "1.0.0").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    Server::new("tell", "1.1.0").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    let public = world.path("registry/public");
    wait_for(&public.join("index/v1/@acme/tell.json"), "1.1.0");
    let served = served_text(format!("{}/index/v1/@acme/tell.json", registry.url));
    assert_eq!(fs::read_to_string(public.join("index/v1/@acme/tell.json")).unwrap(), served, "the same bytes");
    registry.kill();

    let files = FileServer::start(&public);
    world.mpak(&["run", "@acme/tell", "--registry", &files.url]).ok();
    let pulled = world.mpak(&["pull", "@acme/tell@1.0.0", "--registry", &files.url, "--json"]).ok();
    assert!(pulled.contains("1.0.0"), "{pulled}");
    let error = world.mpak(&["run", "@acme/none", "--registry", &files.url]).fails(5);
    assert!(error.contains("@acme/none@latest was not found"), "{error}");
}

/// What the registry calls itself is nowhere in the files: with it gone, nothing is asked of that address.
#[test]
fn a_copy_of_the_files_is_complete_whatever_the_registry_called_itself() {
    let world = World::new();
    let registry = Registry::start_with(&world, &["--public-url", "https://registry.invalid"]);
    Server::new("tell", "1.0.0").config(&["x"], &json!({})).publish(&registry, "@acme/tell", "any");
    let public = world.path("registry/public");
    wait_for(&public.join("index/v1/@acme/tell.json"), "1.0.0");
    wait_for(&public.join(".well-known/mpak.json"), "index/v1");
    registry.kill();
    let copy = world.path("elsewhere");
    let copied = Command::new("cp").arg("-rL").args([&public, &copy]).status().unwrap();
    assert!(copied.success());
    fs::remove_dir_all(world.path("registry")).unwrap();
    let files = FileServer::start(&copy);
    world.mpak(&["run", "@acme/tell", "--registry", &files.url]).ok();
}

/// What the registry itself serves.
fn served_text(url: String) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(url).send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    })
}
