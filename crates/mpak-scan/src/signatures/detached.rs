//! Detached signatures with a long-lived key: a JSON document with `payload`, `algorithm`, `public_key` and `signature`.
//!
//! What is signed is the payload in its canonical form (RFC 8785). That the signature holds says that somebody signed
//! this payload; that the payload is about this bundle is compared field by field. Spec: MTF 0.1 §5.1.2, §5.2.2;
//! form of the document: docs/formats/evidence.md.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mpak_bundle::digest::Sha256;
use serde_json::Value;

use super::key::{PublicKey, RSA_BITS_MIN, Scheme};
use super::{Verified, Worth};
use crate::evidence::Evidence;
use crate::outside::{SignatureMethod, SignatureState};
use crate::texts::canonical;

/// Longest signer that is shown.
const SIGNER_BYTES_MAX: usize = 300;

/// What a document is worth for a bundle; `None` is a document that is not JSON.
pub(super) fn verify(document: Option<&Value>, evidence: &Evidence) -> Verified {
    let text = |field: &str| document.and_then(|d| d.get(field)?.as_str());
    let payload = document.and_then(|d| d.get("payload")).filter(|payload| payload.is_object());
    let key = text("public_key").and_then(PublicKey::read);
    let signer = payload.and_then(|p| p.get("signer_identity")?.as_str());
    let signer = signer.filter(|signer| !signer.trim().is_empty() && signer.len() <= SIGNER_BYTES_MAX);
    let worth = match (payload, &key) {
        (Some(payload), Some(key)) => worth(payload, key, text("algorithm"), text("signature"), evidence),
        (None, _) => Worth::Unknown("it names no `payload` that is an object".to_owned()),
        (_, None) => Worth::Unknown("its `public_key` is not one of Ed25519, P-256, P-384 or RSA".to_owned()),
    };
    Verified {
        method: SignatureMethod::Key,
        file: None,
        key: key.map(|key| key.fingerprint),
        signer: signer.map(str::to_owned),
        worth,
    }
}

fn worth(
    payload: &Value,
    key: &PublicKey,
    algorithm: Option<&str>,
    signature: Option<&str>,
    evidence: &Evidence,
) -> Worth {
    // 1. How it is made.
    let Some((_, scheme)) = Scheme::NAMES.into_iter().find(|(name, _)| algorithm == Some(name)) else {
        let names = Scheme::NAMES.map(|(name, _)| name).join(", ");
        return Worth::Unknown(format!("its `algorithm` is not one of {names}"));
    };
    let Some(signature) = signature.and_then(|text| STANDARD.decode(text.trim()).ok()) else {
        return Worth::Unknown("its `signature` is not base 64".to_owned());
    };
    if let Some(bits) = key.short_rsa_bits() {
        return Worth::WeakKey(format!("the RSA key has {bits} bits, expected {RSA_BITS_MIN} or more"));
    }
    // 2. Whether it holds.
    if !key.verifies(scheme, canonical(payload).as_bytes(), &signature) {
        return Worth::Broken("the signature is not one of this key over the canonical payload".to_owned());
    }
    // 3. Whether it is about this bundle.
    match differences(payload, key, evidence).as_slice() {
        [] => Worth::Holds(SignatureState::ValidUntrusted),
        found => Worth::OtherBundle(found.join("; ")),
    }
}

/// What the payload says that is not so.
fn differences(payload: &Value, key: &PublicKey, evidence: &Evidence) -> Vec<String> {
    let document = evidence.document();
    let said = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let named = |field: &str| document.and_then(|d| d.get(field)?.as_str()).unwrap_or_default();
    let manifest = document.map(|document| Sha256::of(canonical(document).as_bytes()).to_string());
    let mut found = Vec::new();
    // 1. What it is.
    for (pointer, wanted) in [
        ("/mtf_version", "0.1"),
        ("/payload_type", "bundle_signature"),
        ("/subject/name", named("name")),
        ("/subject/version", named("version")),
        ("/subject/manifest_sha256", manifest.as_deref().unwrap_or_default()),
    ] {
        let is = said(pointer);
        if is.is_empty() || !is.eq_ignore_ascii_case(wanted) || (is != wanted && !pointer.ends_with("sha256")) {
            found.push(format!("`{}` is `{}`, expected `{}`", &pointer[1..], short(is), short(wanted)));
        }
    }
    // 2. One of the bills of materials that the bundle carries.
    let sbom = said("/subject/sbom_sha256");
    let is_sbom = |path: &str| evidence.sboms().iter().any(|sbom| sbom.path == path);
    let mut sboms = evidence.files().iter().filter(|file| is_sbom(&file.path));
    if !sboms.any(|file| file.sha256.to_string().eq_ignore_ascii_case(sbom)) {
        let is = short(sbom);
        found.push(format!("`subject/sbom_sha256` is `{is}`, which is no bill of materials of the bundle"));
    }
    // 3. When and who.
    for field in ["/timestamp", "/signer_identity"] {
        if said(field).is_empty() {
            found.push(format!("`{}` is missing", &field[1..]));
        }
    }
    let fingerprint = said("/signer_identity").strip_prefix("sha256:").map(str::to_ascii_lowercase);
    if fingerprint.is_some_and(|fingerprint| fingerprint != key.fingerprint.to_string()) {
        found.push("`signer_identity` is the fingerprint of another key".to_owned());
    }
    found
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
