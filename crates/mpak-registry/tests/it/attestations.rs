//! Level 3 in a registry: attestations that a forge has of a release are found, kept, verified and shown.

use std::sync::Arc;
use std::time::Duration;

use mpak_bundle::archive::Archive;
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_scan::advisories::Builder;
use mpak_testkit::forge::Delivery;
use mpak_testkit::issuer::SHA;
use mpak_testkit::levels::fixture;
use mpak_testkit::sigstore::{Sigstore, Spoil, Workload};
use mpak_testkit::zip::temporary;
use serde_json::{Value, json};

use crate::ci::{Ci, answer};
use crate::world::DAY_MS;

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const NAME: &str = "@acme/greeter";
const REPOSITORY: &str = "acme/greeter";

/// A registry that scans, GitHub under its own name beside it, and Sigstore's services.
struct World {
    ci: Ci,
    services: Arc<Sigstore>,
    bytes: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let (folder, services) = (tempfile::tempdir().unwrap(), Arc::new(Sigstore::new()));
        let root = folder.path().join("trusted_root.json");
        std::fs::write(&root, services.trusted_root().to_string()).unwrap();
        let advisories = folder.path().join("advisories");
        std::fs::write(&advisories, snapshot()).unwrap();
        let ci = Ci::start_with(move |config| {
            config.scanning.enabled = true;
            config.scanning.trust_root = Some(root.clone());
            config.advisories = Some(advisories.clone());
            let issuer = &mut config.publishing.issuer[0];
            issuer.jwks_url = Some(format!("{}.well-known/jwks", issuer.issuer).parse().unwrap());
            issuer.issuer = GITHUB.parse().unwrap();
        })
        .await;
        let world = Self { ci, services, bytes: fixture(3).bytes, _folder: folder };
        world.ci.forge.tag(REPOSITORY, "v1.0.0", SHA);
        world
    }

    /// Announced with a token of GitHub's.
    async fn announce(&self) {
        let limits = Limits::default();
        let archive = Archive::open(temporary(&self.bytes), &limits).unwrap();
        let manifest = archive.read(archive.entry("manifest.json").unwrap(), 1 << 20).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let released = self.ci.release_of(REPOSITORY, NAME, "1.0.0", ("any", "any"), &manifest, &self.bytes);
        let token = self.ci.issuer.token(&self.claims());
        let (status, body) = answer(self.ci.post(&token, &released.body)).await;
        assert_eq!(status, 200, "{body}");
    }

    fn claims(&self) -> Value {
        let mut claims = self.ci.claims(REPOSITORY, "v1.0.0");
        claims["iss"] = GITHUB.into();
        claims
    }

    /// The workflow that announces.
    fn workload(&self) -> Workload {
        let claims = self.claims();
        let text = |name: &str| claims[name].as_str().unwrap().to_owned();
        Workload {
            repository_id: text("repository_id"),
            owner_id: text("repository_owner_id"),
            ..Workload::github(REPOSITORY, "v1.0.0", SHA)
        }
    }

    fn attested(&self, workload: &Workload) -> Value {
        self.services.attest(workload, &workload.provenance(&self.bytes), Spoil::Nothing)
    }

    /// The account of the owner, and two people who own the package.
    async fn establish(&self) {
        let id = self.workload().owner_id.parse().unwrap();
        self.ci.forge.account("acme", id, "2019-05-04T03:02:01Z");
        for login in ["ada", "bob"] {
            let (config, clock) = (self.ci.registry.config(), self.ci.registry.clock());
            let add = move || mpak_registry::admin::person::add(&config, login, None, "publisher", &clock).unwrap();
            tokio::task::spawn_blocking(add).await.unwrap();
        }
    }

    async fn owned(&self) {
        for login in ["ada", "bob"] {
            let url = format!("{}/api/v1/packages/{NAME}/owners/{login}", self.ci.registry.url);
            let (status, body) = answer(self.ci.registry.client.put(url).bearer_auth(&self.ci.registry.token)).await;
            assert_eq!(status, 200, "{body}");
        }
    }

    async fn report(&self, ready: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/v1/packages/{NAME}/versions/1.0.0/artifacts/any/report");
        for _ in 0..1_500 {
            let body = self.ci.registry.json(&path).await;
            if body["status"] == "completed" && ready(&body["report"]) {
                return body["report"].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not scanned as expected: {}", self.ci.registry.json(&path).await);
    }
}

fn snapshot() -> Vec<u8> {
    let record = json!({"id": "CVE-2020-1", "modified": "2026-01-01T00:00:00Z",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "other"}, "versions": ["1.0.0"]}]});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("osv.json");
    std::fs::write(&path, record.to_string()).unwrap();
    let mut builder = Builder::new();
    builder.osv(&path).unwrap();
    builder.finish(None, None).unwrap().bytes
}

