//! What is known of a bundle from outside it: facts that a registry verified, given to the scanner.
//!
//! In: the JSON of `mpak scan --evidence FILE`, from whoever runs the scan. It is trusted as far as its
//! giver is; the bundle has no part in it. Out: typed facts, all optional. What is not known stays `None`,
//! and the controls that need it are `not_run`. Format: docs/formats/evidence.md.

use mpak_bundle::digest::Sha256;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

pub mod behaviour;

use behaviour::Behaviour;

/// The JSON Schema of the format.
pub const SCHEMA: &str = include_str!("../../../docs/formats/evidence.schema.json");

/// The only version there is.
pub const VERSION: u64 = 1;
/// Largest document that is read.
pub const EVIDENCE_BYTES_MAX: usize = 16 << 20;
/// Most Sigstore bundles: each costs a handful of signatures to verify.
pub const BUNDLES_COUNT_MAX: usize = 32;
/// Most items of one list.
pub const ITEMS_COUNT_MAX: usize = 10_000;

/// Facts from outside the bundle; the default knows nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outside {
    /// The artifact that all this is about.
    pub artifact: Option<Artifact>,
    /// The day on which it was gathered, `YYYY-MM-DD` or RFC 3339; the scanner has no clock of its own.
    pub as_of: Option<String>,
    /// Who published it.
    pub publisher: Option<Publisher>,
    /// The source repository as somebody saw it who looked.
    pub repository: Option<Repository>,
    /// Signatures over the bundle; `None` where nobody looked, empty where there are none.
    pub signatures: Option<Vec<Signature>>,
    /// Who built it; `None` where nobody looked.
    pub attestation: Option<Attestation>,
    /// OpenSSF Scorecard of the source repository.
    pub scorecard: Option<Scorecard>,
    /// What the server did in a sandbox.
    pub behaviour: Option<Behaviour>,
    /// OpenVEX documents, as they came.
    pub vex: Vec<Value>,
    /// Builds of the same source by others.
    pub rebuilds: Vec<Rebuild>,
    /// Package hosts that the organisation allows beside the public registries.
    pub approved_hosts: Vec<ApprovedHost>,
}

/// The artifact that evidence is about.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Artifact {
    /// Digest of the bundle's file.
    pub sha256: Sha256,
}

/// The publisher as the registry knows it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Publisher {
    /// Whether the registry verified what stands here (a signed identity token, a confirmed address).
    pub verified: bool,
    /// Issuer of the identity, an https URL.
    pub issuer: Option<String>,
    /// Subject at the issuer.
    pub subject: Option<String>,
    /// `OWNER/REPOSITORY` or URL of the repository that the identity is bound to.
    pub repository: Option<String>,
    /// Stable id of the repository at its platform.
    pub repository_id: Option<String>,
    /// Stable id of the owner at the issuer.
    pub owner_id: Option<String>,
    /// Path of the workflow that published.
    pub workflow: Option<String>,
    /// Git ref that it ran on.
    #[serde(rename = "ref")]
    pub git_ref: Option<String>,
    /// Commit that it ran on.
    pub sha: Option<String>,
    /// Tier of MTF PK-01, 1 to 3, where the registry has determined it.
    pub tier: Option<u8>,
    /// Age of the account in days.
    pub account_age_days: Option<u32>,
    /// How many owners the package has.
    pub owners_count: Option<u32>,
    /// SHA-256 of the public keys (DER SubjectPublicKeyInfo) that may sign for the package.
    pub keys: Vec<Sha256>,
    /// Who else may sign for the package in Sigstore, beside the identity that published.
    pub signers: Vec<ExpectedSigner>,
}

/// An identity that may sign. All that stands here must be so, and an identity or a repository must.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ExpectedSigner {
    /// Issuer of the identity, an https URL.
    pub issuer: String,
    /// The identity as its certificate names it: a workflow's URI with reference, an address.
    #[serde(default)]
    pub identity: Option<String>,
    /// `OWNER/REPOSITORY` or URL of the repository whose workflow signs.
    #[serde(default)]
    pub repository: Option<String>,
    /// Stable id of the repository.
    #[serde(default)]
    pub repository_id: Option<String>,
    /// Stable id of its owner.
    #[serde(default)]
    pub owner_id: Option<String>,
    /// File of the workflow.
    #[serde(default)]
    pub workflow: Option<String>,
}

/// The source repository, looked at.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Repository {
    /// Its URL.
    pub url: Option<String>,
    /// Whether it answers anonymously.
    pub reachable: Option<bool>,
    /// A commit that was looked for.
    pub commit: Option<String>,
    /// Whether that commit is in it.
    pub commit_found: Option<bool>,
    /// Whether the platform says that the commit's signature is good.
    pub commit_signed: Option<bool>,
    /// Commit that the tag of the release names.
    pub tag_commit: Option<String>,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureMethod {
    /// Sigstore bundle.
    Sigstore,
    /// Detached, with a long-lived key.
    Key,
    /// The PKCS#7 block that bundle tools append.
    Mcpb,
}

