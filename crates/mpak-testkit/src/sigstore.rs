//! Sigstore's public services with keys of its own: an authority that certifies workloads, a log of certificates and
//! a log of signatures; and the bundles that come out, well or badly, with real signatures.
//!
//! It shares no code with the verification, so a mistake there cannot hide here.
//! Spec: Sigstore bundle 0.3 and trusted root 0.1; DSSE 1.0; in-toto Statement 1; SLSA provenance 1.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use log::Entry;

mod certificate;
mod der;
mod log;

/// Five minutes after the first of May 2024, ten o'clock.
const SIGNED_AT_S: u64 = 1_714_557_900;
/// The beginning of the certificate's ten minutes.
const CERTIFIED_AT_MS: u64 = 1_714_557_600_000;
const AUTHORITY: &str = "authority.example";
const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// The type of SLSA provenance.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A P-256 key.
struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"))
    }

    /// `SubjectPublicKeyInfo`.
    fn public_der(&self) -> Vec<u8> {
        self.0.public_key().as_der().expect("a public key").as_ref().to_vec()
    }

    /// The name of a log with this key.
    fn id(&self) -> [u8; 32] {
        Sha256::digest(self.public_der()).into()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec()
    }
}

/// What is wrong with a bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spoil {
    /// Nothing.
    #[default]
    Nothing,
    /// The certificate carries no timestamp of a log.
    NoCertificateTimestamp,
    /// It carries one over something else.
    OtherCertificateTimestamp,
    /// It is for servers.
    NotForCode,
    /// The log saw the signature after the certificate was over.
    LoggedLate,
    /// The log's promise is about another entry.
    OtherPromise,
    /// The proof leads to another root.
    OtherProof,
    /// The log signed another root.
    OtherCheckpoint,
}

/// A workflow that signs.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The certificate's subject: the workflow's URI with its reference.
    pub identity: String,
    /// Who vouches for it.
    pub issuer: String,
    /// The page of its repository.
    pub repository: String,
    /// The forge's number of the repository.
    pub repository_id: String,
    /// The forge's number of its owner.
    pub owner_id: String,
    /// The commit.
    pub sha: String,
    /// Where it runs.
    pub runner: String,
}

impl Workload {
    /// `.github/workflows/release.yml` of a GitHub repository, running for a tag.
    pub fn github(repository: &str, tag: &str, sha: &str) -> Self {
        let page = format!("https://github.com/{repository}");
        Self {
            identity: format!("{page}/.github/workflows/release.yml@refs/tags/{tag}"),
            issuer: GITHUB.to_owned(),
            repository: page,
            repository_id: "1".to_owned(),
            owner_id: "2".to_owned(),
            sha: sha.to_owned(),
            runner: "github-hosted".to_owned(),
        }
    }

    /// Fulcio's extensions by their last number.
    fn claims(&self) -> Vec<(u8, String)> {
        let reference = self.identity.split_once('@').map_or("", |(_, reference)| reference);
        [
            (8, self.issuer.as_str()),
            (9, &self.identity),
            (11, &self.runner),
            (12, &self.repository),
            (13, &self.sha),
            (14, reference),
            (15, &self.repository_id),
            (17, &self.owner_id),
            (18, &self.identity),
        ]
        .map(|(number, text)| (number, text.to_owned()))
        .to_vec()
    }

    /// The statement that GitHub's own action makes of this workload's build of an artifact.
    pub fn provenance(&self, artifact: &[u8]) -> Value {
        let (path, reference) = self.identity.split_once('@').unwrap_or((&self.identity, ""));
        let path = path.strip_prefix(&self.repository).unwrap_or(path).trim_start_matches('/');
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "bundle.mcpb", "digest": {"sha256": hex(&Sha256::digest(artifact))}}],
            "predicateType": PROVENANCE,
            "predicate": {
                "buildDefinition": {
                    "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                    "externalParameters": {"workflow": {"ref": reference, "repository": self.repository, "path": path}},
                    "resolvedDependencies": [{"uri": format!("git+{}@{reference}", self.repository),
                        "digest": {"gitCommit": self.sha}}],
                },
                "runDetails": {"builder": {"id": format!("https://github.com/actions/runner/{}", self.runner)}},
            },
        })
    }
}

/// The services.
pub struct Sigstore {
    authority: Key,
    certificates: Key,
    log: Key,
}

impl Default for Sigstore {
    fn default() -> Self {
        Self::new()
    }
}

impl Sigstore {
    /// New services with new keys.
    pub fn new() -> Self {
        Self { authority: Key::new(), certificates: Key::new(), log: Key::new() }
    }

    /// What trusts them.
    pub fn trusted_root(&self) -> Value {
        let log = |key: &Key| {
            json!({
                "baseUrl": "https://log.example", "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": STANDARD.encode(key.public_der()), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": "2024-01-01T00:00:00Z"}},
                "logId": {"keyId": STANDARD.encode(key.id())},
            })
        };
        let certificate = certificate::authority(AUTHORITY, &self.authority);
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(&self.log)], "ctlogs": [log(&self.certificates)], "timestampAuthorities": [],
            "certificateAuthorities": [{
                "subject": {"organization": "example", "commonName": AUTHORITY}, "uri": "https://authority.example",
                "certChain": {"certificates": [{"rawBytes": STANDARD.encode(certificate)}]},
                "validFor": {"start": "2024-01-01T00:00:00Z"},
            }],
        })
    }

    /// A workload's signature over an artifact.
    pub fn sign(&self, workload: &Workload, artifact: &[u8], spoil: Spoil) -> Value {
        let key = Key::new();
        let (signature, digest) = (key.sign(artifact), Sha256::digest(artifact));
        let content = json!({
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(digest)},
            "signature": STANDARD.encode(&signature),
        });
        let entry = Entry::Digest { artifact: hex(&digest), signature };
        self.bundle(workload, &key, &entry, ("messageSignature", content), spoil)
    }

    /// A workload's signature over a statement.
    pub fn attest(&self, workload: &Workload, statement: &Value, spoil: Spoil) -> Value {
        const TYPE: &str = "application/vnd.in-toto+json";
        let key = Key::new();
        let payload = statement.to_string().into_bytes();
        let front = format!("DSSEv1 {} {TYPE} {} ", TYPE.len(), payload.len());
        let signature = key.sign(&[front.as_bytes(), &payload].concat());
        let content = json!({
            "payload": STANDARD.encode(&payload), "payloadType": TYPE,
            "signatures": [{"sig": STANDARD.encode(&signature)}],
        });
        let entry = Entry::Statement { payload, signature };
        self.bundle(workload, &key, &entry, ("dsseEnvelope", content), spoil)
    }

    fn bundle(
        &self,
        workload: &Workload,
        key: &Key,
        entry: &Entry,
        (kind, content): (&str, Value),
        spoil: Spoil,
    ) -> Value {
        let authority = (AUTHORITY, &self.authority);
        let certificate = certificate::of_workload(workload, key, authority, &self.certificates, spoil);
        let mut bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": STANDARD.encode(&certificate)},
                "tlogEntries": [entry.logged(&certificate, &self.log, spoil)],
            },
        });
        bundle[kind] = content;
        bundle
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
