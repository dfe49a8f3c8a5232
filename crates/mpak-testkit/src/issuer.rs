//! An OpenID issuer on loopback with real keys and real signatures: what a CI system's identity service
//! does, and every way in which a token can be wrong.
//!
//! It knows nothing of the registry's own verification, so a mistake there cannot hide here.
//! Spec: OpenID Connect Discovery 1.0, RFC 7515, RFC 7517, RFC 7519.

#![expect(clippy::missing_panics_doc, reason = "a stand-in that cannot be started ends the test")]

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A signature algorithm of RFC 7518 and RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1 1.5.
    Rs256,
    /// RSA, PSS.
    Ps256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The word in a header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

enum Secret {
    Rsa(&'static RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key with its name.
pub struct Key {
    kid: String,
    algorithm: Algorithm,
    secret: Secret,
}

/// Number of the key that no issuer has.
const FORGED: usize = usize::MAX;

/// RSA keys take long to make: two per process are enough for issuers, and one for forgers.
fn rsa(number: usize) -> &'static RsaKeyPair {
    static KEYS: [OnceLock<RsaKeyPair>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    KEYS[if number == FORGED { 2 } else { number % 2 }]
        .get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))
}

impl Key {
    /// A new key. Every other RSA key of a process is the same one.
    pub fn new(kid: &str, algorithm: Algorithm, number: usize) -> Self {
        let secret = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => Secret::Rsa(rsa(number)),
            Algorithm::Es256 => Secret::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")),
            Algorithm::EdDsa => Secret::Ed(Ed25519KeyPair::generate().expect("a key")),
        };
        Self { kid: kid.to_owned(), algorithm, secret }
    }

    /// Its public half as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.secret {
            Secret::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Secret::Ec(pair) => {
                // 0x04, then both coordinates.
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Secret::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())}),
        };
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm.as_str().into();
        jwk
    }

    /// Its public half as an attacker gets it, in DER.
    pub fn public_der(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(pair) => pair.public_key().as_der().expect("a public key").as_ref().to_vec(),
            Secret::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Secret::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &random, message, &mut signature).expect("a signature");
                signature
            }
            Secret::Ec(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Secret::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with exactly this header and payload.
    pub fn token(&self, header: &Value, payload: &str) -> String {
        let message = message(header, payload);
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn message(header: &Value, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload))
}

/// What the issuer answers when it is asked for its keys.
#[derive(Clone, Debug)]
pub enum Mood {
    /// The keys.
    Good,
    /// An error.
    Broken(StatusCode),
    /// The keys, late.
    Slow(Duration),
    /// More than anybody wants to read.
    Oversized,
    /// Something that is no JSON.
    Nonsense,
}

struct Inside {
    url: String,
    keys: Vec<Key>,
    made: usize,
    mood: Mood,
    discoveries: usize,
    fetches: usize,
    /// What jobs that ask for a token are.
    job: Option<Value>,
}

