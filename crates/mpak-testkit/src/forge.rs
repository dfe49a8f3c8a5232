//! A forge on loopback: the parts of GitHub's and GitLab's API that a registry asks, and the server that
//! delivers release assets, well or badly.
//!
//! Spec: GitHub REST API 2022-11-28 (releases, contents, git refs, attestations, users); GitLab API v4 (releases); Forgejo API v1 (tags).

#![expect(clippy::missing_panics_doc, reason = "a stand-in that cannot be started ends the test")]

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::issuer::id_of;

/// How an asset is delivered.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// As it is.
    Whole(Vec<u8>),
    /// A byte at a time.
    Trickle(Vec<u8>, Duration),
    /// From somewhere else.
    Redirect(String),
    /// Zeros without end.
    Endless,
    /// With a `Content-Length` that is too large, and an end before it.
    Short(Vec<u8>, u64),
    /// Half of it, then nothing until [`Forge::kill`].
    Half(Vec<u8>),
    /// With an error.
    Status(StatusCode),
}

#[derive(Clone, Debug)]
struct Asset {
    delivery: Delivery,
    /// Requests for the release that do not list it yet.
    hidden_requests: usize,
}

#[derive(Default)]
struct Content {
    url: String,
    /// By repository and tag: assets by name.
    releases: BTreeMap<(String, String), BTreeMap<String, Asset>>,
    /// By repository, reference and path.
    files: BTreeMap<(String, String, String), Vec<u8>>,
    /// Commits by repository and tag.
    tags: BTreeMap<(String, String), String>,
    /// Attestations by repository and digest (`sha256:…`).
    attestations: BTreeMap<(String, String), Vec<Value>>,
    /// Number and first day of accounts, by name.
    accounts: BTreeMap<String, (u64, String)>,
    /// Numbers of repositories that are not those that their names decide.
    numbers: BTreeMap<String, u64>,
    /// Numbers of GitLab projects.
    projects: BTreeMap<String, String>,
    /// What releases answer instead.
    outage: Option<StatusCode>,
    /// What tags answer instead.
    tag_outage: Option<StatusCode>,
    /// What the store of attestations answers instead.
    attestations_outage: Option<StatusCode>,
    /// Longest time before a release is told.
    pause: Duration,
    requests: Vec<String>,
    proxied: usize,
}

