//! How much of everything a Sigstore bundle may hold, looked at before anything in it is decoded.

use serde_json::Value;

use super::{BUNDLE_BYTES_MAX, SigstoreError};

/// Proofs in a log of 2^64 entries are no longer.
const HASHES_COUNT_MAX: usize = 64;
const MATERIAL: &str = "/verificationMaterial";

/// A list: where, what it is called, how many there may be, and in words.
type List = (&'static str, &'static str, usize, &'static str);

const LISTS: [List; 4] = [
    ("/tlogEntries", "tlogEntries", 4, "at most 4"),
    ("/x509CertificateChain/certificates", "certificates", 8, "at most 8"),
    ("/timestampVerificationData/rfc3161Timestamps", "rfc3161Timestamps", 4, "at most 4"),
    ("/timestampVerificationData/rfc3161_timestamps", "rfc3161Timestamps", 4, "at most 4"),
];

pub(super) fn check(bundle: &Value, bytes: usize) -> Result<(), SigstoreError> {
    if bytes > BUNDLE_BYTES_MAX {
        return Err(SigstoreError::TooLarge { bytes });
    }
    let material = bundle.pointer(MATERIAL);
    for (pointer, field, most, expected) in LISTS {
        let count = material.and_then(|material| material.pointer(pointer)).map_or(0, count);
        if count > most {
            return Err(SigstoreError::Count { field, count, expected });
        }
    }
    let entries = material.and_then(|material| material.get("tlogEntries")).and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let count = entry.pointer("/inclusionProof/hashes").map_or(0, count);
        if count > HASHES_COUNT_MAX {
            return Err(SigstoreError::Count { field: "hashes", count, expected: "at most 64" });
        }
    }
    let count = bundle.pointer("/dsseEnvelope/signatures").map_or(1, count);
    if count != 1 {
        return Err(SigstoreError::Count { field: "signatures", count, expected: "exactly 1" });
    }
    Ok(())
}

fn count(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}