fn control<'a>(report: &'a Value, id: &str) -> (&'a str, Vec<&'a str>) {
    let control = report["controls"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap();
    let rules = control["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap());
    (control["status"].as_str().unwrap(), rules.collect())
}

#[tokio::test]
async fn a_release_with_an_attestation_at_its_forge_reaches_level_3() {
    let world = World::start().await;
    world.establish().await;
    let digest = Sha256::of(&world.bytes).prefixed();
    world.ci.forge.attest(REPOSITORY, &digest, world.attested(&world.workload()));
    world.announce().await;
    world.owned().await;
    let report = world.report(|report| report["level"] == 3).await;
    assert_eq!(control(&report, "AI-03"), ("pass", vec![]));
    assert_eq!(control(&report, "PR-03"), ("pass", vec![]));
    assert_eq!(control(&report, "PR-02"), ("pass", vec![]));
    // What everybody sees.
    let until = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let detail = world.ci.registry.json(&format!("/v1/bundles/{NAME}")).await;
        if detail["certification_level"] == 3 {
            assert_eq!(detail["certification"]["level"], 3);
            break;
        }
        assert!(std::time::Instant::now() < until, "{detail}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_attestation_beside_the_asset_counts_and_is_asked_for_once() {
    let world = World::start().await;
    world.establish().await;
    let bundle = world.attested(&world.workload()).to_string().into_bytes();
    world.ci.forge.asset(REPOSITORY, "v1.0.0", "bundle-1.0.0-any-any.mcpb.sigstore.json", Delivery::Whole(bundle));
    world.announce().await;
    let report = world.report(|report| control(report, "PR-03").0 == "pass").await;
    assert_eq!(control(&report, "AI-03"), ("pass", vec![]));
    let asked = |registry: &World| {
        let requests = registry.ci.forge.requests();
        requests.iter().filter(|path| path.contains("sigstore") || path.contains("/attestations/")).count()
    };
    assert_eq!(asked(&world), 3);
    // It is kept: what lies there later changes nothing, and nobody is asked again.
    world.ci.forge.asset(
        REPOSITORY,
        "v1.0.0",
        "bundle-1.0.0-any-any.mcpb.sigstore.json",
        Delivery::Whole(b"{}".to_vec()),
    );
    world.owned().await;
    let report = world.report(|report| control(report, "PR-02").0 == "pass").await;
    assert_eq!((control(&report, "PR-03").0, asked(&world)), ("pass", 3));
}

#[tokio::test]
async fn attestations_of_others_and_bad_ones_do_not_count_and_publish_nothing_less() {
    let world = World::start().await;
    let digest = Sha256::of(&world.bytes).prefixed();
    // Somebody else's repository under the same name: the numbers tell.
    let stranger = Workload { repository_id: "4711".into(), ..world.workload() };
    world.ci.forge.attest(REPOSITORY, &digest, world.attested(&stranger));
    let spoiled =
        world.services.attest(&world.workload(), &world.workload().provenance(&world.bytes), Spoil::OtherProof);
    world.ci.forge.attest(REPOSITORY, &digest, spoiled);
    world.ci.forge.attest(REPOSITORY, &digest, json!("no object"));
    world.ci.forge.asset(REPOSITORY, "v1.0.0", "bundle-1.0.0-any-any.mcpb.sigstore", Delivery::Endless);
    world.announce().await;
    let report = world.report(|_| true).await;
    let (status, rules) = control(&report, "PR-03");
    assert_eq!(status, "fail");
    assert!(rules.contains(&"PR-03/unexpected-source") && rules.contains(&"PR-03/invalid-attestation"), "{rules:?}");
    assert_eq!(control(&report, "AI-03").0, "fail");
}

/// Something lies beside the asset while the forge's own store does not answer: that store is asked with the next
/// scan, and what was found before stays.
#[tokio::test]
async fn a_forge_that_did_not_answer_is_asked_again_though_something_was_found() {
    let world = World::start().await;
    world.establish().await;
    let stranger = Workload { repository_id: "4711".into(), ..world.workload() };
    let beside = world.attested(&stranger).to_string().into_bytes();
    world.ci.forge.asset(REPOSITORY, "v1.0.0", "bundle-1.0.0-any-any.mcpb.sigstore.json", Delivery::Whole(beside));
    world.ci.forge.set_attestations_outage(Some(reqwest::StatusCode::BAD_GATEWAY));
    world.announce().await;
    let report = world.report(|_| true).await;
    assert_eq!(control(&report, "PR-03"), ("fail", vec!["PR-03/unexpected-source"]));
    world.ci.forge.attest(REPOSITORY, &Sha256::of(&world.bytes).prefixed(), world.attested(&world.workload()));
    world.ci.forge.set_attestations_outage(None);
    world.owned().await;
    world.report(|report| control(report, "PR-03").0 == "pass").await;
}

#[tokio::test]
async fn a_release_without_any_is_told_so_and_asked_again_while_it_is_new() {
    let world = World::start().await;
    world.announce().await;
    let report = world.report(|_| true).await;
    assert_eq!(control(&report, "PR-03"), ("fail", vec!["PR-03/missing-attestation"]));
    assert_eq!(control(&report, "AI-03"), ("fail", vec!["AI-03/missing-signature"]));
    // The workflow attests after it announced; the next scan finds it.
    let digest = Sha256::of(&world.bytes).prefixed();
    world.ci.forge.attest(REPOSITORY, &digest, world.attested(&world.workload()));
    world.establish().await;
    world.owned().await;
    world.report(|report| control(report, "PR-03").0 == "pass").await;
}

#[tokio::test]
async fn a_release_that_never_had_any_is_not_asked_for_ever() {
    let world = World::start().await;
    world.announce().await;
    world.report(|_| true).await;
    let asked = || world.ci.forge.requests().iter().filter(|path| path.contains("/attestations/")).count();
    world.establish().await;
    world.ci.registry.wait_ms(2 * DAY_MS);
    world.owned().await;
    world.report(|report| control(report, "PR-02").1 == Vec::<&str>::new()).await;
    let before = asked();
    // Owners change once more: nobody asks the forge again.
    let url = format!("{}/api/v1/packages/{NAME}/owners/bob", world.ci.registry.url);
    let removed = world.ci.registry.client.delete(url).bearer_auth(&world.ci.registry.token).send().await.unwrap();
    assert_eq!(removed.status(), 200);
    world.report(|report| control(report, "PR-02").1 == ["PR-02/single-owner"]).await;
    assert_eq!(asked(), before);
}
