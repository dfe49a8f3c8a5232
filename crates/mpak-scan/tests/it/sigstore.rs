//! Level 3 from Sigstore bundles that the scanner verifies itself, and what keeps a bundle from it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use mpak_bundle::limits::Limits;
use mpak_scan::control::Status;
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::outside::Outside;
use mpak_scan::report::Report;
use mpak_scan::sigstore::TrustRoots;
use mpak_testkit::levels::fixture;
use mpak_testkit::sigstore::{Sigstore, Spoil, Workload};
use mpak_testkit::zip::good_bundle;
use serde_json::{Value, json};

use crate::advisories::{Feeds, record};
use crate::world::archive;

/// As in the fixture of level 3.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

struct World {
    services: Sigstore,
    bytes: Vec<u8>,
    evidence: Value,
}

impl World {
    /// The fixture of level 3 without what somebody else verified.
    fn new() -> Self {
        let fixture = fixture(3);
        let mut evidence = fixture.evidence;
        evidence.as_object_mut().unwrap().retain(|name, _| name != "signatures" && name != "attestation");
        Self { services: Sigstore::new(), bytes: fixture.bytes, evidence }
    }

    fn attested(&self, workload: &Workload) -> Value {
        self.services.attest(workload, &workload.provenance(&self.bytes), Spoil::Nothing)
    }

    fn with(&self, parts: &Value) -> Report {
        judged(&self.bytes, &merged(&self.evidence, parts), &self.services)
    }
}

fn merged(evidence: &Value, parts: &Value) -> Value {
    let mut evidence = evidence.clone();
    for (name, value) in parts.as_object().unwrap() {
        evidence[name] = value.clone();
    }
    evidence
}

fn judged(bytes: &[u8], evidence: &Value, services: &Sigstore) -> Report {
    let archive = archive(bytes);
    let outside = Outside::read(evidence.to_string().as_bytes()).unwrap();
    let roots = TrustRoots::read(services.trusted_root().to_string().as_bytes()).unwrap();
    let evidence = Evidence::from_archive(&archive, &Limits::default()).unwrap();
    let evidence = evidence.with_artifact(archive.sha256().unwrap()).unwrap().with_outside(outside).unwrap();
    let advisories = Feeds::new().osv(&[record("GHSA-1", "npm", "a")]).snapshot();
    scan(&evidence.with_advisories(&advisories).unwrap().with_trust_roots(Arc::new(roots)))
}

fn workload() -> Workload {
    Workload::github("acme/greeter", "v1.0.0", COMMIT)
}

/// Status and rules of a control.
fn found<'a>(report: &'a Report, id: &str) -> (Status, Vec<&'a str>) {
    let control = report.controls.iter().find(|control| control.id == id).unwrap();
    (control.status, control.findings.iter().map(|finding| finding.rule.as_str()).collect())
}

#[test]
fn one_attestation_that_we_verify_makes_level_3() {
    let world = World::new();
    assert_eq!(world.with(&json!({})).level, 2);
    let report = world.with(&json!({"attestation": {"bundle": world.attested(&workload())}}));
    assert_eq!((found(&report, "AI-03"), found(&report, "PR-03")), ((Status::Pass, vec![]), (Status::Pass, vec![])));
    assert_eq!(report.level, 3);
    // The same by keys that nobody trusts.
    let evidence = merged(&world.evidence, &json!({"attestation": {"bundle": world.attested(&workload())}}));
    let report = judged(&world.bytes, &evidence, &Sigstore::new());
    assert_eq!(report.level, 2);
    assert_eq!(found(&report, "PR-03"), (Status::Fail, vec!["PR-03/invalid-attestation"]));
}