/// A running issuer.
pub struct Issuer {
    inside: Arc<Mutex<Inside>>,
    server: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Issuer {
    /// Starts one with an RSA key.
    pub async fn start() -> Self {
        Self::start_with(Algorithm::Rs256).await
    }

    /// Starts one with a key of this kind.
    pub async fn start_with(algorithm: Algorithm) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let keys = vec![Key::new("key-0", algorithm, 0)];
        let inside = Inside { url, keys, made: 1, mood: Mood::Good, discoveries: 0, fetches: 0, job: None };
        let inside = Arc::new(Mutex::new(inside));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/.well-known/jwks", get(keys_document))
            .route("/token", get(token_for_job))
            .with_state(Arc::clone(&inside));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the stand-in serves");
        });
        Self { inside, server }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("no test panicked here")
    }

    /// `http://127.0.0.1:PORT`, which is also its `iss`.
    pub fn url(&self) -> String {
        self.inside().url.clone()
    }

    /// How often its keys were fetched.
    pub fn fetches(&self) -> usize {
        self.inside().fetches
    }

    /// How often its discovery document was fetched.
    pub fn discoveries(&self) -> usize {
        self.inside().discoveries
    }

    /// Gives jobs that ask at `/token` with [`JOB_SECRET`] a token with these claims, for the audience that
    /// they ask for.
    pub fn set_job(&self, claims: Value) {
        self.inside().job = Some(claims);
    }

    /// Answers like this from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.inside().mood = mood;
    }

    /// Signs with a new key from now on and publishes it only.
    pub fn rotate(&self, algorithm: Algorithm) {
        let mut inside = self.inside();
        let number = inside.made;
        inside.made += 1;
        inside.keys = vec![Key::new(&format!("key-{number}"), algorithm, number)];
    }

    /// The header of its tokens.
    pub fn header(&self) -> Value {
        let inside = self.inside();
        let key = &inside.keys[0];
        json!({"alg": key.algorithm.as_str(), "kid": key.kid, "typ": "JWT"})
    }

    /// A good token.
    pub fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header(), &claims.to_string())
    }

    /// A token signed with its key over any header and payload.
    pub fn token_of(&self, header: &Value, payload: &str) -> String {
        self.inside().keys[0].token(header, payload)
    }

    /// A token that claims to need no signature.
    pub fn unsigned(&self, claims: &Value) -> String {
        format!("{}.", message(&json!({"alg": "none", "typ": "JWT"}), &claims.to_string()))
    }

    /// A token whose HMAC key is the public key that everybody can read.
    pub fn hs256_with_public_key(&self, claims: &Value) -> String {
        let inside = self.inside();
        let key = &inside.keys[0];
        let message = message(&json!({"alg": "HS256", "kid": key.kid, "typ": "JWT"}), &claims.to_string());
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key.public_der());
        let signature = aws_lc_rs::hmac::sign(&secret, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A token with the name of its key, signed by somebody else's.
    pub fn forged(&self, claims: &Value) -> String {
        let algorithm = self.inside().keys[0].algorithm;
        Key::new("forged", algorithm, FORGED).token(&self.header(), &claims.to_string())
    }
}

