//! Real keys of every kind over real bundles, and every way to spoil one.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use serde_json::json;

use super::*;
use crate::control::{Status, Verdict};
use crate::controls::find;
use crate::outside::Outside;

const SBOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#;

fn manifest() -> Value {
    json!({"name": "@acme/widget", "version": "1.0.0", "server": {"type": "node", "entry_point": "server/index.js"}})
}

/// A payload that is true of the bundle.
fn payload() -> Value {
    json!({
        "mtf_version": "0.1", "payload_type": "bundle_signature",
        "subject": {
            "name": "@acme/widget", "version": "1.0.0",
            "manifest_sha256": Sha256::of(canonical(&manifest()).as_bytes()).to_string(),
            "sbom_sha256": Sha256::of(SBOM.as_bytes()).to_string(),
        },
        "timestamp": "2026-11-21T10:00:00Z", "signer_identity": "https://github.com/acme",
    })
}

fn document(payload: &Value, algorithm: &str, key: &[u8], signature: &[u8]) -> Value {
    json!({"payload": payload, "algorithm": algorithm, "public_key": STANDARD.encode(key),
        "signature": STANDARD.encode(signature)})
}

/// A payload signed with a fresh key, with the key's fingerprint.
fn ed25519(payload: &Value) -> (Value, Sha256) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let key = pair.public_key().as_der().unwrap();
    let signature = pair.sign(canonical(payload).as_bytes());
    (document(payload, "ed25519", key.as_ref(), signature.as_ref()), Sha256::of(key.as_ref()))
}

fn rsa(size: KeySize, algorithm: &str, encoding: &'static dyn RsaEncoding) -> (Value, Sha256) {
    let pair = RsaKeyPair::generate(size).unwrap();
    let key = pair.public_key().as_der().unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), canonical(&payload()).as_bytes(), &mut signature).unwrap();
    (document(&payload(), algorithm, key.as_ref(), &signature), Sha256::of(key.as_ref()))
}

/// The verdict on a bundle with a document as `manifest.sig`, and the verdict with it as evidence.
fn both(document: &Value, keys: &[Sha256]) -> [Verdict; 2] {
    let text = document.to_string();
    let judge = |files: &[(&str, &str)], signatures: Value| {
        let outside = json!({"version": 1, "publisher": {"verified": true, "keys": keys}, "signatures": signatures});
        let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
        let evidence = Evidence::of_files(&manifest(), files).with_outside(outside).unwrap();
        find("AI-03").unwrap().judge.unwrap()(&evidence)
    };
    [
        judge(&[("sbom.json", SBOM), ("manifest.sig", &text)], Value::Null),
        judge(
            &[("sbom.json", SBOM)],
            json!([{"method": "key", "state": "valid-trusted", "authorized": true, "detached": document}]),
        ),
    ]
}

fn expect(document: &Value, keys: &[Sha256], status: Status, rule: &str) {
    for verdict in both(document, keys) {
        assert_eq!(verdict.status, status, "{document}: {verdict:?}");
        assert_eq!(verdict.findings.first().map_or("", |f| f.rule.as_str()), rule, "{document}: {verdict:?}");
    }
}

#[test]
fn keys_of_every_accepted_kind_verify() {
    let random = SystemRandom::new();
    let ecdsa = |algorithm: &str, signing| {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let key = pair.public_key().as_der().unwrap();
        let signature = pair.sign(&random, canonical(&payload()).as_bytes()).unwrap();
        (document(&payload(), algorithm, key.as_ref(), signature.as_ref()), Sha256::of(key.as_ref()))
    };
    for (document, key) in [
        ed25519(&payload()),
        ecdsa("ecdsa-p256-sha256", &ECDSA_P256_SHA256_ASN1_SIGNING),
        ecdsa("ecdsa-p384-sha384", &ECDSA_P384_SHA384_ASN1_SIGNING),
        rsa(KeySize::Rsa4096, "rsa-pkcs1-sha256", &RSA_PKCS1_SHA256),
        rsa(KeySize::Rsa4096, "rsa-pss-sha256", &RSA_PSS_SHA256),
    ] {
        expect(&document, &[key], Status::Pass, "");
        // Somebody else's key may sign, not this one; or nobody says whose may.
        expect(&document, &[Sha256::of(b"another key")], Status::Fail, "AI-03/unauthorized-signer");
        expect(&document, &[], Status::NotRun, "");
        // Another algorithm than the key's.
        let mut other = document.clone();
        let is_ed25519 = document["algorithm"] == "ed25519";
        other["algorithm"] = json!(if is_ed25519 { "ecdsa-p256-sha256" } else { "ed25519" });
        expect(&other, &[key], Status::Fail, "AI-03/invalid-signature");
    }
    let (short, key) = rsa(KeySize::Rsa2048, "rsa-pkcs1-sha256", &RSA_PKCS1_SHA256);
    expect(&short, &[key], Status::Fail, "AI-03/weak-key");
}

#[test]
fn what_was_changed_after_signing_does_not_hold() {
    let (good, key) = ed25519(&payload());
    let (other, _) = ed25519(&payload());
    for (pointer, value) in [
        ("/payload/subject/version", json!("1.0.1")),
        ("/payload/timestamp", json!("2027-01-01T00:00:00Z")),
        ("/payload/extra", json!(1)),
        ("/signature", other["signature"].clone()),
        ("/signature", json!("")),
        ("/public_key", other["public_key"].clone()),
    ] {
        let mut spoiled = good.clone();
        let (at, field) = pointer.rsplit_once('/').unwrap();
        spoiled.pointer_mut(at).unwrap()[field] = value;
        expect(&spoiled, &[key], Status::Fail, "AI-03/invalid-signature");
    }
    // The order of the members and white space are not signed.
    let reordered = serde_json::to_string_pretty(&good).unwrap();
    expect(&serde_json::from_str(&reordered).unwrap(), &[key], Status::Pass, "");
}

#[test]
fn a_payload_about_something_else_is_a_mismatch() {
    for (pointer, value) in [
        ("/mtf_version", json!("9")),
        ("/payload_type", json!("release")),
        ("/subject/name", json!("@acme/other")),
        ("/subject/version", json!("2.0.0")),
        ("/subject/manifest_sha256", json!("0".repeat(64))),
        ("/subject/sbom_sha256", json!("0".repeat(64))),
        ("/subject/sbom_sha256", Value::Null),
        ("/timestamp", Value::Null),
        ("/signer_identity", json!("")),
        ("/signer_identity", json!(format!("sha256:{}", "0".repeat(64)))),
    ] {
        let mut other = payload();
        let (at, field) = pointer.rsplit_once('/').unwrap();
        other.pointer_mut(at).unwrap()[field] = value;
        let (document, key) = ed25519(&other);
        expect(&document, &[key], Status::Fail, "AI-03/payload-mismatch");
    }
}

#[test]
fn what_is_in_no_known_form_is_not_judged() {
    let (good, key) = ed25519(&payload());
    for (field, value) in [
        ("payload", Value::Null),
        ("payload", json!("text")),
        ("public_key", json!("AAAA")),
        ("algorithm", json!("rsa-sha1")),
        ("algorithm", Value::Null),
        ("signature", json!("%")),
    ] {
        let mut spoiled = good.clone();
        spoiled[field] = value;
        expect(&spoiled, &[key], Status::NotRun, "");
    }
}
