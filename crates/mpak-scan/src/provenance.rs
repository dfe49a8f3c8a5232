//! Build provenance from outside: what of it is verified, for PR-03 and PR-04.

use crate::evidence::Evidence;
use crate::outside::{Attestation, Provenance};

/// What a verified attestation says.
pub(crate) fn verified(evidence: &Evidence) -> Option<&Provenance> {
    match evidence.outside().attestation.as_ref()? {
        Attestation::Verified(provenance) => Some(provenance),
        Attestation::Absent | Attestation::Invalid { .. } | Attestation::Bundle(_) => None,
    }
}
