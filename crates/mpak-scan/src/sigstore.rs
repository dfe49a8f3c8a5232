//! Sigstore bundles: signatures with a key that lived for minutes, an authority that certified who held it, and a
//! transparency log that saw when it was used.
//!
//! In: a bundle, from an attacker; the digest that it should be about; trusted roots, from whoever scans. Out: who
//! signed, and the statement, if it is one. Nothing is fetched. The library that verifies asks the system's clock one
//! thing only: that nothing was made in the future.
//! Spec: Sigstore bundle 0.1 to 0.3; RFC 6962; DSSE 1.0; in-toto Statement 1; Fulcio's certificate extensions.

use mpak_bundle::digest::Sha256;
use serde_json::Value;
use sigstore_verify::types::{Bundle, Sha256Hash, SignatureContent};
use sigstore_verify::{CertificateError, Error, TransparencyLogError, VerificationResult};
use thiserror::Error as ThisError;

mod bounds;
mod signer;
mod statement;
mod trust;

pub use signer::Signer;
pub use statement::{Contradiction, Statement};
pub use trust::{ROOT_BYTES_MAX, TrustError, TrustRoots};

/// Largest bundle.
pub const BUNDLE_BYTES_MAX: usize = 256 << 10;
/// Most of what the library says that is passed on.
const DETAIL_CHARS_MAX: usize = 200;

/// A bundle that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who signed.
    pub signer: Signer,
    /// What was signed, where it is a statement about the artifact and not the artifact itself.
    pub statement: Option<Statement>,
}

/// Why a bundle does not hold. `detail` is what the library says, shortened.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum SigstoreError {
    /// There is no digest that it could be about.
    #[error("there is no file whose digest it could name: scan the packed bundle")]
    Nothing,
    /// Too large.
    #[error("it has {bytes} bytes, expected at most {BUNDLE_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A list is too short or too long.
    #[error("`{field}` has {count} items, expected {expected}")]
    Count {
        /// Which.
        field: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        expected: &'static str,
    },
    /// It is none, or of a form that is not understood.
    #[error("it is no Sigstore bundle that can be read: {detail}")]
    Form {
        /// What is wrong.
        detail: String,
    },
    /// It is about something else.
    #[error("it is about other bytes: {detail}")]
    OtherSubject {
        /// What differs.
        detail: String,
    },
    /// No trusted authority certified the key, or not for that time.
    #[error("no trusted authority certified its key: {detail}")]
    Untrusted {
        /// What is wrong.
        detail: String,
    },
    /// The certificate cannot be read, or no log of certificates saw it.
    #[error("its certificate does not hold: {detail}")]
    Certificate {
        /// What is wrong.
        detail: String,
    },
    /// The transparency log does not witness it.
    #[error("the transparency log does not witness it: {detail}")]
    Log {
        /// What is wrong.
        detail: String,
    },
    /// Nobody trusted says when it was made.
    #[error("no trusted time says when it was made: {detail}")]
    Time {
        /// What is wrong.
        detail: String,
    },
    /// The key did not make the signature.
    #[error("the signature is not one of its certificate's key: {detail}")]
    Signature {
        /// What is wrong.
        detail: String,
    },
    /// The certificate names nobody, or no issuer.
    #[error("its certificate names no identity with its issuer")]
    Nobody,
    /// What was signed is no statement.
    #[error("what it signs is no in-toto statement: {detail}")]
    Statement {
        /// What is wrong.
        detail: String,
    },
}

impl SigstoreError {
    /// Whether it says that this bundle cannot be judged, not that it is bad.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Nothing | Self::TooLarge { .. } | Self::Count { .. } | Self::Form { .. })
    }

    /// How far verification came, so that of several roots the nearest tells what is wrong.
    fn progress(&self) -> u8 {
        match self {
            Self::Nothing | Self::TooLarge { .. } | Self::Count { .. } | Self::Form { .. } => 0,
            Self::Time { .. } => 1,
            Self::Untrusted { .. } => 2,
            _ => 3,
        }
    }
}

/// Verifies a bundle about the artifact with this digest.
///
/// # Errors
/// [`SigstoreError`].
pub fn verify(bundle: &Value, artifact: Sha256, roots: &TrustRoots) -> Result<Verified, SigstoreError> {
    // 1. Bounds, before anybody decodes.
    let text = bundle.to_string();
    bounds::check(bundle, text.len())?;
    let bundle = Bundle::from_json(&text).map_err(|error| SigstoreError::Form { detail: detail(&error) })?;
    // 2. By one of the roots: chain, timestamps of both logs, proofs, signature, digest.
    let result = by_any(&bundle, artifact, roots)?;
    // 3. Who, and what.
    let signer = Signer::of(&result).ok_or(SigstoreError::Nobody)?;
    let statement = match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => {
            Some(Statement::read(envelope.payload.as_bytes())?.of_signer(&signer))
        }
        _ => None,
    };
    // The library has compared the digest; a list of subjects that we read in another way must have it, too.
    if statement.as_ref().is_some_and(|statement| !statement.provenance.subjects.contains(&artifact)) {
        return Err(SigstoreError::OtherSubject { detail: "no subject has its SHA-256".to_owned() });
    }
    Ok(Verified { signer, statement })
}

fn by_any(bundle: &Bundle, artifact: Sha256, roots: &TrustRoots) -> Result<VerificationResult, SigstoreError> {
    let mut nearest: Option<SigstoreError> = None;
    for root in roots.all() {
        let result = root.verifier.verify(Sha256Hash::new(*artifact.as_bytes()), bundle, &root.policy);
        // What the root promises to know must have been looked at.
        let complete =
            |found: &VerificationResult| found.certificate_verified() && found.tlog_verified() == root.has_log;
        let error = match result {
            Ok(found) if complete(&found) && found.sct_verified() == root.has_certificate_log => return Ok(found),
            Ok(_) => SigstoreError::Log { detail: "not all of it was verified".to_owned() },
            Err(error) => classified(&error),
        };
        if nearest.as_ref().is_none_or(|nearest| error.progress() > nearest.progress()) {
            nearest = Some(error);
        }
    }
    Err(nearest.unwrap_or_else(|| SigstoreError::Untrusted { detail: "there is no trusted root".to_owned() }))
}

/// The library's errors in our words.
fn classified(error: &Error) -> SigstoreError {
    let detail = detail(error);
    match error {
        Error::ArtifactMismatch(_) | Error::UnsupportedArtifact(_) => SigstoreError::OtherSubject { detail },
        Error::SignatureInvalid(_) => SigstoreError::Signature { detail },
        Error::Certificate(CertificateError::Malformed(_) | CertificateError::Sct(_)) => {
            SigstoreError::Certificate { detail }
        }
        Error::Certificate(_) => SigstoreError::Untrusted { detail },
        Error::TransparencyLog(TransparencyLogError::InclusionPromise(_) | TransparencyLogError::UnknownLog { .. }) => {
            SigstoreError::Time { detail }
        }
        Error::TransparencyLog(_) => SigstoreError::Log { detail },
        Error::Timestamp(_) => SigstoreError::Time { detail },
        _ => SigstoreError::Form { detail },
    }
}

/// An attacker may have written some of it.
fn detail(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    text.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