/// A running forge.
pub struct Forge {
    content: Arc<Mutex<Content>>,
    killed: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Drop for Forge {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Shared {
    content: Arc<Mutex<Content>>,
    killed: watch::Receiver<bool>,
}

impl Forge {
    /// Starts one without any repository.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let content = Arc::new(Mutex::new(Content { url, ..Content::default() }));
        let (killed, receiver) = watch::channel(false);
        let shared = Shared { content: Arc::clone(&content), killed: receiver };
        let router = Router::new().fallback(answer).with_state(shared);
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the stand-in serves");
        });
        Self { content, killed, server }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("no test panicked here")
    }

    /// `http://127.0.0.1:PORT`, which is also the base of the API.
    pub fn url(&self) -> String {
        self.content().url.clone()
    }

    /// Names itself by another address, under which others reach it.
    pub fn set_url(&self, url: &str) {
        url.clone_into(&mut self.content().url);
    }

    /// Publishes a release without assets.
    pub fn release(&self, repository: &str, tag: &str) {
        self.content().releases.entry((repository.to_owned(), tag.to_owned())).or_default();
    }

    /// Adds or replaces an asset of a release, which is published if need be.
    pub fn asset(&self, repository: &str, tag: &str, name: &str, delivery: Delivery) {
        self.asset_later(repository, tag, name, delivery, 0);
    }

    /// Adds an asset that the first requests for the release do not see.
    pub fn asset_later(&self, repository: &str, tag: &str, name: &str, delivery: Delivery, hidden_requests: usize) {
        let mut content = self.content();
        let release = content.releases.entry((repository.to_owned(), tag.to_owned())).or_default();
        release.insert(name.to_owned(), Asset { delivery, hidden_requests });
    }

    /// Puts a file into a repository at a tag or branch.
    pub fn file(&self, repository: &str, reference: &str, path: &str, text: impl Into<Vec<u8>>) {
        let key = (repository.to_owned(), reference.to_owned(), path.to_owned());
        self.content().files.insert(key, text.into());
    }

    /// Lets a tag mean a commit.
    pub fn tag(&self, repository: &str, tag: &str, sha: &str) {
        self.content().tags.insert((repository.to_owned(), tag.to_owned()), sha.to_owned());
    }

    /// Keeps an attestation of a digest (`sha256:…`).
    pub fn attest(&self, repository: &str, digest: &str, bundle: Value) {
        let key = (repository.to_owned(), digest.to_owned());
        self.content().attestations.entry(key).or_default().push(bundle);
    }

    /// Opens an account at a time (RFC 3339).
    pub fn account(&self, name: &str, id: u64, created_at: &str) {
        self.content().accounts.insert(name.to_owned(), (id, created_at.to_owned()));
    }

    /// Gives a GitLab project its number.
    pub fn project(&self, path: &str, id: &str) {
        self.content().projects.insert(id.to_owned(), path.to_owned());
    }

    /// Another repository has the name from now on.
    pub fn replace_repository(&self, repository: &str, number: u64) {
        self.content().numbers.insert(repository.to_owned(), number);
    }

    /// Answers questions about releases with an error, or well again.
    pub fn set_outage(&self, status: Option<StatusCode>) {
        self.content().outage = status;
    }

    /// Answers questions about tags with an error, or well again.
    pub fn set_tag_outage(&self, status: Option<StatusCode>) {
        self.content().tag_outage = status;
    }

    /// Answers questions about attestations with an error, or well again.
    pub fn set_attestations_outage(&self, status: Option<StatusCode>) {
        self.content().attestations_outage = status;
    }

    /// Thinks this long before it tells of a release.
    pub fn set_pause(&self, pause: Duration) {
        self.content().pause = pause;
    }

    /// Paths that were asked for, with queries, in order.
    pub fn requests(&self) -> Vec<String> {
        self.content().requests.clone()
    }

    /// How many requests came in the way that proxies are asked.
    pub fn proxied(&self) -> usize {
        self.content().proxied
    }

    /// Ends all deliveries where they are and answers no more.
    pub fn kill(&self) {
        self.killed.send_replace(true);
        self.server.abort();
    }
}

async fn answer(State(shared): State<Shared>, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    let text = uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let pause = {
        let mut content = shared.content.lock().expect("no test panicked here");
        content.requests.push(text);
        content.proxied += usize::from(uri.authority().is_some());
        content.pause
    };
    if !pause.is_zero() && uri.path().contains("/releases/tags/") {
        tokio::time::sleep(pause).await;
    }
    assert!(headers.get(header::AUTHORIZATION).is_none(), "nobody sends a secret to a forge");
    let segments: Vec<String> = uri.path().split('/').skip(1).map(decoded).collect();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match parts[..] {
        ["repos", owner, name, "releases", "tags", tag] => github_release(&shared, &format!("{owner}/{name}"), tag),
        ["repos", owner, name, "git", "ref", "tags", tag] => github_tag(&shared, &format!("{owner}/{name}"), tag),
        ["repos", owner, name, "tags", tag] => forgejo_tag(&shared, &format!("{owner}/{name}"), tag),
        ["repos", owner, name, "attestations", digest] => attestations(&shared, &format!("{owner}/{name}"), digest),
        ["users", name] => account(&shared, name),
        ["repos", owner, name] => github_repository(&shared, &format!("{owner}/{name}")),
        ["repos", owner, name, "contents", ref path @ ..] => {
            let reference = uri.query().and_then(|q| q.strip_prefix("ref=")).map(decoded).unwrap_or_default();
            github_file(&shared, &format!("{owner}/{name}"), &reference, &path.join("/"))
        }
        ["projects", project, "repository", "files", path] => {
            let reference = uri.query().and_then(|q| q.strip_prefix("ref=")).map(decoded).unwrap_or_default();
            let repository = shared.content.lock().expect("no test panicked here").projects.get(project).cloned();
            github_file(&shared, &repository.unwrap_or_else(|| project.to_owned()), &reference, path)
        }
        ["projects", project, "releases", tag] => gitlab_release(&shared, project, tag),
        [ref repository @ .., "releases", "download", tag, name] => deliver(&shared, &repository.join("/"), tag, name),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Percent-decoded.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).unwrap_or(0);
        bytes.push(if byte == b'%' { (digit(rest.next()) * 16 + digit(rest.next())) as u8 } else { byte });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

fn json_answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], value.to_string()).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, json_answer(&json!({"message": "Not Found", "status": "404"}))).into_response()
}

