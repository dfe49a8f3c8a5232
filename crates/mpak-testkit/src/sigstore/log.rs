//! A transparency log as Rekor keeps one: entries, proofs and checkpoints.
//!
//! Spec: RFC 6962 §2.1; C2SP signed-note and tlog-checkpoint; Rekor `hashedrekord` 0.0.1 and `dsse` 0.0.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Key, SIGNED_AT_S, Spoil, hex};

const ORIGIN: &str = "log.example - 1";

/// What is logged of a signature.
pub(super) enum Entry {
    /// Over the digest of an artifact, in hex.
    Digest { artifact: String, signature: Vec<u8> },
    /// Over a statement.
    Statement { payload: Vec<u8>, signature: Vec<u8> },
}

impl Entry {
    /// Kind and body; members stand in the order of RFC 8785.
    fn body(&self, certificate: &[u8]) -> (&'static str, Value) {
        let pem = STANDARD.encode(pem(certificate));
        match self {
            Self::Digest { artifact, signature } => {
                let signature = json!({"content": STANDARD.encode(signature), "publicKey": {"content": pem}});
                let data = json!({"hash": {"algorithm": "sha256", "value": artifact}});
                let spec = json!({"data": data, "signature": signature});
                ("hashedrekord", json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}))
            }
            Self::Statement { payload, signature } => {
                let hash = json!({"algorithm": "sha256", "value": hex(&Sha256::digest(payload))});
                let signatures = json!([{"signature": STANDARD.encode(signature), "verifier": pem}]);
                let spec = json!({"envelopeHash": hash, "payloadHash": hash, "signatures": signatures});
                ("dsse", json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}))
            }
        }
    }

    /// The entry as a bundle carries it.
    pub(super) fn logged(&self, certificate: &[u8], log: &Key, spoil: Spoil) -> Value {
        let (kind, body) = self.body(certificate);
        let body = body.to_string().into_bytes();
        let at = if spoil == Spoil::LoggedLate { SIGNED_AT_S + 3_600 } else { SIGNED_AT_S };
        let id = log.id();
        // 1. The promise.
        let promise = json!({"body": STANDARD.encode(&body), "integratedTime": at, "logID": hex(&id), "logIndex": 1});
        let mut promise = log.sign(promise.to_string().as_bytes());
        if spoil == Spoil::OtherPromise {
            promise = log.sign(b"another");
        }
        // 2. The proof: it is the second of two entries.
        let first: [u8; 32] = Sha256::digest(b"\0another entry").into();
        let leaf = Sha256::digest([&[0][..], &body].concat());
        let root = Sha256::digest([&[1][..], &first, &leaf].concat());
        let beside = if spoil == Spoil::OtherProof { [7; 32] } else { first };
        let note = format!("{ORIGIN}\n2\n{}\n", STANDARD.encode(root));
        let signature = log.sign(if spoil == Spoil::OtherCheckpoint { b"another" } else { note.as_bytes() });
        let signature = STANDARD.encode([&id[..4], &signature].concat());
        json!({
            "logIndex": "1", "logId": {"keyId": STANDARD.encode(id)}, "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": at.to_string(), "inclusionPromise": {"signedEntryTimestamp": STANDARD.encode(promise)},
            "inclusionProof": {
                "logIndex": "1", "rootHash": STANDARD.encode(root), "treeSize": "2", "hashes": [STANDARD.encode(beside)],
                "checkpoint": {"envelope": format!("{note}\n\u{2014} log.example {signature}\n")},
            },
            "canonicalizedBody": STANDARD.encode(&body),
        })
    }
}

fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..(at + 64).min(text.len())]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
