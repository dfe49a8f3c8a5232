//! Evidence that is given beside the bundle, and what is asked of it together with the bundle.

use std::sync::{Arc, OnceLock};

use mpak_bundle::digest::Sha256;
use serde_json::Value;

use super::Evidence;
use crate::outside::{OtherArtifact, Outside};
use crate::policy::Policy;
use crate::signatures::Appended;
use crate::signatures::bundles::{self, Seen};
use crate::sigstore::TrustRoots;
use crate::suppressions::Suppressions;

/// A place in a file of the bundle, with what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Path in the bundle.
    pub file: String,
    /// From 1.
    pub line: Option<u32>,
    /// What was seen.
    pub seen: String,
}

/// Whether the code uses OAuth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OauthUse {
    /// The code was not looked at.
    #[default]
    Unknown,
    /// It was, and nothing was found.
    Absent,
    /// The first place that does.
    At(Place),
}

impl Evidence {
    /// Adds what is known from outside the bundle.
    ///
    /// # Errors
    /// [`OtherArtifact`] when it is about other bytes.
    pub fn with_outside(mut self, outside: Outside) -> Result<Self, OtherArtifact> {
        self.outside = outside;
        self.checked()
    }

    /// States the digest of the bundle's file; a folder has none.
    ///
    /// # Errors
    /// [`OtherArtifact`] when the evidence from outside is about other bytes.
    pub fn with_artifact(mut self, sha256: Sha256) -> Result<Self, OtherArtifact> {
        self.artifact = Some(sha256);
        self.checked()
    }

    /// Trusts these roots of Sigstore instead of the pinned ones.
    #[must_use]
    pub fn with_trust_roots(mut self, roots: Arc<TrustRoots>) -> Self {
        self.trust_roots = Some(roots);
        self.sigstore = OnceLock::new();
        self
    }

    /// The roots of Sigstore that are trusted.
    pub(crate) fn trust_roots(&self) -> &TrustRoots {
        self.trust_roots.as_deref().unwrap_or_else(|| TrustRoots::pinned())
    }

    /// The Sigstore bundles of the bundle and of the evidence, verified.
    pub(crate) fn sigstore(&self) -> &[Seen] {
        self.sigstore.get_or_init(|| bundles::seen(self))
    }

    fn checked(mut self) -> Result<Self, OtherArtifact> {
        self.sigstore = OnceLock::new();
        match (&self.outside.artifact, self.artifact) {
            (Some(about), Some(found)) if about.sha256 != found => Err(OtherArtifact { expected: about.sha256, found }),
            _ => Ok(self),
        }
    }

    /// Adds what whoever scans answers for; the manifest's own entries are added when it is judged.
    #[must_use]
    pub fn with_suppressions(mut self, suppressions: Suppressions) -> Self {
        self.suppressions = suppressions;
        self
    }

    /// Adds what is demanded beyond the levels.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// What is demanded beyond the levels.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// All suppressions, with those that a policy refuses marked.
    pub(crate) fn suppressions(&self) -> Suppressions {
        let day = self.outside.as_of.as_deref().and_then(|text| text.get(..10));
        let mut all = self.suppressions.and_of_manifest(self.extension()).or_on(day);
        if let Some(policy) = &self.policy {
            all.permitted(&|entry| policy.refuses(entry));
        }
        all
    }

    /// What is known from outside the bundle.
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Digest of the bundle's file.
    pub fn artifact(&self) -> Option<Sha256> {
        self.artifact
    }

    /// Files with signatures, with their content.
    pub(crate) fn signature_files(&self) -> &[(String, Vec<u8>)] {
        &self.signature_files
    }

    /// The signature that is appended to the bundle.
    pub(crate) fn appended(&self) -> Option<&Appended> {
        self.appended.as_ref()
    }

    /// The manifest's `_meta["org.mpaktrust"]`.
    pub fn extension(&self) -> Option<&Value> {
        self.document()?.get("_meta")?.get("org.mpaktrust")
    }

    /// Whether the code uses OAuth.
    pub fn code_uses_oauth(&self) -> &OauthUse {
        &self.oauth
    }

    /// A manifest alone, whose code uses no OAuth.
    #[cfg(test)]
    pub(crate) fn of_document(document: &Value) -> Self {
        use mpak_bundle::limits::Limits;
        use mpak_bundle::manifest::{self, Reading};

        let read = manifest::read(document.to_string().as_bytes(), Reading::Tolerant, &Limits::default());
        let manifest = super::ManifestFacts::Read { read: Box::new(read), document: Some(document.clone()) };
        Self { manifest, oauth: OauthUse::Absent, ..Self::empty() }
    }

    /// A bundle of these files beside a manifest.
    #[cfg(test)]
    pub(crate) fn of_files(document: &Value, files: &[(&str, &str)]) -> Self {
        use mpak_bundle::archive::Archive;
        use mpak_bundle::limits::Limits;
        use mpak_testkit::zip::{good_bundle, temporary};

        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let limits = Limits::default();
        let archive = Archive::open(temporary(&good_bundle(document, &files)), &limits).unwrap();
        Self::from_archive(&archive, &limits).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::Artifact;

    #[test]
    fn evidence_about_another_bundle_is_refused() {
        let (ours, theirs) = (Sha256::of(b"ours"), Sha256::of(b"theirs"));
        let about = |sha256| Outside { artifact: Some(Artifact { sha256 }), ..Outside::default() };
        for (outside, same) in [(about(ours), true), (about(theirs), false), (Outside::default(), true)] {
            let first = Evidence::empty().with_artifact(ours).unwrap().with_outside(outside.clone());
            let last = Evidence::empty().with_outside(outside).unwrap().with_artifact(ours);
            assert_eq!((first.is_ok(), last.is_ok()), (same, same));
        }
        // A folder has no digest to compare.
        assert!(Evidence::empty().with_outside(about(theirs)).is_ok());
    }
}