/// What verification of a signature gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureState {
    /// There is one and it does not hold.
    Invalid,
    /// It holds; nobody vouches for the signer but the signer.
    ValidSelfSigned,
    /// It holds; the signer is not known.
    ValidUntrusted,
    /// It holds and the signer is known.
    ValidTrusted,
    /// It holds, and the certificate's time was over.
    Expired,
}

/// A signature: verified by somebody, or given to be verified here.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Signature {
    /// How it is made.
    pub method: SignatureMethod,
    /// What verification gave; without it, `detached` or `bundle` is verified.
    #[serde(default)]
    pub state: Option<SignatureState>,
    /// The signature itself, of the method `key`: `payload`, `algorithm`, `public_key`, `signature`. What it is worth
    /// is found out here, whatever stands beside it.
    #[serde(default)]
    pub detached: Option<Value>,
    /// A Sigstore bundle over the file's digest, of the method `sigstore`. It is verified here, whatever stands beside it.
    #[serde(default)]
    pub bundle: Option<Value>,
    /// Who signed: an identity URI or a key's fingerprint.
    #[serde(default)]
    pub signer: Option<String>,
    /// Whether the signer may sign for this package.
    #[serde(default)]
    pub authorized: Option<bool>,
}

/// Provenance of the build.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Attestation {
    /// Somebody looked and there is none.
    Absent,
    /// Verified by the registry: facts.
    Verified(Provenance),
    /// Found and refused by the registry.
    Invalid {
        /// Why.
        reason: String,
    },
    /// A Sigstore bundle, to be verified here.
    Bundle(Value),
    /// Several, of which one suffices.
    Bundles(Vec<Value>),
}

/// What a verified attestation says. Source: SLSA provenance v1.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Provenance {
    /// Digests that it is about.
    pub subjects: Vec<Sha256>,
    /// `predicateType`.
    pub predicate_type: String,
    /// `runDetails.builder.id`.
    pub builder: String,
    /// Issuer of the identity that signed.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The identity that signed: the workflow's URI.
    #[serde(default)]
    pub identity: Option<String>,
    /// Repository that was built from.
    #[serde(default)]
    pub repository: Option<String>,
    /// Workflow that built.
    #[serde(default)]
    pub workflow: Option<String>,
    /// Commit that was built from.
    #[serde(default)]
    pub commit: Option<String>,
}

/// OpenSSF Scorecard.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Scorecard {
    /// Repository that was looked at.
    #[serde(default)]
    pub repository: Option<String>,
    /// 0 to 10.
    pub score: f64,
    /// Name of a check → 0 to 10, −1 for inconclusive.
    #[serde(default)]
    pub checks: std::collections::BTreeMap<String, f64>,
    /// Day of the look, `YYYY-MM-DD`.
    #[serde(default)]
    pub date: Option<String>,
}

/// Somebody built the same source again.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Rebuild {
    /// Digest of what came out.
    pub sha256: Sha256,
    /// Who did it.
    #[serde(default)]
    pub by: Option<String>,
    /// Commit that was built.
    #[serde(default)]
    pub commit: Option<String>,
}

/// A package host that the organisation allows, named without disclosing it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ApprovedHost {
    /// `npm`, `pypi`, `cargo` or `golang`; without it, all.
    #[serde(default)]
    pub ecosystem: Option<String>,
    /// SHA-256 of the lower-case host.
    pub host_sha256: Sha256,
}