#[test]
fn a_signature_over_the_file_is_one_and_no_attestation() {
    let world = World::new();
    let bundle = world.services.sign(&workload(), &world.bytes, Spoil::Nothing);
    let report =
        world.with(&json!({"signatures": [{"method": "sigstore", "bundle": bundle}], "attestation": "absent"}));
    assert_eq!(found(&report, "AI-03"), (Status::Pass, vec![]));
    assert_eq!(found(&report, "PR-03"), (Status::Fail, vec!["PR-03/missing-attestation"]));
    // A statement of another kind, given as a signature, is none either, and nobody looked for one.
    let mut release = workload().provenance(&world.bytes);
    release["predicateType"] = json!("https://in-toto.io/attestation/release/v0.1");
    let release = world.services.attest(&workload(), &release, Spoil::Nothing);
    let report = world.with(&json!({"signatures": [{"method": "sigstore", "bundle": release}]}));
    assert_eq!(found(&report, "PR-03"), (Status::NotRun, vec![]));
    let report = world.with(&json!({"attestation": {"bundle": release}}));
    assert_eq!(found(&report, "PR-03"), (Status::Fail, vec!["PR-03/wrong-predicate"]));
    // What somebody says beside it counts nothing.
    let other = world.services.sign(&workload(), b"other bytes", Spoil::Nothing);
    let signature = json!({"method": "sigstore", "state": "valid-trusted", "authorized": true, "bundle": other});
    let report = world.with(&json!({"signatures": [signature]}));
    assert_eq!(found(&report, "AI-03"), (Status::Fail, vec!["AI-03/payload-mismatch"]));
}

#[test]
fn what_is_wrong_with_an_attestation_is_told() {
    let world = World::new();
    let ours = workload();
    let other = |change: &dyn Fn(&mut Workload)| {
        let mut workload = workload();
        change(&mut workload);
        workload
    };
    let stated = |pointer: &str, value: Value| {
        let mut statement = ours.provenance(&world.bytes);
        *statement.pointer_mut(pointer).unwrap() = value;
        world.services.attest(&ours, &statement, Spoil::Nothing)
    };
    let builder = "/predicate/runDetails/builder/id";
    let generator = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/x.yml@refs/tags/v2.0.0";
    let strangers = Workload::github("evil/greeter", "v1.0.0", COMMIT);
    for (bundle, signature, attestation) in [
        (world.attested(&strangers), "AI-03/unauthorized-signer", "PR-03/unexpected-source"),
        (
            world.attested(&other(&|w| w.repository_id = "7".into())),
            "AI-03/unauthorized-signer",
            "PR-03/unexpected-source",
        ),
        (world.attested(&other(&|w| w.owner_id = "7".into())), "AI-03/unauthorized-signer", "PR-03/unexpected-source"),
        (
            world.attested(&other(&|w| w.identity = w.identity.replace("release.yml", "other.yml"))),
            "AI-03/unauthorized-signer",
            "PR-03/unexpected-source",
        ),
        // Somebody else vouches for the same workflow.
        (
            world.attested(&other(&|w| w.issuer = "https://issuer.example".into())),
            "AI-03/unauthorized-signer",
            "PR-03/builder-mismatch",
        ),
        (world.attested(&other(&|w| w.runner = "self-hosted".into())), "", "PR-03/self-hosted-runner"),
        (stated(builder, json!(generator)), "", "PR-03/builder-mismatch"),
        (stated(builder, json!("https://github.com/actions/runner/self-hosted")), "", "PR-03/builder-mismatch"),
        (
            stated(builder, json!("https://github.com/acme/other/.github/workflows/x.yml@v1")),
            "",
            "PR-03/builder-mismatch",
        ),
        (stated(builder, json!(ours.identity)), "", ""),
        (stated(builder, json!("a laptop")), "", "PR-03/unknown-builder"),
        (stated("/predicateType", json!("https://slsa.dev/provenance/v0.2")), "", "PR-03/wrong-predicate"),
        (
            stated(
                "/predicate/buildDefinition/externalParameters/workflow/repository",
                json!("https://github.com/a/b"),
            ),
            "",
            "PR-03/certificate-mismatch",
        ),
        (
            world.services.attest(&ours, &ours.provenance(b"other bytes"), Spoil::Nothing),
            "AI-03/invalid-signature",
            "PR-03/subject-mismatch",
        ),
        (
            world.services.attest(&ours, &ours.provenance(&world.bytes), Spoil::OtherProof),
            "AI-03/invalid-signature",
            "PR-03/invalid-attestation",
        ),
        (json!({}), "", "PR-03/invalid-attestation"),
    ] {
        let report = world.with(&json!({"attestation": {"bundle": bundle}}));
        let rules = |id: &str| found(&report, id).1.first().copied().unwrap_or_default();
        assert_eq!((rules("AI-03"), rules("PR-03")), (signature, attestation));
        let good = ["", "PR-03/self-hosted-runner"].contains(&attestation) && signature.is_empty();
        assert_eq!(report.level, if good { 3 } else { 2 }, "{attestation}");
    }
}

