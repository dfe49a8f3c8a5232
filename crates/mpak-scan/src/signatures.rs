//! Signatures over a bundle that are verified here: detached ones with a long-lived key, the PKCS #7 block that
//! bundle tools append, and Sigstore bundles.
//!
//! In: files and the end of the bundle, from an attacker; evidence, from whoever scans. Out: what each signature is
//! worth, and whose key made it. Whether that key may sign is for the control: a signature proves a key, not a person.
//! Spec: MTF 0.1 §5.1, §5.2.2; RFC 8785, RFC 5652.

use mpak_bundle::digest::Sha256;
use serde_json::Value;

use crate::evidence::Evidence;
use crate::outside::{SignatureMethod, SignatureState};

pub(crate) mod bundles;
mod der;
mod detached;
mod key;
mod mcpb;

pub(crate) use mcpb::Appended;

/// Largest file with a detached signature.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 10;
/// Most such files.
pub(crate) const FILES_COUNT_MAX: usize = 16;

/// A signature, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) method: SignatureMethod,
    /// The file that holds it; none for what is appended or given from outside.
    pub(crate) file: Option<String>,
    /// Fingerprint of the key: SHA-256 of its `SubjectPublicKeyInfo`. None where no key could be read.
    pub(crate) key: Option<Sha256>,
    /// What it calls its signer.
    pub(crate) signer: Option<String>,
    pub(crate) worth: Worth,
}

/// What a signature is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It holds over this bundle.
    Holds(SignatureState),
    /// It does not hold.
    Broken(String),
    /// It holds, over something else than this bundle.
    OtherBundle(String),
    /// Its key is too short.
    WeakKey(String),
    /// It is in a form that cannot be verified here.
    Unknown(String),
}

/// Whether a file is a detached signature. Source: MTF 0.1 §5.2.3.
pub(crate) fn is_file(path: &str) -> bool {
    path.strip_prefix("manifest.").is_some_and(|rest| rest == "sig" || rest.strip_suffix(".sig").is_some())
}

/// Whether a file is a Sigstore bundle. Source: MTF 0.1 §5.2.3.
pub(crate) fn is_sigstore(path: &str) -> bool {
    path.starts_with(".sigstore/") || path == "manifest.sig.json"
}

/// Whether the bundle is signed at all, well or not.
pub(crate) fn is_signed(evidence: &Evidence) -> bool {
    let inside = |path: &str| is_file(path) || is_sigstore(path);
    evidence.appended().is_some()
        || evidence.outside().signatures.as_ref().is_some_and(|all| !all.is_empty())
        || evidence.files().iter().any(|file| inside(&file.path))
}

/// All signatures with long-lived keys of the bundle and of the evidence that can be verified.
pub(crate) fn verified(evidence: &Evidence) -> Vec<Verified> {
    let mut all = Vec::new();
    for (path, content) in evidence.signature_files().iter().filter(|(path, _)| is_file(path)) {
        let document = serde_json::from_slice::<Value>(content).ok();
        let mut one = detached::verify(document.as_ref(), evidence);
        one.file = Some(path.clone());
        all.push(one);
    }
    let given = evidence.outside().signatures.iter().flatten();
    all.extend(given.filter_map(|given| given.detached.as_ref()).map(|given| detached::verify(Some(given), evidence)));
    let as_of = evidence.outside().as_of.as_deref();
    all.extend(evidence.appended().map(|appended| mcpb::verify(appended, as_of)));
    all
}
