//! A real `mpak serve` on PostgreSQL and an object store, with a forge that it fetches from, and a proxy
//! before each.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mpak_bundle::digest::Sha256;
use mpak_testkit::emulators::{Call, Emulator, Protocol};
use mpak_testkit::forge::{Delivery, Forge};
use mpak_testkit::issuer::{Issuer, SHA, Stamp, github_claims};
use mpak_testkit::postgres::Database;
use mpak_testkit::proxy::Proxy;
use mpak_testkit::zip::{ZipBuilder, good_manifest};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::http::{Answer, Request};
use super::stage::{By, Mode, Stage, Struck, Wire};
use crate::registry::Registry;
use crate::world::World;

/// Longest wait for something that happens soon.
const SOON: Duration = Duration::from_secs(30);
/// More than a socket takes at once.
const NOISE_BYTES: usize = 256 << 10;
/// More than the store takes in one piece.
const NOISE_BYTES_LARGE: usize = 9 << 20;
/// Of the builds that announce.
pub const REPOSITORY: &str = "acme/widget";

/// One store of each protocol for all sites, each below a prefix of its own. They end with this process.
static STORES: [(Protocol, LazyLock<Emulator>); 3] = [
    (Protocol::S3, LazyLock::new(|| Emulator::start(Protocol::S3))),
    (Protocol::Google, LazyLock::new(|| Emulator::start(Protocol::Google))),
    (Protocol::Azure, LazyLock::new(|| Emulator::start(Protocol::Azure))),
];
static NUMBER: AtomicUsize = AtomicUsize::new(1);

/// All of it.
pub struct Site {
    protocol: Protocol,
    store: &'static Emulator,
    /// In the store.
    prefix: String,
    pub mode: Mode,
    /// Whether the store itself gives the bytes.
    pub is_redirecting: bool,
    pub world: World,
    pub database: Database,
    database_way: Proxy,
    store_way: Proxy,
    issuer_way: Proxy,
    release_way: Proxy,
    issuer: Issuer,
    forge: Forge,
    registry: Option<Registry>,
    token: String,
    /// Issuer and forge answer as long as it runs.
    _runtime: Runtime,
}

/// A bundle that is to be published, under a name of its own.
pub struct Bundle {
    pub name: String,
    pub bytes: Vec<u8>,
    manifest: Value,
}

impl Bundle {
    /// With noise that no compression makes small, so that no two have the same bytes.
    pub fn new(name: &str, is_large: bool) -> Self {
        let manifest = Self::manifest(name);
        let mut state = u64::from_be_bytes(Sha256::of(name.as_bytes()).as_bytes()[..8].try_into().unwrap()) | 1;
        let noise = (0..if is_large { NOISE_BYTES_LARGE } else { NOISE_BYTES } / 8).flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()
        });
        let mut zip = ZipBuilder::with_manifest(&manifest);
        zip.file("noise", noise.collect::<Vec<_>>());
        Self { name: name.to_owned(), bytes: zip.build(), manifest }
    }

    /// With any bytes; whether they are a bundle of that name is the caller's business.
    pub fn of(name: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), bytes, manifest: Self::manifest(name) }
    }

    fn manifest(name: &str) -> Value {
        let mut manifest = good_manifest();
        manifest["name"] = name.rsplit('/').next().unwrap().into();
        manifest["version"] = "1.0.0".into();
        manifest
    }

    /// As an asset of a release.
    pub fn file(&self) -> String {
        format!("{}.mcpb", self.name.rsplit('/').next().unwrap())
    }

    /// Its digest: the first two digits, the others.
    fn digest(&self) -> (String, String) {
        let mut hex = Sha256::of(&self.bytes).to_string();
        let others = hex.split_off(2);
        (hex, others)
    }
}

/// Host and port of an URL.
fn address(url: &str) -> SocketAddr {
    let rest = url.split("://").nth(1).unwrap();
    let authority = rest.split('/').next().unwrap();
    authority.rsplit('@').next().unwrap().parse().unwrap()
}

impl Site {
    /// On S3, whose bytes are kept.
    pub fn start() -> Self {
        Self::start_on(Protocol::S3, Mode::Mirror)
    }

