//! Build provenance from outside: what of it is verified, for PR-03 and PR-04.

use crate::evidence::Evidence;
use crate::outside::{Attestation, Provenance, repository_key};
use crate::signatures::bundles::{Origin, Seen};
use crate::sigstore::Signer;

/// The type of SLSA provenance.
pub(crate) const SLSA: &str = "https://slsa.dev/provenance/v1";

/// What a verified attestation says: one that somebody else verified, or the first that was verified here.
pub(crate) fn verified(evidence: &Evidence) -> Option<&Provenance> {
    if let Some(Attestation::Verified(provenance)) = &evidence.outside().attestation {
        return Some(provenance);
    }
    // A stranger's statement says nothing about this package's build.
    let statements = evidence.sigstore().iter().filter(|seen| is_about_file(seen)).filter_map(|seen| {
        let verified = seen.result.as_ref().ok()?;
        let statement = verified.statement.as_ref().filter(|statement| statement.contradictions.is_empty())?;
        (is_expected(evidence, &verified.signer) == Some(true)).then_some(statement)
    });
    statements.map(|statement| &statement.provenance).find(|provenance| provenance.predicate_type == SLSA)
}

/// Whether a signer is who is expected to build this package: the publisher's identity decides; without one, the
/// repository that the manifest names. `None` where neither is known.
pub(crate) fn is_expected(evidence: &Evidence, signer: &Signer) -> Option<bool> {
    let publisher = evidence.outside().publisher.as_ref();
    signer.is_expected(publisher).or_else(|| {
        let repository = evidence.document()?.get("repository")?;
        let named = repository.get("url").or(Some(repository))?.as_str().filter(|url| repository_key(url).is_some())?;
        Some(signer.is_of(named))
    })
}

/// Whether a Sigstore bundle is about the bundle's file.
pub(crate) fn is_about_file(seen: &Seen) -> bool {
    !matches!(seen.from, Origin::File(_))
}