/// Why evidence cannot be read.
#[derive(Debug, Error)]
pub enum OutsideError {
    /// Too large.
    #[error("the evidence has {bytes} bytes, expected at most {EVIDENCE_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, or nested too deep.
    #[error("the evidence is not JSON: {0}")]
    Json(serde_json::Error),
    /// Not an object.
    #[error("expected an object with `version`, found something else")]
    Shape,
    /// Another version.
    #[error("expected evidence of `version` {VERSION}, found `{found}`")]
    Version {
        /// What stands there.
        found: String,
    },
    /// A part is not what it should be.
    #[error("`{section}`: {source}")]
    Section {
        /// The field at the top.
        section: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A list is too long.
    #[error("`{section}` has {count} items, expected at most {ITEMS_COUNT_MAX}")]
    Count {
        /// The field at the top.
        section: &'static str,
        /// How many.
        count: usize,
    },
    /// A number that cannot be.
    #[error("`{field}` is {found}, expected {expected}")]
    Range {
        /// The field.
        field: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
}

/// Evidence about something else than what is scanned.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the evidence is about `{}`, and the bundle is `{}`", expected.prefixed(), found.prefixed())]
pub struct OtherArtifact {
    /// What the evidence is about.
    pub expected: Sha256,
    /// What is scanned.
    pub found: Sha256,
}

impl Outside {
    /// Reads the JSON form. Fields that nobody knows are ignored, so that a newer registry can say more.
    ///
    /// # Errors
    /// [`OutsideError`].
    pub fn read(bytes: &[u8]) -> Result<Self, OutsideError> {
        // 1. Size, syntax (the parser bounds the depth), version.
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(OutsideError::TooLarge { bytes: bytes.len() });
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value = serde_json::from_slice(text).map_err(OutsideError::Json)?;
        let Value::Object(mut object) = value else { return Err(OutsideError::Shape) };
        match object.get("version") {
            Some(version) if version.as_u64() == Some(VERSION) => {}
            other => {
                let found = other.map_or_else(|| "nothing".to_owned(), |v| v.to_string().chars().take(40).collect());
                return Err(OutsideError::Version { found });
            }
        }
        // 2. Each part by itself, so that the error names it.
        let object = &mut object;
        let outside = Self {
            artifact: section(object, "artifact")?,
            as_of: section(object, "as_of")?,
            publisher: section(object, "publisher")?,
            repository: section(object, "repository")?,
            signatures: list(object, "signatures")?,
            attestation: section(object, "attestation")?,
            scorecard: section(object, "scorecard")?,
            behaviour: match section(object, "behaviour")? {
                Some(behaviour) => Some(behaviour),
                None => section(object, "behavior")?,
            },
            vex: list(object, "vex")?.unwrap_or_default(),
            rebuilds: list(object, "rebuilds")?.unwrap_or_default(),
            approved_hosts: list(object, "approved_hosts")?.unwrap_or_default(),
        };
        // 3. Numbers that cannot be.
        outside.ranges()?;
        Ok(outside)
    }

    fn ranges(&self) -> Result<(), OutsideError> {
        let bundles = self.signatures.iter().flatten().filter(|one| one.bundle.is_some()).count();
        let attested = match &self.attestation {
            Some(Attestation::Bundles(all)) => all.len(),
            _ => 0,
        };
        let lists = [("signatures[].bundle", bundles), ("attestation.bundles", attested)];
        if let Some((list, count)) = lists.into_iter().find(|(_, count)| *count > BUNDLES_COUNT_MAX) {
            let (field, found) = (list.to_owned(), count.to_string());
            return Err(OutsideError::Range { field, found, expected: "at most 32 Sigstore bundles" });
        }
        let without = |s: &Signature| s.state.is_none() && s.detached.is_none() && s.bundle.is_none();
        if self.signatures.iter().flatten().any(without) {
            let (field, found) = ("signatures.state".to_owned(), "missing".to_owned());
            return Err(OutsideError::Range {
                field,
                found,
                expected: "a state, a `detached` signature or a `bundle`",
            });
        }
        let wrong = |field: &str, found: String, expected| {
            Err(OutsideError::Range { field: field.chars().take(80).collect(), found, expected })
        };
        if let Some(tier) = self.publisher.as_ref().and_then(|p| p.tier).filter(|tier| !(1..=3).contains(tier)) {
            return wrong("publisher.tier", tier.to_string(), "1 to 3");
        }
        let Some(card) = &self.scorecard else { return Ok(()) };
        if !(0.0..=10.0).contains(&card.score) {
            return wrong("scorecard.score", card.score.to_string(), "0 to 10");
        }
        match card.checks.iter().find(|(_, score)| !(-1.0..=10.0).contains(*score)) {
            Some((name, score)) => wrong(&format!("scorecard.checks.{name}"), score.to_string(), "-1 to 10"),
            None => Ok(()),
        }
    }
}

/// One part; absent and `null` are the same.
fn section<T: DeserializeOwned>(
    object: &mut Map<String, Value>,
    section: &'static str,
) -> Result<Option<T>, OutsideError> {
    match object.remove(section) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            serde_json::from_value(value).map(Some).map_err(|source| OutsideError::Section { section, source })
        }
    }
}

fn list<T: DeserializeOwned>(
    object: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<Vec<T>>, OutsideError> {
    let count = object.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    if count > ITEMS_COUNT_MAX {
        return Err(OutsideError::Count { section: name, count });
    }
    section(object, name)
}

/// The repository of a URL or of `OWNER/REPOSITORY` in one form: lower case, without scheme, user, `.git`
/// and trailing parts. `None` where it names no repository.
pub(crate) fn repository_key(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("git+");
    let rest = match text.split_once("://") {
        Some((_, rest)) => rest.rsplit_once('@').map_or(rest, |(_, rest)| rest).to_owned(),
        // `git@host:owner/repository` and the bare form of GitHub's claims.
        None => match text.split_once('@') {
            Some((_, rest)) => rest.replacen(':', "/", 1),
            None if text.split('/').count() == 2 => format!("github.com/{text}"),
            None => text.to_owned(),
        },
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let rest = rest.trim_end_matches('/').trim_end_matches(".git").to_ascii_lowercase();
    let parts = rest.split('/').filter(|part| !part.is_empty()).count();
    (parts >= 3 && !rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests;