#[test]
fn of_several_attestations_one_suffices_and_other_statements_do_not_disturb() {
    let world = World::new();
    let mut other = workload().provenance(&world.bytes);
    other["predicateType"] = json!("https://in-toto.io/attestation/release/v0.1");
    let other = world.services.attest(&workload(), &other, Spoil::Nothing);
    let spoiled = world.services.attest(&workload(), &workload().provenance(&world.bytes), Spoil::LoggedLate);
    let bundles = json!([spoiled, other, world.attested(&workload())]);
    let report = world.with(&json!({"signatures": [], "attestation": {"bundles": bundles}}));
    assert_eq!(report.level, 3, "{:?} {:?}", found(&report, "AI-03"), found(&report, "PR-03"));
    let report = world.with(&json!({"signatures": [], "attestation": {"bundles": [spoiled, other]}}));
    assert_eq!(found(&report, "PR-03").0, Status::Fail);
}

#[test]
fn without_a_publisher_the_manifests_repository_must_have_built_it_and_nobody_knows_who_may_sign() {
    let world = World::new();
    let mut bare = world.evidence.clone();
    bare.as_object_mut().unwrap().remove("publisher");
    for (repository, status, rules) in
        [("acme/greeter", Status::Pass, vec![]), ("evil/greeter", Status::Fail, vec!["PR-03/unexpected-source"])]
    {
        let bundle = world.attested(&Workload::github(repository, "v1.0.0", COMMIT));
        let evidence = merged(&bare, &json!({"attestation": {"bundle": bundle}}));
        let report = judged(&world.bytes, &evidence, &world.services);
        assert_eq!(found(&report, "PR-03"), (status, rules));
        assert_eq!(found(&report, "AI-03"), (Status::NotRun, vec![]));
    }
    // Of several only those count that the package's own repository made, whatever comes first.
    let mut best = World { services: Sigstore::new(), bytes: fixture(4).bytes, evidence: fixture(4).evidence };
    best.evidence.as_object_mut().unwrap().retain(|name, _| !["publisher", "signatures"].contains(&name.as_str()));
    let strangers = best.attested(&Workload::github("evil/greeter", "v1.0.0", &"f".repeat(40)));
    let report = best.with(&json!({"attestation": {"bundles": [strangers, best.attested(&workload())]}}));
    assert_eq!((found(&report, "PR-03").0, found(&report, "PR-04").0), (Status::Pass, Status::Pass));
    // Somebody else may be named, who then is the only one.
    let signers = json!([{"issuer": "https://token.actions.githubusercontent.com", "repository": "acme/builds"}]);
    let evidence = merged(
        &bare,
        &json!({"publisher": {"verified": false, "signers": signers},
        "attestation": {"bundle": world.attested(&Workload::github("acme/builds", "v1.0.0", COMMIT))}}),
    );
    assert_eq!(found(&judged(&world.bytes, &evidence, &world.services), "AI-03"), (Status::Pass, vec![]));
}

#[test]
fn a_sigstore_bundle_inside_is_about_the_manifest() {
    let world = World::new();
    let manifest = json!({"manifest_version": "0.3", "name": "@acme/greeter", "version": "1.0.0", "description": "d",
        "author": {"name": "a"}, "server": {"type": "node", "entry_point": "server/index.js",
            "mcp_config": {"command": "node", "args": ["${__dirname}/server/index.js"]}}});
    let inside = |signed: &Value, path: &str| {
        let files: Vec<(&str, &[u8])> = vec![("server/index.js", b"1")];
        let bare = good_bundle(&manifest, &files);
        let archive = archive(&bare);
        let text = archive.read(archive.entry("manifest.json").unwrap(), 1 << 20).unwrap();
        let text = if signed.is_null() { text } else { signed.to_string().into_bytes() };
        let bundle = world.services.sign(&workload(), &text, Spoil::Nothing).to_string();
        let bytes = good_bundle(&manifest, &[files, vec![(path, bundle.as_bytes())]].concat());
        let mut evidence = world.evidence.clone();
        evidence.as_object_mut().unwrap().remove("artifact");
        judged(&bytes, &evidence, &world.services)
    };
    for path in ["manifest.sig.json", ".sigstore/manifest.sig.json"] {
        assert_eq!(found(&inside(&Value::Null, path), "AI-03"), (Status::Warn, vec!["AI-03/manifest-only"]));
        let other = inside(&json!({"other": "manifest"}), path);
        assert_eq!(found(&other, "AI-03"), (Status::Fail, vec!["AI-03/payload-mismatch"]));
    }
}
