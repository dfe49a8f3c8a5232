//! A registry with a CI system and a forge beside it: real tokens, real releases, all on loopback.

use mpak_bundle::digest::Sha256;
use mpak_registry::config::{Config, Issuer as ConfiguredIssuer, IssuerKind};
use mpak_testkit::forge::{Delivery, Forge};
use mpak_testkit::issuer::{Issuer, Stamp, github_claims};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::world::{Registry, START_MS, bundle_of, manifest};

/// The audience that the existing Action asks for.
pub(crate) const ANNOUNCE: &str = "https://mpak.dev";

/// The three of them.
pub(crate) struct Ci {
    pub(crate) registry: Registry,
    pub(crate) issuer: Issuer,
    pub(crate) forge: Forge,
    tokens: std::sync::atomic::AtomicUsize,
}

/// How the issuer is configured.
pub(crate) fn configured(kind: IssuerKind, issuer: &str, api: &str) -> ConfiguredIssuer {
    ConfiguredIssuer {
        kind,
        issuer: issuer.parse().unwrap(),
        jwks_url: None,
        audience: Vec::new(),
        api_url: Some(api.parse().unwrap()),
        default_scopes: None,
        mapping: None,
    }
}

impl Ci {
    /// With GitHub as the only issuer.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With more changes to the configuration.
    pub(crate) async fn start_with(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let (issuer, forge) = (Issuer::start().await, Forge::start().await);
        let (issuer_url, api_url) = (issuer.url(), forge.url());
        let registry = Registry::start_with(move |config| {
            config.outbound.allow_loopback = true;
            config.publishing.issuer = vec![configured(IssuerKind::Github, &issuer_url, &api_url)];
            change(config);
        })
        .await;
        Self { registry, issuer, forge, tokens: 0.into() }
    }

    /// Claims of a build of a tag, for announcing, with an id of their own.
    pub(crate) fn claims(&self, repository: &str, tag: &str) -> Value {
        let number = self.tokens.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let url = self.issuer.url();
        let jti = format!("jti-{number}");
        let stamp = Stamp { issuer: &url, audience: ANNOUNCE, issued_at: START_MS / 1_000, jti: &jti };
        github_claims(stamp, repository, tag)
    }

    /// A token of a build of a tag, for announcing.
    pub(crate) fn token(&self, repository: &str, tag: &str) -> String {
        self.issuer.token(&self.claims(repository, tag))
    }

    /// Releases a bundle and gives what is to be announced of it.
    pub(crate) fn release(&self, repository: &str, name: &str, version: &str, platform: (&str, &str)) -> Announcement {
        let manifest = manifest(name, version);
        self.release_of(repository, name, version, platform, &manifest, &bundle_of(&manifest))
    }

    /// The same with other bytes.
    pub(crate) fn release_of(
        &self,
        repository: &str,
        name: &str,
        version: &str,
        (os, arch): (&str, &str),
        manifest: &Value,
        bytes: &[u8],
    ) -> Announcement {
        let tag = format!("v{version}");
        let file = format!("bundle-{version}-{os}-{arch}.mcpb");
        self.forge.asset(repository, &tag, &file, Delivery::Whole(bytes.to_vec()));
        let body = json!({
            "name": name, "version": version, "manifest": manifest, "release_tag": tag, "prerelease": false,
            "artifact": {
                "filename": file, "os": os, "arch": arch, "sha256": Sha256::of(bytes).to_string(), "size": bytes.len(),
            },
        });
        Announcement { repository: repository.to_owned(), tag, file, body }
    }

    /// An announcement, not sent yet.
    pub(crate) fn post(&self, token: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}/v1/bundles/announce", self.registry.url);
        self.registry.client.post(url).bearer_auth(token).json(body)
    }

    /// Announces with a token of its own.
    pub(crate) async fn announce(&self, announcement: &Announcement) -> (StatusCode, Value) {
        let token = self.token(&announcement.repository, &announcement.tag);
        answer(self.post(&token, &announcement.body)).await
    }

    /// Announces what must be accepted.
    pub(crate) async fn accepted(&self, announcement: &Announcement) -> Value {
        let (status, body) = self.announce(announcement).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Releases and announces what must be accepted.
    pub(crate) async fn publish(&self, repository: &str, name: &str, version: &str) -> Value {
        self.accepted(&self.release(repository, name, version, ("any", "any"))).await
    }
}

/// What is announced.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) file: String,
    pub(crate) body: Value,
}

impl Announcement {
    /// With another value somewhere in the body.
    pub(crate) fn with(&self, pointer: &str, value: impl Into<Value>) -> Self {
        let mut changed = self.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        changed.body.pointer_mut(parent).unwrap()[name] = value.into();
        changed
    }
}

/// Status and JSON of an answer.
pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
}

/// The sentence of an error.
pub(crate) fn message(body: &Value) -> &str {
    body["error"]["message"].as_str().unwrap_or_else(|| panic!("{body}"))
}
