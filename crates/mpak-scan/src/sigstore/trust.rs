//! Where trust in Sigstore bundles begins: the pinned roots of the public services, or a file of the operator's own.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::OnceLock;

use sigstore_verify::trust_root::{SigstoreInstance, TrustedRoot};
use sigstore_verify::{VerificationPolicy, Verifier};
use thiserror::Error;

/// Largest file of trusted roots.
pub const ROOT_BYTES_MAX: usize = 1 << 20;
/// Most roots of a file.
const ROOTS_COUNT_MAX: usize = 8;
/// Most keys and authorities of a root.
const PARTS_COUNT_MAX: usize = 64;

/// Trusted roots.
pub struct TrustRoots {
    roots: Vec<Root>,
}

impl std::fmt::Debug for TrustRoots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustRoots").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

/// A root with what it demands of bundles: whatever it has keys for.
pub(super) struct Root {
    pub(super) verifier: Verifier,
    pub(super) policy: VerificationPolicy,
    pub(super) has_log: bool,
    pub(super) has_certificate_log: bool,
}

/// Why a root cannot be used.
#[derive(Debug, Error)]
pub enum TrustError {
    /// Not readable.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    /// Too large.
    #[error("the trusted root has {bytes} bytes, expected at most {ROOT_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// No trusted root of Sigstore.
    #[error("the trusted root is not in Sigstore's form (`application/vnd.dev.sigstore.trustedroot+json`)")]
    Form(#[source] serde_json::Error),
    /// Too many or none.
    #[error("the file has {count} {what}, expected {expected}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        expected: &'static str,
    },
    /// A key or certificate in it does not hold.
    #[error("a key or certificate of the trusted root cannot be used")]
    Key(#[source] Box<sigstore_verify::Error>),
}

impl TrustRoots {
    /// The roots of Sigstore's public services, and those of GitHub's own for private repositories, as the library
    /// carries them.
    pub fn pinned() -> &'static Self {
        static PINNED: OnceLock<TrustRoots> = OnceLock::new();
        PINNED.get_or_init(|| {
            let instances = [SigstoreInstance::PublicGood, SigstoreInstance::GitHub];
            let roots = instances.iter().filter_map(|instance| instance.embedded_trusted_root().ok());
            // A test says that both are there.
            Self { roots: roots.filter_map(|root| Root::new(&root).ok()).collect() }
        })
    }

    /// Reads a file; see [`TrustRoots::read`].
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn open(path: &Path) -> Result<Self, TrustError> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(TrustError::Io)?;
        // A byte more than is allowed, so that a longer one is noticed.
        file.take(ROOT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(TrustError::Io)?;
        Self::read(&bytes)
    }

    /// Reads a `trusted_root.json`, or several one after the other.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn read(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.len() > ROOT_BYTES_MAX {
            return Err(TrustError::TooLarge { bytes: bytes.len() });
        }
        let mut roots = Vec::new();
        for root in serde_json::Deserializer::from_slice(bytes).into_iter::<TrustedRoot>() {
            if roots.len() == ROOTS_COUNT_MAX {
                return Err(TrustError::Count { what: "roots", count: roots.len() + 1, expected: "at most 8" });
            }
            roots.push(Root::new(&root.map_err(TrustError::Form)?)?);
        }
        if roots.is_empty() {
            return Err(TrustError::Count { what: "roots", count: 0, expected: "at least 1" });
        }
        Ok(Self { roots })
    }

    pub(super) fn all(&self) -> &[Root] {
        &self.roots
    }
}

impl Root {
    fn new(root: &TrustedRoot) -> Result<Self, TrustError> {
        // 1. Bounds, and an authority without which nothing could be verified.
        let counts =
            [root.tlogs.len(), root.ctlogs.len(), root.certificate_authorities.len(), root.timestamp_authorities.len()];
        if let Some(count) = counts.into_iter().find(|count| *count > PARTS_COUNT_MAX) {
            return Err(TrustError::Count { what: "keys or authorities", count, expected: "at most 64" });
        }
        if root.certificate_authorities.is_empty() {
            return Err(TrustError::Count { what: "certificate authorities", count: 0, expected: "at least 1" });
        }
        // 2. A root without a log has no entries to prove; times then come from its timestamp authorities.
        let (has_log, has_certificate_log) = (!root.tlogs.is_empty(), !root.ctlogs.is_empty());
        let mut policy = VerificationPolicy::any_identity();
        if !has_log {
            policy = policy.skip_tlog_unsafe();
        }
        if !has_certificate_log {
            policy = policy.skip_sct();
        }
        let verifier = Verifier::new(root).map_err(|error| TrustError::Key(Box::new(error)))?;
        Ok(Self { verifier, policy, has_log, has_certificate_log })
    }
}

#[cfg(test)]
mod tests {
    use mpak_testkit::sigstore::Sigstore;
    use serde_json::json;

    use super::*;

    #[test]
    fn both_pinned_roots_are_there_with_what_they_demand() {
        let demands: Vec<_> = TrustRoots::pinned().all().iter().map(|r| (r.has_log, r.has_certificate_log)).collect();
        assert_eq!(demands, [(true, true), (false, false)]);
    }

    #[test]
    fn roots_that_cannot_be_used_are_errors() {
        let good = Sigstore::new().trusted_root();
        let two = format!("{good}\n{good}\n");
        assert_eq!(TrustRoots::read(two.as_bytes()).unwrap().all().len(), 2);
        let with = |field: &str, value: serde_json::Value| {
            let mut root = good.clone();
            root[field] = value;
            root.to_string()
        };
        for (text, expected) in [
            (String::new(), "0 roots"),
            ("{}".to_owned(), "not in Sigstore's form"),
            ("[".to_owned(), "not in Sigstore's form"),
            (format!("{good}\n").repeat(ROOTS_COUNT_MAX + 1), "9 roots"),
            (with("certificateAuthorities", json!([])), "0 certificate authorities"),
            (with("tlogs", json!(vec![good["tlogs"][0].clone(); 65])), "65 keys or authorities"),
            (with("tlogs", json!([good["tlogs"][0], good["tlogs"][0]])), "cannot be used"),
            (" ".repeat(ROOT_BYTES_MAX + 1), "bytes, expected at most"),
        ] {
            let error = TrustRoots::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{}: {error}", text.chars().take(60).collect::<String>());
        }
    }
}