async fn discovery(State(inside): State<Arc<Mutex<Inside>>>) -> Response {
    let mut inside = inside.lock().expect("no test panicked here");
    inside.discoveries += 1;
    let url = &inside.url;
    let document = json!({
        "issuer": url, "jwks_uri": format!("{url}/.well-known/jwks"),
        "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    });
    ([(header::CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}

/// What a job shows to be given its token.
pub const JOB_SECRET: &str = "the-job-asks";

/// As GitHub Actions gives it: `GET …&audience=…` with the job's secret.
async fn token_for_job(State(inside): State<Arc<Mutex<Inside>>>, uri: Uri, headers: HeaderMap) -> Response {
    let inside = inside.lock().expect("no test panicked here");
    let asked = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let audience = uri.query().into_iter().flat_map(|q| q.split('&')).find_map(|p| p.strip_prefix("audience="));
    let (Some(job), Some(audience)) = (&inside.job, audience) else { return StatusCode::NOT_FOUND.into_response() };
    if asked != Some(&format!("Bearer {JOB_SECRET}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut claims = job.clone();
    claims["aud"] = crate::forge::decoded(audience).into();
    let key = &inside.keys[0];
    let header = json!({"alg": key.algorithm.as_str(), "kid": key.kid, "typ": "JWT"});
    let value = key.token(&header, &claims.to_string());
    ([(header::CONTENT_TYPE, "application/json")], json!({ "value": value }).to_string()).into_response()
}

async fn keys_document(State(inside): State<Arc<Mutex<Inside>>>) -> Response {
    let (mood, keys) = {
        let mut inside = inside.lock().expect("no test panicked here");
        inside.fetches += 1;
        let keys: Vec<Value> = inside.keys.iter().map(Key::jwk).collect();
        (inside.mood.clone(), json!({ "keys": keys }).to_string())
    };
    let json = [(header::CONTENT_TYPE, "application/json")];
    match mood {
        Mood::Good => (json, keys).into_response(),
        Mood::Broken(status) => status.into_response(),
        Mood::Slow(pause) => {
            tokio::time::sleep(pause).await;
            (json, keys).into_response()
        }
        Mood::Oversized => (json, format!("{}{keys}", " ".repeat(32 << 20))).into_response(),
        Mood::Nonsense => (json, "<html>").into_response(),
    }
}

/// When and for whom a token is.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// `iss`
    pub issuer: &'a str,
    /// `aud`
    pub audience: &'a str,
    /// `iat`, in seconds.
    pub issued_at: i64,
    /// `jti`
    pub jti: &'a str,
}

fn stamped(stamp: Stamp<'_>, mut claims: Value) -> Value {
    claims["iss"] = stamp.issuer.into();
    claims["aud"] = stamp.audience.into();
    claims["iat"] = stamp.issued_at.into();
    claims["nbf"] = (stamp.issued_at - 5).into();
    claims["exp"] = (stamp.issued_at + 300).into();
    claims["jti"] = stamp.jti.into();
    claims
}

/// A number that is the same for the same name.
pub(crate) fn id_of(name: &str) -> String {
    name.bytes().fold(7_u64, |sum, b| sum.wrapping_mul(31).wrapping_add(u64::from(b)) % 1_000_000_007).to_string()
}

/// What GitHub Actions says of a build of a tag; names decide the ids, change what the test is about.
pub fn github_claims(stamp: Stamp<'_>, repository: &str, tag: &str) -> Value {
    let owner = repository.split('/').next().unwrap_or_default();
    let workflow = format!("{repository}/.github/workflows/release.yml@refs/tags/{tag}");
    stamped(
        stamp,
        json!({
            "sub": format!("repo:{repository}:ref:refs/tags/{tag}"),
            "repository": repository, "repository_id": id_of(repository),
            "repository_owner": owner, "repository_owner_id": id_of(&owner.to_lowercase()),
            "repository_visibility": "public", "runner_environment": "github-hosted",
            "workflow": "Release", "workflow_ref": workflow, "workflow_sha": SHA,
            "job_workflow_ref": workflow, "job_workflow_sha": SHA,
            "ref": format!("refs/tags/{tag}"), "ref_type": "tag", "ref_protected": "false",
            "sha": SHA, "base_ref": "", "head_ref": "", "event_name": "release",
            "actor": "octocat", "actor_id": "583231",
            "run_id": "7000000001", "run_number": "12", "run_attempt": "1",
        }),
    )
}

/// What GitLab CI says of a build of a tag.
pub fn gitlab_claims(stamp: Stamp<'_>, project: &str, tag: &str) -> Value {
    let namespace = project.rsplit_once('/').map_or("", |(namespace, _)| namespace);
    let host = stamp.issuer.split("://").nth(1).unwrap_or_default();
    stamped(
        stamp,
        json!({
            "sub": format!("project_path:{project}:ref_type:tag:ref:{tag}"),
            "project_path": project, "project_id": id_of(project),
            "namespace_path": namespace, "namespace_id": id_of(namespace),
            "ref": tag, "ref_type": "tag", "ref_path": format!("refs/tags/{tag}"), "ref_protected": "true",
            "sha": SHA, "pipeline_id": "31", "pipeline_source": "push", "job_id": "302",
            "ci_config_ref_uri": format!("{host}/{project}//.gitlab-ci.yml@refs/tags/{tag}"), "ci_config_sha": SHA,
            "user_login": "octocat", "user_id": "42", "user_email": "octocat@example.org",
            "runner_environment": "gitlab-hosted", "project_visibility": "public",
        }),
    )
}

/// What Forgejo Actions says of a build of a tag: names only.
pub fn forgejo_claims(stamp: Stamp<'_>, repository: &str, tag: &str) -> Value {
    let owner = repository.split('/').next().unwrap_or_default();
    stamped(
        stamp,
        json!({
            "sub": format!("repo:{repository}:ref:refs/tags/{tag}"),
            "repository": repository, "repository_owner": owner,
            "workflow": "release.yml", "workflow_ref": format!("{repository}/.forgejo/workflows/release.yml@refs/tags/{tag}"),
            "ref": format!("refs/tags/{tag}"), "ref_type": "tag", "sha": SHA, "event_name": "push",
            "actor": "octocat", "run_id": "5", "run_number": "5", "run_attempt": "1",
        }),
    )
}

/// The commit of all builds here.
pub const SHA: &str = "9f3c1d2e4b5a69788796a5b4c3d2e1f00f1e2d3c";