/// Name and address of the assets that are to be seen, or nothing without such a release.
#[expect(clippy::result_large_err, reason = "a stand-in's answers are few")]
fn visible(shared: &Shared, repository: &str, tag: &str) -> Result<Vec<(String, String)>, Response> {
    let mut content = shared.content.lock().expect("no test panicked here");
    if let Some(status) = content.outage {
        return Err(status.into_response());
    }
    let base = format!("{}/{repository}/releases/download/{}", content.url, encoded(tag));
    let release = content.releases.get_mut(&(repository.to_owned(), tag.to_owned())).ok_or_else(not_found)?;
    let mut seen = Vec::new();
    for (name, asset) in release {
        if asset.hidden_requests > 0 {
            asset.hidden_requests -= 1;
        } else {
            seen.push((name.clone(), format!("{base}/{}", encoded(name))));
        }
    }
    Ok(seen)
}

/// Every name has a repository, with the number that claims of builds say.
fn github_repository(shared: &Shared, repository: &str) -> Response {
    let other = shared.content.lock().expect("no test panicked here").numbers.get(repository).copied();
    let number = other.or_else(|| id_of(repository).parse().ok());
    json_answer(&json!({"id": number, "full_name": repository}))
}

fn github_release(shared: &Shared, repository: &str, tag: &str) -> Response {
    match visible(shared, repository, tag) {
        Err(response) => response,
        Ok(assets) => {
            let url = format!("https://github.com/{repository}/releases/tag/{tag}");
            let assets = assets.into_iter().map(|(name, url)| json!({"name": name, "browser_download_url": url}));
            let assets: Vec<Value> = assets.collect();
            json_answer(&json!({"id": 1, "tag_name": tag, "html_url": url, "draft": false, "assets": assets}))
        }
    }
}

fn gitlab_release(shared: &Shared, project: &str, tag: &str) -> Response {
    let (path, sha) = {
        let content = shared.content.lock().expect("no test panicked here");
        let path = content.projects.get(project).cloned().unwrap_or_else(|| project.to_owned());
        let sha = content.tags.get(&(path.clone(), tag.to_owned())).cloned();
        (path, sha)
    };
    match visible(shared, &path, tag) {
        Err(response) => response,
        Ok(assets) => {
            let links =
                assets.into_iter().map(|(name, url)| json!({"name": name, "url": url, "direct_asset_url": url}));
            let links: Vec<Value> = links.collect();
            json_answer(&json!({
                "tag_name": tag, "commit": {"id": sha}, "assets": {"links": links, "sources": []},
                "_links": {"self": format!("https://gitlab.com/{path}/-/releases/{tag}")},
            }))
        }
    }
}

/// The commit of a tag, told in a forge's own form.
fn tag_answer(shared: &Shared, repository: &str, tag: &str, told: impl FnOnce(&str) -> Value) -> Response {
    let content = shared.content.lock().expect("no test panicked here");
    if let Some(status) = content.tag_outage {
        return status.into_response();
    }
    match content.tags.get(&(repository.to_owned(), tag.to_owned())) {
        None => not_found(),
        Some(sha) => json_answer(&told(sha)),
    }
}

