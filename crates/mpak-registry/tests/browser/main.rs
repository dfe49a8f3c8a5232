//! The pages in a real headless Chromium: nothing foreign runs, nothing of ours is refused, and the
//! document is sound for people who do not see it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use devtools::Page;
use tokio::process::Command;

mod devtools;
#[path = "../it/hostile.rs"]
mod hostile;
#[path = "../it/world.rs"]
#[expect(dead_code, reason = "shared with the tests over HTTP")]
mod world;

use mpak_registry::config::{Secret, SignIn};
use mpak_testkit::openid_provider::{CLIENT_ID, CLIENT_SECRET, Provider};
use world::{Registry, bundle, checklist};

/// Names under which the browser is installed.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Where programs are; the environment of tests is empty otherwise.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/snap/bin";
/// Longest time for one page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(90);

/// A page as the browser holds it after loading.
struct Loaded {
    dom: String,
    /// Messages of the console: refusals of the policy, failed resources, errors.
    console: Vec<String>,
}

impl Loaded {
    fn title(&self) -> &str {
        self.dom.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).unwrap().0
    }
}

fn browser() -> &'static str {
    let installed = |name: &&&str| PATH.split(':').any(|folder| Path::new(folder).join(name).is_file());
    BROWSERS
        .iter()
        .find(installed)
        .unwrap_or_else(|| panic!("these tests need Chromium: install it, on Debian with `apt-get install chromium`"))
}

/// What every start has in common.
fn arguments(home: &Path) -> Vec<String> {
    let mut arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--no-proxy-server",
        "--window-size=1280,1600",
        // Whatever else a page might name leads nowhere.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--user-data-dir={}", home.join("profile").display()));
    arguments
}

async fn load(url: &str) -> Loaded {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser());
    command.env_clear().env("PATH", PATH).env("HOME", home.path()).env("LANG", "C.UTF-8");
    command.args(arguments(home.path())).args(["--enable-logging=stderr", "--v=0", "--dump-dom", url]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = tokio::time::timeout(PAGE_TIMEOUT, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{url} took too long")).unwrap();
    let (dom, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(dom.contains("<html"), "the browser gave no page for {url}:\n{log}");
    Loaded { dom, console: log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect() }
}

#[tokio::test]
async fn the_browser_would_tell_of_a_script_and_of_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let script = "<!doctype html><html><title>calm</title><script>document.title='pwned'</script>";
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
    let refused = script.replace("<title>", &format!("{policy}<title>"));
    for (name, html) in [("runs.html", script), ("refused.html", &refused)] {
        let path = folder.path().join(name);
        std::fs::write(&path, html).unwrap();
        let loaded = load(&format!("file://{}", path.display())).await;
        assert_eq!(loaded.title(), if name == "runs.html" { "pwned" } else { "calm" });
        assert_eq!(loaded.console.is_empty(), name == "runs.html", "{:?}", loaded.console);
    }
}

#[tokio::test]
async fn nothing_runs_nothing_is_refused_and_the_document_is_sound() {
    let registry = checklist().await;
    registry.publish(hostile::NAME, "1.0.0", "any", &hostile::bundle()).await;
    for i in 0..25 {
        let name = format!("@bulk/server-{i}");
        registry.publish(&name, "1.0.0", "any", &bundle(&name, "1.0.0")).await;
    }
    let pages = [
        ("/", "mpak – MCP servers you can check before you run them", "Recently published"),
        ("/search?q=hostile", "hostile – search – mpak", "@evil/hostile"),
        ("/search?page=2", "All packages – mpak", "Page 2 of 2"),
        ("/packages/@acme/widget", "@acme/widget – mpak", "turnSprocket"),
        ("/packages/@evil/hostile", "@evil/hostile – mpak", "Visible text."),
        ("/packages/@evil/hostile?view=full", "@evil/hostile – mpak", "tool_299"),
        ("/controls", "Controls – mpak", "CQ-01"),
        ("/controls/CQ-01", "CQ-01 Secret Detection – mpak", "How to fix"),
        (
            "/packages/@evil/%3Cscript%3Edocument.title='pwned'%3C%2Fscript%3E",
            "This package is not here – mpak",
            "All packages",
        ),
    ];
    for (path, title, text) in pages {
        let loaded = load(&format!("{}{path}", registry.url)).await;
        assert_eq!(loaded.title(), title, "{path}");
        assert!(loaded.dom.contains(text), "{path} does not show {text}");
        let missing = |line: &&String| !(title.contains("not here") && line.contains("404"));
        let console: Vec<&String> = loaded.console.iter().filter(missing).collect();
        assert!(console.is_empty(), "{path}: {console:#?}");
        sound(path, &loaded.dom);
    }
}

/// The one page with a script: it draws every operation, opens one and tries it, under its policy and with nothing
/// from elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_the_api_lists_opens_and_tries_operations() {
    let registry = Registry::start().await;
    let described = registry.json("/openapi.json").await;
    let paths = described["paths"].as_object().unwrap().values();
    let count: usize = paths.map(|operations| operations.as_object().unwrap().len()).sum();
    assert!(count > 50, "{count}");
    let url = registry.url.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let mut page = Page::open(browser(), arguments, PATH, &format!("{url}/docs"));
        // 1. All of them are listed.
        let drawn = "document.querySelector('rapi-doc')?.shadowRoot";
        let listed = format!("{drawn}?.querySelectorAll('.nav-bar-path').length || null");
        assert_eq!(page.until(&listed), count);
        assert_eq!(page.worth("document.title"), "mpak API");
        // 2. One is opened.
        page.worth(&format!("{drawn}.getElementById('link-get-/health').click()"));
        assert_eq!(page.until("location.hash === '#get-/health' && location.hash"), "#get-/health");
        let operation = format!("{drawn}.getElementById('get-/health')");
        let text = page.until(&format!("{operation}?.innerText || null"));
        assert!(text.as_str().unwrap().contains("The process answers"), "{text}");
        // 3. And tried, against this registry.
        let request = format!("{operation}.querySelector('api-request').shadowRoot");
        let button = format!("[...{request}.querySelectorAll('button')].find(b => b.innerText === 'TRY')");
        page.until(&format!("{button} ? true : null"));
        page.worth(&format!("{button}.click()"));
        let answered = format!(r#"/"status": "ok"/.test({request}.textContent) && {request}.textContent"#);
        let answer = page.until(&answered);
        assert!(answer.as_str().unwrap().contains("OK:200"), "{answer}");
        assert!(page.console.is_empty(), "{:#?}", page.console);
        std::mem::take(&mut page.requests)
    });
    let asked = asked.await.unwrap();
    for path in ["/docs", "/openapi.json", "/health"] {
        assert!(asked.contains(&format!("{}{path}", registry.url)), "{path}: {asked:#?}");
    }
    let foreign = |url: &&String| !url.starts_with(&format!("{}/", registry.url)) && !url.starts_with("data:");
    assert_eq!(asked.iter().find(foreign), None);
}

