//! Bundles with real signatures of services with keys of their own, and everything that can be wrong with them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mpak_testkit::sigstore::{PROVENANCE, Sigstore, Spoil, Workload};
use serde_json::json;

use super::*;

const ARTIFACT: &[u8] = b"a bundle's file";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn workload() -> Workload {
    Workload::github("acme/widget", "v1.0.0", COMMIT)
}

fn roots(services: &Sigstore) -> TrustRoots {
    TrustRoots::read(services.trusted_root().to_string().as_bytes()).unwrap()
}

/// Both kinds of content.
fn both(services: &Sigstore, spoil: Spoil) -> [Value; 2] {
    let workload = workload();
    [services.sign(&workload, ARTIFACT, spoil), services.attest(&workload, &workload.provenance(ARTIFACT), spoil)]
}

#[test]
fn a_bundle_that_holds_tells_who_signed_what() {
    let services = Sigstore::new();
    let [signed, attested] = both(&services, Spoil::Nothing);
    let signed = verify(&signed, Sha256::of(ARTIFACT), &roots(&services)).unwrap();
    assert_eq!(signed.statement, None);
    let signer = signed.signer;
    assert_eq!(signer.identity, "https://github.com/acme/widget/.github/workflows/release.yml@refs/tags/v1.0.0");
    assert_eq!(signer.issuer, "https://token.actions.githubusercontent.com");
    assert_eq!(signer.repository.as_deref(), Some("https://github.com/acme/widget"));
    assert_eq!(signer.workflow.as_deref(), Some(".github/workflows/release.yml"));
    assert_eq!((signer.repository_id.as_deref(), signer.owner_id.as_deref()), (Some("1"), Some("2")));

    let attested = verify(&attested, Sha256::of(ARTIFACT), &roots(&services)).unwrap();
    let statement = attested.statement.unwrap();
    assert_eq!((attested.signer, statement.contradictions), (signer, vec![]));
    assert_eq!(statement.provenance.predicate_type, PROVENANCE);
    assert_eq!(statement.provenance.builder, "https://github.com/actions/runner/github-hosted");
    assert_eq!(statement.provenance.commit.as_deref(), Some(COMMIT));
}

#[test]
fn whatever_does_not_hold_is_refused_for_what_is_wrong() {
    let services = Sigstore::new();
    let roots = roots(&services);
    for (spoil, expected) in [
        (Spoil::NoCertificateTimestamp, "missing SCT"),
        (Spoil::OtherCertificateTimestamp, "SCT signature verification failed"),
        (Spoil::NotForCode, "certified its key"),
        (Spoil::LoggedLate, "certified its key: certificate chain is invalid: certificate chain validation failed: "),
        (Spoil::OtherPromise, "no trusted time"),
        (Spoil::OtherProof, "inclusion proof"),
        (Spoil::OtherCheckpoint, "No valid Rekor signature"),
    ] {
        for bundle in both(&services, spoil) {
            let error = verify(&bundle, Sha256::of(ARTIFACT), &roots).unwrap_err();
            assert!(error.to_string().contains(expected), "{spoil:?}: {error}");
        }
    }
}

#[test]
fn other_services_and_other_bytes_are_refused() {
    let services = Sigstore::new();
    for bundle in both(&services, Spoil::Nothing) {
        let error = verify(&bundle, Sha256::of(b"other bytes"), &roots(&services)).unwrap_err();
        assert!(matches!(error, SigstoreError::OtherSubject { .. }), "{error}");
        // Keys that are in no root: neither in one of others' nor in the pinned ones.
        for roots in [&roots(&Sigstore::new()), TrustRoots::pinned()] {
            let error = verify(&bundle, Sha256::of(ARTIFACT), roots).unwrap_err();
            assert!(matches!(error, SigstoreError::Time { .. } | SigstoreError::Untrusted { .. }), "{error}");
        }
    }
}

/// One service of the root is another's.
#[test]
fn every_key_of_the_root_is_asked() {
    let services = Sigstore::new();
    let (good, other) = (services.trusted_root(), Sigstore::new().trusted_root());
    for (field, expected) in [
        ("tlogs", "no trusted time"),
        ("ctlogs", "its certificate does not hold"),
        ("certificateAuthorities", "no trusted authority"),
    ] {
        let mut root = good.clone();
        root[field] = other[field].clone();
        let roots = TrustRoots::read(root.to_string().as_bytes()).unwrap();
        for bundle in both(&services, Spoil::Nothing) {
            let error = verify(&bundle, Sha256::of(ARTIFACT), &roots).unwrap_err().to_string();
            assert!(error.contains(expected), "{field}: {error}");
        }
    }
    // One root among several that trusts it is enough.
    let several = TrustRoots::read(format!("{other}\n{good}").as_bytes()).unwrap();
    for bundle in both(&services, Spoil::Nothing) {
        verify(&bundle, Sha256::of(ARTIFACT), &several).unwrap();
    }
}