fn github_tag(shared: &Shared, repository: &str, tag: &str) -> Response {
    let told = |sha: &str| json!({"ref": format!("refs/tags/{tag}"), "object": {"type": "commit", "sha": sha}});
    tag_answer(shared, repository, tag, told)
}

fn forgejo_tag(shared: &Shared, repository: &str, tag: &str) -> Response {
    tag_answer(shared, repository, tag, |sha| json!({"name": tag, "commit": {"sha": sha}}))
}

fn github_file(shared: &Shared, repository: &str, reference: &str, path: &str) -> Response {
    let content = shared.content.lock().expect("no test panicked here");
    let key = (repository.to_owned(), reference.to_owned(), path.to_owned());
    match content.files.get(&key) {
        None => not_found(),
        Some(text) => json_answer(&json!({"path": path, "encoding": "base64", "content": STANDARD.encode(text)})),
    }
}

fn attestations(shared: &Shared, repository: &str, digest: &str) -> Response {
    let content = shared.content.lock().expect("no test panicked here");
    if let Some(status) = content.attestations_outage {
        return status.into_response();
    }
    match content.attestations.get(&(repository.to_owned(), digest.to_owned())) {
        None => not_found(),
        Some(all) => {
            let all: Vec<Value> = all.iter().map(|bundle| json!({"bundle": bundle, "repository_id": 1})).collect();
            json_answer(&json!({"attestations": all}))
        }
    }
}

fn account(shared: &Shared, name: &str) -> Response {
    let content = shared.content.lock().expect("no test panicked here");
    match content.accounts.get(name) {
        None => not_found(),
        Some((id, created_at)) => json_answer(&json!({"login": name, "id": id, "created_at": created_at})),
    }
}

fn deliver(shared: &Shared, repository: &str, tag: &str, name: &str) -> Response {
    let key = (repository.to_owned(), tag.to_owned());
    let found =
        shared.content.lock().expect("no test panicked here").releases.get(&key).and_then(|r| r.get(name)).cloned();
    let Some(asset) = found else { return not_found() };
    let length = |length: u64| [(header::CONTENT_LENGTH, length)];
    match asset.delivery {
        Delivery::Whole(bytes) => bytes.into_response(),
        Delivery::Status(status) => status.into_response(),
        Delivery::Redirect(url) => (StatusCode::FOUND, [(header::LOCATION, url)]).into_response(),
        Delivery::Trickle(bytes, pause) => {
            Body::from_stream(stream::unfold(bytes.into_iter(), move |mut rest| async move {
                tokio::time::sleep(pause).await;
                let byte = rest.next()?;
                Some((Ok::<_, io::Error>(Bytes::from(vec![byte])), rest))
            }))
            .into_response()
        }
        Delivery::Endless => Body::from_stream(stream::unfold((), |()| async {
            Some((Ok::<_, io::Error>(Bytes::from(vec![0; 65_536])), ()))
        }))
        .into_response(),
        Delivery::Short(bytes, claimed) => {
            let pieces = [Ok(Bytes::from(bytes)), Err(io::Error::other("the stand-in ends here"))];
            (length(claimed), Body::from_stream(stream::iter(pieces))).into_response()
        }
        Delivery::Half(bytes) => {
            let killed = shared.killed.clone();
            let half = Bytes::from(bytes[..bytes.len() / 2].to_vec());
            let pieces = stream::unfold((Some(half), killed), |(half, mut killed)| async move {
                if let Some(half) = half {
                    return Some((Ok(half), (None, killed)));
                }
                let _ = killed.wait_for(|killed| *killed).await;
                Some((Err(io::Error::other("the stand-in was killed")), (None, killed)))
            });
            (length(bytes.len() as u64), Body::from_stream(pieces)).into_response()
        }
    }
}
