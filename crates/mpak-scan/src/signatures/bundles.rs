//! The Sigstore bundles that came with a bundle or with the evidence, each verified once.
//!
//! One from the evidence is about the bundle's file. One inside the file cannot name the file's digest: it is about
//! `manifest.json`. Spec: MTF 0.1 §5.2.1, §5.2.3.

use mpak_bundle::digest::Sha256;
use serde_json::Value;

use super::is_sigstore;
use crate::evidence::{Evidence, MANIFEST};
use crate::outside::{Attestation, SignatureMethod};
use crate::sigstore::{self, SigstoreError, Verified};

/// A Sigstore bundle, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) from: Origin,
    pub(crate) result: Result<Verified, SigstoreError>,
}

/// Where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This file of the bundle, about the manifest.
    File(String),
    /// The evidence's signatures.
    Signature,
    /// The evidence's attestation.
    Attestation,
}

/// All of them.
pub(crate) fn seen(evidence: &Evidence) -> Vec<Seen> {
    let roots = evidence.trust_roots();
    let verified = |bundle: &Value, about: Option<Sha256>| match about {
        Some(about) => sigstore::verify(bundle, about, roots),
        None => Err(SigstoreError::Nothing),
    };
    // 1. Those inside.
    let manifest = evidence.files().iter().find(|file| file.path == MANIFEST).map(|file| file.sha256);
    let inside = evidence.signature_files().iter().filter(|(path, _)| is_sigstore(path)).map(|(path, content)| {
        let result = match serde_json::from_slice(content) {
            Ok(bundle) => verified(&bundle, manifest),
            Err(error) => Err(SigstoreError::Form { detail: error.to_string().chars().take(80).collect() }),
        };
        Seen { from: Origin::File(path.clone()), result }
    });
    // 2. Those from outside.
    let outside = evidence.outside();
    let signatures = outside.signatures.iter().flatten().filter(|one| one.method == SignatureMethod::Sigstore);
    let signatures = signatures.filter_map(|one| one.bundle.as_ref()).map(|bundle| (Origin::Signature, bundle));
    let attestations = match &outside.attestation {
        Some(Attestation::Bundle(one)) => std::slice::from_ref(one),
        Some(Attestation::Bundles(all)) => all,
        _ => &[],
    };
    let given = signatures.chain(attestations.iter().map(|bundle| (Origin::Attestation, bundle)));
    let given = given.map(|(from, bundle)| Seen { from, result: verified(bundle, evidence.artifact()) });
    inside.chain(given).collect()
}