#[tokio::test]
async fn an_empty_registry_and_an_assessed_package_are_sound_too() {
    let registry = Registry::start_with(|c| c.scanning.enabled = true).await;
    let empty = load(&format!("{}/", registry.url)).await;
    assert!(empty.dom.contains("Publish the first bundle") && empty.console.is_empty(), "{:?}", empty.console);
    sound("empty home", &empty.dom);
    registry.publish(hostile::NAME, "1.0.0", "any", &hostile::bundle()).await;
    for _ in 0..3_000 {
        if registry.json("/v1/bundles/@evil/hostile/security").await["status"] == "completed" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let judged = load(&format!("{}/packages/@evil/hostile?view=full", registry.url)).await;
    assert!(judged.dom.contains("class=\"controls\""), "the report is shown");
    assert_eq!(judged.title(), "@evil/hostile – mpak");
    assert!(judged.console.is_empty(), "{:?}", judged.console);
    sound("judged package", &judged.dom);
}

#[tokio::test]
async fn a_person_signs_in_and_finds_sound_pages() {
    let provider = tokio::task::spawn_blocking(Provider::start).await.unwrap();
    let issuer: url::Url = provider.issuer.parse().unwrap();
    let registry = Registry::start_with(move |config| {
        config.sign_in = Some(SignIn {
            issuer: issuer.clone(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(Secret::new(CLIENT_SECRET)),
            scopes: ["profile", "email", "groups"].map(str::to_owned).to_vec(),
            role_claim: Some("groups".to_owned()),
            admins: vec!["admins".to_owned()],
            publishers: Vec::new(),
            github_claim: None,
        });
    })
    .await;
    for (path, title, text) in [
        ("/sign-in", "Sign in – mpak", "Sign in with 127.0.0.1"),
        // By the provider and back, each time in a fresh browser.
        ("/auth/start?return=/account", "Your account – mpak", "<h1>alice</h1>"),
        ("/auth/start?return=/admin", "Administration – mpak", "alice@people.example"),
        ("/auth/start?return=/device", "Connect a machine – mpak", "Type the code"),
        ("/auth/start?return=/", "mpak – MCP servers you can check before you run them", "alice</a>"),
    ] {
        let loaded = load(&format!("{}{path}", registry.url)).await;
        assert_eq!(loaded.title(), title, "{path}");
        assert!(loaded.dom.contains(text), "{path} does not show {text}: {}", loaded.dom);
        assert!(loaded.console.is_empty(), "{path}: {:#?}", loaded.console);
        sound(path, &loaded.dom);
    }
}

/// One element's start tag.
struct Tag<'a> {
    name: &'a str,
    attributes: HashMap<&'a str, &'a str>,
    /// The text up to the next tag that is not inside this element, roughly: what a reader hears.
    text: String,
}

/// What can be said of a document by its elements alone. The browser wrote the document, so it is regular.
fn sound(path: &str, dom: &str) {
    let tags = tags(dom);
    let of = |name: &'static str| tags.iter().filter(move |t| t.name == name);
    assert_eq!(of("html").next().unwrap().attributes.get("lang"), Some(&"en"), "{path}");
    assert_eq!(of("main").count(), 1, "{path}");
    assert_eq!(of("h1").count(), 1, "{path}");
    for foreign in ["script", "iframe", "object", "embed", "base", "style", "svg", "math"] {
        assert_eq!(of(foreign).count(), 0, "{path} has <{foreign}>");
    }
    // Names: pictures, links, fields.
    for img in of("img") {
        assert!(img.attributes.contains_key("alt"), "{path}: picture without alt");
        assert!(
            img.attributes["src"].starts_with("/assets/") || img.attributes["src"].starts_with("/v1/"),
            "{path}: {}",
            img.attributes["src"]
        );
    }
    for a in of("a").filter(|a| a.attributes.contains_key("href")) {
        assert!(
            !a.text.trim().is_empty() || a.attributes.contains_key("aria-label"),
            "{path}: link to {} has no text",
            a.attributes["href"]
        );
        assert!(!a.attributes["href"].to_lowercase().contains("script:"), "{path}");
    }
    let labelled: HashSet<&str> = of("label").filter_map(|l| l.attributes.get("for").copied()).collect();
    for input in of("input").filter(|i| i.attributes.get("type") != Some(&"hidden")) {
        let named = input.attributes.contains_key("aria-label")
            || input.attributes.get("id").is_some_and(|id| labelled.contains(id));
        assert!(named, "{path}: field without label");
    }
    // Ids are unique and references lead somewhere.
    let mut ids = HashSet::new();
    for id in tags.iter().filter_map(|t| t.attributes.get("id")) {
        assert!(ids.insert(*id), "{path}: id {id} twice");
    }
    for tag in &tags {
        let local = tag.attributes.get("href").and_then(|h| h.strip_prefix('#'));
        let references = [local, tag.attributes.get("for").copied(), tag.attributes.get("aria-labelledby").copied()];
        for id in references.into_iter().flatten() {
            assert!(ids.contains(id), "{path}: nothing has the id {id}");
        }
        let handler = tag.attributes.keys().find(|name| name.starts_with("on") || **name == "style");
        assert!(handler.is_none(), "{path}: {} has {handler:?}", tag.name);
    }
    // Headings go down one level at a time.
    let mut level = 0;
    for tag in &tags {
        let Some(next) = tag.name.strip_prefix('h').and_then(|n| n.parse::<u32>().ok()) else { continue };
        assert!(next <= level + 1, "{path}: <h{next}> after <h{level}>: {}", tag.text);
        level = next;
    }
}

fn tags(dom: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    for (at, _) in dom.match_indices('<') {
        let rest = &dom[at + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() {
            continue;
        }
        let (attributes, after) = attributes(&rest[end..]);
        let inner = after.split_once(&format!("</{name}>")).map_or("", |(inner, _)| inner);
        let text = inner
            .split('<')
            .enumerate()
            .map(|(i, part)| if i == 0 { part } else { part.split_once('>').map_or("", |p| p.1) });
        tags.push(Tag { name, attributes, text: text.collect() });
    }
    tags
}

/// Attributes as the browser writes them: `name="value"`; the text after the tag.
fn attributes(mut rest: &str) -> (HashMap<&str, &str>, &str) {
    let mut found = HashMap::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        let Some((name, value)) = rest.split_once("=\"") else { return (found, "") };
        let Some((value, after)) = value.split_once('"') else { return (found, "") };
        found.insert(name, value);
        rest = after;
    }
}
