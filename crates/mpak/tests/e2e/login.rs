//! `mpak login` with a real registry: the person's browser is a plain HTTP client here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use mpak_testkit::zip::{good_bundle, good_manifest};

use crate::registry::Registry;
use crate::world::World;

/// A signed-in administrator's browser.
pub struct Person {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    url: String,
    cookie: String,
    csrf: String,
}

fn field(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no field {name} in\n{page}"));
    rest.split('"').next().unwrap().to_owned()
}

impl Person {
    /// Signs in by a link of `mpak admin user link`.
    pub fn sign_in(world: &World, registry: &Registry) -> Self {
        let data = world.path("registry").display().to_string();
        let made = world.mpak(&["admin", "user", "link", "--data", &data, "--url", &registry.url, "--json"]);
        let link = made.json()["link"].as_str().unwrap().to_owned();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut person =
            Self { client, runtime, url: registry.url.clone(), cookie: String::new(), csrf: String::new() };
        let page = person.send(&link, None);
        let fields = ["csrf", "browser", "token"].map(|name| (name, field(&page, name)));
        person.send(&format!("{}/auth/link", registry.url), Some(&fields));
        let page = person.send(&format!("{}/account", registry.url), None);
        person.csrf = field(&page, "csrf");
        person
    }

    fn send(&mut self, url: &str, fields: Option<&[(&str, String)]>) -> String {
        let request = match fields {
            None => self.client.get(url),
            Some(fields) => {
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                let request = self.client.post(url).header("origin", &self.url);
                request.header("content-type", "application/x-www-form-urlencoded").body(body)
            }
        };
        let request = request.header("accept", "text/html").header("cookie", &self.cookie);
        let (set, text) = self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let set = answer.headers().get_all("set-cookie").iter().map(|v| v.to_str().unwrap().to_owned());
            (set.collect::<Vec<_>>(), answer.text().await.unwrap())
        });
        for line in set {
            let pair = line.split(';').next().unwrap();
            let kept = self.cookie.split("; ").filter(|c| c.split('=').next() != pair.split('=').next());
            self.cookie = kept.chain([pair]).filter(|c| !c.is_empty()).collect::<Vec<_>>().join("; ");
        }
        text
    }

    fn decide(&mut self, user_code: &str, decision: &str) -> String {
        let fields =
            [("csrf", self.csrf.clone()), ("user_code", user_code.to_owned()), ("decision", decision.to_owned())];
        let url = format!("{}/device", self.url);
        self.send(&url, Some(&fields))
    }
}

/// `mpak login` that waits, and the code that it shows.
#[expect(clippy::zombie_processes, reason = "the caller waits for it; without a code the test is over")]
fn waiting(world: &World, args: &[&str]) -> (Child, String) {
    let mut child = world
        .command(&[&["login", "--machine", "desk"], args].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut told = String::new();
    for line in lines {
        let line = line.unwrap();
        told.push_str(&line);
        if let Some(code) = line.strip_prefix("and type the code  ") {
            assert!(told.contains("/device"), "{told}");
            return (child, code.to_owned());
        }
    }
    panic!("no code in {told}");
}

/// Logs a world in as the administrator.
pub fn log_in(world: &World, registry: &Registry) {
    let mut person = Person::sign_in(world, registry);
    let (child, code) = waiting(world, &[]);
    assert!(person.decide(&code, "approve").contains("The machine is connected"));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
}

#[test]
fn a_machine_that_its_person_connects_publishes_and_reads() {
    let world = World::new();
    let registry = Registry::start_with(&world, &["--access-reads", "private"]);
    let world = world.with("MPAK_REGISTRY_URL", &registry.url);
    assert!(world.mpak(&["search", "widget"]).fails(3).contains("private"));
    let mut person = Person::sign_in(&world, &registry);
    let (child, code) = waiting(&world, &["--json"]);
    assert!(person.decide(&code, "approve").contains("The machine is connected"));
    let output = child.wait_with_output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((told["login"].as_str(), told["role"].as_str()), (Some("admin"), Some("admin")), "{told}");
    assert!(!told.to_string().contains("mpak_"), "the token is not shown: {told}");
    // Kept for its owner only, and not where existing clients read.
    let secrets = world.path("home/.mpak/secrets");
    assert!(std::fs::read_to_string(&secrets).unwrap().contains("mpak_"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(secrets.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let config = std::fs::read_to_string(world.path("home/.mpak/config.json")).unwrap_or_default();
    assert!(!config.contains("mpak_"), "{config}");
    // It publishes, and reads what is private.
    let mut manifest = good_manifest();
    manifest["name"] = "widget".into();
    let entry = manifest["server"]["entry_point"].as_str().unwrap().to_owned();
    let file = world.write("widget.mcpb", good_bundle(&manifest, &[(entry.as_str(), b"// one".as_slice())]));
    world.mpak(&["publish", &file.display().to_string(), "--name", "@acme/widget"]).ok();
    assert_eq!(world.mpak(&["search", "widget", "--json"]).json()["results"][0]["name"], "@acme/widget");
    world.mpak(&["pull", "@acme/widget"]).ok();
    // Another registry gets nothing of it.
    let elsewhere = world.mpak(&["whoami", "--registry", "http://127.0.0.1:9"]);
    assert!(elsewhere.fails(1).contains("nobody is logged in"));
}

#[test]
fn a_machine_that_is_turned_away_has_no_token() {
    let world = World::new();
    let registry = Registry::start(&world);
    let world = world.with("MPAK_REGISTRY_URL", &registry.url);
    let mut person = Person::sign_in(&world, &registry);
    let (child, code) = waiting(&world, &["--json"]);
    assert!(person.decide(&code, "deny").contains("turned away"));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["error"]["code"], "refused");
    assert!(!world.path("home/.mpak/secrets").exists());
}

#[test]
fn a_login_never_goes_over_http_to_another_machine() {
    let world = World::new();
    let refused = world.mpak(&["login", "--registry", "http://registry.test"]);
    assert!(refused.stderr.contains("never sent over http"), "{}", refused.stderr);
    assert_ne!(refused.code, 0);
}