    pub fn start_on(protocol: Protocol, mode: Mode) -> Self {
        Self::start_with(protocol, mode, false)
    }

    /// Downloads get signed addresses of the store.
    pub fn start_redirecting(protocol: Protocol) -> Self {
        Self::start_with(protocol, Mode::Mirror, true)
    }

    fn start_with(protocol: Protocol, mode: Mode, is_redirecting: bool) -> Self {
        let (_, store) = STORES.iter().find(|(of, _)| *of == protocol).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (issuer, forge) = runtime.block_on(async { (Issuer::start().await, Forge::start().await) });
        let database = Database::create();
        let database_way = Proxy::start(address(&database.url()));
        let store_way = Proxy::start(address(&store.endpoint()));
        let (issuer_way, release_way) = (Proxy::start(address(&issuer.url())), Proxy::start(address(&forge.url())));
        let release_url = release_way.instead(&forge.url());
        forge.set_url(&release_url);
        let prefix = format!("site-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let world = World::new();
        // Without kept statements every statement's text goes over the wire.
        let config = format!(
            "data = 'registry'\n\
             [database]\nurl = '{}?statement-cache-capacity=0'\n\
             [storage]\nmode = '{}'\ndownloads = '{}'\nurl = '{}'\nendpoint = '{}'\npath_style = true\n\
             {}secret_access_key = '{}'\n\
             [[publishing.issuer]]\nkind = 'github'\nissuer = '{}'\njwks_url = '{}/.well-known/jwks'\n\
             api_url = '{release_url}'\n\
             [outbound]\nallow_loopback = true\n\
             [rates]\npublishes_per_minute = 0\nreads_per_minute = 0\n",
            database_way.instead(&database.url()),
            mode.as_str(),
            if is_redirecting { "redirect" } else { "stream" },
            store.url_below(&prefix),
            store_way.instead(&store.endpoint()),
            store.access_key_id().map_or_else(String::new, |id| format!("access_key_id = '{id}'\n")),
            store.secret_access_key(),
            issuer.url(),
            issuer_way.instead(&issuer.url()),
        );
        world.write("site.toml", config);
        let registry = Registry::start_configured(&world, "site");
        let token = registry.token.clone();
        let registry = Some(registry);
        Self {
            protocol,
            store,
            prefix,
            mode,
            is_redirecting,
            world,
            database,
            database_way,
            store_way,
            issuer_way,
            release_way,
            issuer,
            forge,
            registry,
            token,
            _runtime: runtime,
        }
    }

    /// Where the registry is.
    pub fn url(&self) -> String {
        self.registry.as_ref().unwrap().url.clone()
    }

    /// Its configuration file.
    pub fn config(&self) -> String {
        self.world.path("site.toml").display().to_string()
    }

    /// Allows publishing everything.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// How the request for a call about a bundle's blob begins.
    pub fn begin_of(&self, call: Call, bundle: &Bundle) -> String {
        let (first, others) = bundle.digest();
        self.protocol.begin_of(call, &format!("{}/sha256/{first}/{others}", self.prefix))
    }

    /// The proxy of a wire; the client's has none.
    pub fn way(&self, wire: Wire) -> Option<&Proxy> {
        match wire {
            Wire::Client => None,
            Wire::Database => Some(&self.database_way),
            Wire::Store => Some(&self.store_way),
            Wire::Issuer => Some(&self.issuer_way),
            Wire::Release => Some(&self.release_way),
        }
    }

    /// Strikes.
    pub fn strike(&mut self, struck: Struck) {
        match struck {
            Struck::Process => {
                self.registry.take().unwrap().kill();
                // What it had not sent will never be.
                for way in [&self.database_way, &self.store_way, &self.issuer_way, &self.release_way] {
                    way.cut();
                }
            }
            Struck::Database => self.database_way.cut(),
            Struck::Outage => self.database_way.down(),
            Struck::Store => self.store_way.down(),
            Struck::Release => {
                self.issuer_way.down();
                self.release_way.down();
            }
        }
    }

    /// Kills the process, and leaves to what it had sent its way.
    pub fn kill(&mut self) {
        self.registry.take().unwrap().kill();
    }

    /// Brings everything back.
    pub fn mend(&mut self) {
        for way in [&self.database_way, &self.store_way, &self.issuer_way, &self.release_way] {
            way.up();
        }
        // A scan that was begun is taken up again when its lease ends; nobody here waits a minute.
        self.database.execute("UPDATE jobs SET leased_until_ms = 1 WHERE state = 'running'");
        if self.registry.is_none() {
            self.registry = Some(Registry::start_again(&self.world, "site", &self.token));
        }
    }

    /// Begins to upload a bundle.
    pub fn begin_upload(&self, bundle: &Bundle) -> Request {
        let path = format!("/api/v1/packages/{}/versions/1.0.0/artifacts/any", bundle.name);
        let token = format!("authorization: Bearer {}", self.token);
        Request::begin(&self.url(), "PUT", &path, &[&token], bundle.bytes.len())
    }

    /// Releases a bundle, from where a redirect leads, and gives what announces it.
    pub fn release(&self, bundle: &Bundle) -> Announcement {
        let at = format!("{}/acme/storage/releases/download/v1.0.0/{}", self.forge.url(), bundle.file());
        self.redeliver(bundle, Delivery::Whole(bundle.bytes.clone()));
        self.forge.asset(REPOSITORY, "v1.0.0", &bundle.file(), Delivery::Redirect(at));
        self.forge.tag(REPOSITORY, "v1.0.0", SHA);
        Announcement::of(&self.issuer, bundle)
    }

    /// Begins to announce, all at once; the same token is good for every try.
    pub fn begin_announce(&self, announcement: &Announcement) -> Request {
        announcement.begin(&self.url())
    }

    /// Delivers a released bundle in another way.
    pub fn redeliver(&self, bundle: &Bundle, delivery: Delivery) {
        self.forge.asset("acme/storage", "v1.0.0", &bundle.file(), delivery);
    }

    /// Begins to ask for a bundle.
    pub fn begin_ask(&self, bundle: &Bundle, by: By) -> Request {
        let (first, others) = bundle.digest();
        let path = match by {
            By::Digest => format!("/blobs/sha256/{first}/{others}"),
            By::Name | By::Json => format!("/v1/bundles/{}/versions/1.0.0/download", bundle.name),
        };
        let accept = if by == By::Json { "accept: application/json" } else { "accept: */*" };
        Request::begin(&self.url(), "GET", &path, &[accept], 0)
    }

    /// Begins to download; not counted, so that nothing is written because of it.
    pub fn begin_download(&self, name: &str) -> Request {
        let path = format!("/v1/bundles/{name}/versions/1.0.0/download");
        Request::begin(&self.url(), "GET", &path, &["accept: */*", "range: bytes=0-"], 0)
    }

    /// The address at the store that the head of an answer leads to, from its first slash on.
    pub fn signed_path(&self, head: &str) -> String {
        let address = head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
        let endpoint = self.store_way.instead(&self.store.endpoint());
        let origin = endpoint.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let path = address.strip_prefix(&endpoint).and_then(|_| address.strip_prefix(&origin));
        path.unwrap_or_else(|| panic!("{address} is not of {endpoint}")).to_owned()
    }

    /// How the request for the bytes of a bundle begins at a signed address, whoever sends it.
    pub fn begin_of_signed(&self, bundle: &Bundle) -> String {
        let Answer::Whole { head, .. } = self.begin_ask(bundle, By::Name).answer() else { panic!("no address") };
        format!("GET {}?", self.signed_path(&head).split('?').next().unwrap())
    }

    /// Begins to ask the store where the head of an answer leads to.
    pub fn begin_follow(&self, head: &str) -> Request {
        let endpoint = self.store_way.instead(&self.store.endpoint());
        let origin = endpoint.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        Request::begin(&origin, "GET", &self.signed_path(head), &[], 0)
    }

    /// Waits until half of an upload lies in the staging folder.
    pub fn wait_for_staged(&self) {
        until("a staged upload", || self.staged() > 0);
    }

    /// Files of the staging folder.
    fn staged(&self) -> usize {
        std::fs::read_dir(self.world.path("registry/tmp")).unwrap().count()
    }

    /// Waits until nothing of earlier publishes is still to be done; what failed is done some time later.
    pub fn settle(&self) {
        let due = "SELECT count(*) FROM jobs WHERE state <> 'failed' AND run_at_ms <= extract(epoch FROM now()) * 1000";
        until("the end of all jobs", || self.database.number(due) == 0);
    }

    /// Asserts that database, blobs and events agree.
    #[track_caller]
    pub fn assert_agrees(&self) {
        let verified = self.world.mpak(&["admin", "verify", "--config", &self.config(), "--json"]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    }

    /// Asserts that the version is there, whole and once, or not at all.
    #[track_caller]
    pub fn assert_published(&self, bundle: &Bundle, is_published: bool) {
        match self.begin_download(&bundle.name).answer() {
            Answer::Whole { status: 206, body, .. } if is_published && self.mode == Mode::Mirror => {
                assert!(body == bundle.bytes, "other bytes");
            }
            Answer::Whole { status: 302, head, .. } if is_published && self.mode == Mode::Link => {
                let release = format!(
                    "\r\nlocation: {}/{REPOSITORY}/releases/download/v1.0.0/{}\r\n",
                    self.forge.url(),
                    bundle.file()
                );
                assert!(head.contains(&release), "{head}");
            }
            Answer::Whole { status: 302, head, .. } if is_published && self.is_redirecting => {
                let given = self.begin_follow(&head).answer();
                assert!(given.body() == bundle.bytes, "other bytes: {}", given.status());
            }
            Answer::Whole { status: 404, .. } if !is_published => {}
            other => panic!("published: {is_published}, but {} {}", other.status(), other.json()),
        }
        let rows = "SELECT count(*) FROM artifacts a JOIN versions v ON v.id = a.version_id \
                    JOIN packages p ON p.id = v.package_id WHERE p.name";
        let events = "SELECT count(*) FROM events WHERE kind = 'artifact_published' AND package";
        for counted in [rows, events] {
            let found = self.database.number(&format!("{counted} = '{}'", bundle.name));
            assert_eq!(found, i64::from(is_published), "{counted}");
        }
        until("an empty staging folder", || self.staged() == 0);
    }

    /// The sentence of an error, after checking that it is one of ours for a fault.
    #[track_caller]
    pub fn assert_unavailable(&self, answer: &Answer, words: &str, stage: Stage) {
        let Answer::Whole { status, head, .. } = answer else { panic!("{stage:?}: cut instead of: {words}") };
        let error = &answer.json()["error"];
        assert_eq!(
            (*status, &error["code"]),
            (503, &"SERVICE_UNAVAILABLE".into()),
            "{stage:?}: {error}\n{}",
            std::fs::read_to_string(self.world.path("site.log")).unwrap()
        );
        assert!(error["message"].as_str().unwrap().contains(words), "{stage:?}: expected {words}: {error}");
        assert!(head.contains("\r\nretry-after: "), "{head}");
    }
}

/// What a build sends.
pub struct Announcement {
    token: String,
    body: Vec<u8>,
}

impl Announcement {
    /// Of a bundle that is released as [`Bundle::file`] of [`REPOSITORY`]'s `v1.0.0`.
    pub fn of(issuer: &Issuer, bundle: &Bundle) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let url = issuer.url();
        let issued_at = i64::try_from(now).unwrap();
        let stamp = Stamp { issuer: &url, audience: "https://mpak.dev", issued_at, jti: &bundle.name };
        let body = json!({
            "name": bundle.name, "version": "1.0.0", "manifest": bundle.manifest, "release_tag": "v1.0.0",
            "prerelease": false,
            "artifact": {
                "filename": bundle.file(), "os": "any", "arch": "any",
                "sha256": Sha256::of(&bundle.bytes).to_string(), "size": bundle.bytes.len(),
            },
        });
        Self { token: issuer.token(&github_claims(stamp, REPOSITORY, "v1.0.0")), body: body.to_string().into_bytes() }
    }

    /// Begins to send it to a registry.
    pub fn begin(&self, url: &str) -> Request {
        let token = format!("authorization: Bearer {}", self.token);
        let headers = [&*token, "content-type: application/json"];
        let mut request = Request::begin(url, "POST", "/v1/bundles/announce", &headers, self.body.len());
        request.send(&self.body);
        request
    }
}

/// Waits for what another process does.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}