#[test]
fn parts_of_another_bundle_are_refused() {
    let services = Sigstore::new();
    let roots = roots(&services);
    let [signed, attested] = both(&services, Spoil::Nothing);
    let [other_signed, other_attested] = both(&services, Spoil::Nothing);
    let swapped = |bundle: &Value, other: &Value, pointer: &str| {
        let mut bundle = bundle.clone();
        *bundle.pointer_mut(pointer).unwrap() = other.pointer(pointer).unwrap().clone();
        bundle
    };
    let certificate = "/verificationMaterial/certificate";
    let entries = "/verificationMaterial/tlogEntries";
    for (bundle, other, pointer) in [
        (&signed, &other_signed, certificate),
        (&signed, &other_signed, entries),
        (&signed, &other_signed, "/messageSignature/signature"),
        (&attested, &other_attested, certificate),
        (&attested, &other_attested, entries),
        (&attested, &other_attested, "/dsseEnvelope/signatures"),
    ] {
        let error = verify(&swapped(bundle, other, pointer), Sha256::of(ARTIFACT), &roots);
        assert!(error.is_err(), "{pointer}");
    }
    // A payload that names the artifact under the signature over one that does not.
    let workload = workload();
    let theirs = services.attest(&workload, &workload.provenance(b"their file"), Spoil::Nothing);
    let forged = swapped(&theirs, &attested, "/dsseEnvelope/payload");
    let error = verify(&forged, Sha256::of(ARTIFACT), &roots).unwrap_err();
    assert!(matches!(error, SigstoreError::Signature { .. }), "{error}");
}

#[test]
fn a_statement_cannot_claim_another_source_than_its_certificate() {
    let services = Sigstore::new();
    let workload = workload();
    for (pointer, value, field) in [
        (
            "/predicate/buildDefinition/externalParameters/workflow/repository",
            json!("https://github.com/victim/widget"),
            "repository",
        ),
        ("/predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit", json!("f".repeat(40)), "commit"),
    ] {
        let mut statement = workload.provenance(ARTIFACT);
        *statement.pointer_mut(pointer).unwrap() = value;
        let bundle = services.attest(&workload, &statement, Spoil::Nothing);
        let verified = verify(&bundle, Sha256::of(ARTIFACT), &roots(&services)).unwrap();
        let statement = verified.statement.unwrap();
        assert_eq!(statement.contradictions.iter().map(|one| one.field).collect::<Vec<_>>(), [field]);
        assert_eq!(statement.provenance.repository.as_deref(), Some("https://github.com/acme/widget"));
        assert_eq!(statement.provenance.commit.as_deref(), Some(COMMIT));
    }
}

#[test]
fn what_is_too_much_or_cut_off_is_refused() {
    let services = Sigstore::new();
    let roots = roots(&services);
    let [signed, attested] = both(&services, Spoil::Nothing);
    let with = |bundle: &Value, pointer: &str, change: &dyn Fn(&mut Value)| {
        let mut bundle = bundle.clone();
        change(bundle.pointer_mut(pointer).unwrap());
        bundle
    };
    let repeat = |times: usize| move |list: &mut Value| *list = Value::Array(vec![list[0].clone(); times]);
    let entries = "/verificationMaterial/tlogEntries";
    let hashes = "/verificationMaterial/tlogEntries/0/inclusionProof/hashes";
    for (bundle, expected) in [
        (with(&signed, entries, &repeat(5)), "`tlogEntries` has 5"),
        (with(&signed, entries, &repeat(0)), ""),
        (with(&signed, hashes, &repeat(65)), "`hashes` has 65"),
        (with(&signed, hashes, &repeat(0)), ""),
        (with(&attested, "/dsseEnvelope/signatures", &repeat(2)), "`signatures` has 2"),
        (with(&attested, "/dsseEnvelope/signatures", &repeat(0)), "`signatures` has 0"),
        (with(&signed, "/mediaType", &|text| *text = "x".repeat(BUNDLE_BYTES_MAX).into()), "bytes, expected at most"),
        (with(&signed, "/mediaType", &|text| *text = "application/json".into()), "no Sigstore bundle"),
        (with(&signed, "/messageSignature", &|content| *content = Value::Null), "no Sigstore bundle"),
        (json!([]), "no Sigstore bundle"),
    ] {
        let error = verify(&bundle, Sha256::of(ARTIFACT), &roots).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Every binary part, cut off anywhere.
    for (bundle, pointer) in [
        (&signed, "/verificationMaterial/certificate/rawBytes"),
        (&signed, "/verificationMaterial/tlogEntries/0/canonicalizedBody"),
        (&signed, "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp"),
        (&signed, "/verificationMaterial/tlogEntries/0/logId/keyId"),
        (&signed, "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash"),
        (&signed, "/messageSignature/signature"),
        (&attested, "/dsseEnvelope/payload"),
    ] {
        let whole = STANDARD.decode(bundle.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
        for length in (0..whole.len()).step_by(7) {
            let cut = STANDARD.encode(&whole[..length]);
            let cut = with(bundle, pointer, &|part| *part = cut.clone().into());
            assert!(verify(&cut, Sha256::of(ARTIFACT), &roots).is_err(), "{pointer} at {length}");
        }
    }
    let note = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope";
    let whole = signed.pointer(note).unwrap().as_str().unwrap().to_owned();
    for length in (0..whole.len() - 1).filter(|at| whole.is_char_boundary(*at)) {
        let cut = with(&signed, note, &|part| *part = whole[..length].into());
        assert!(verify(&cut, Sha256::of(ARTIFACT), &roots).is_err(), "{length}");
    }
}
