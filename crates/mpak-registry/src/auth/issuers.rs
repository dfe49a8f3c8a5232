//! Whose workloads may publish: the configured issuers, each with the mapping of its claims.
//!
//! What differs between issuers is data, in `issuers.toml`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use super::jwks::Keys;
use crate::config::{self, IssuerKind, Publishing};

/// The audience that the existing Action asks for; good for announce only, which can merely point at real
/// releases of the claimed repository.
pub(crate) const ANNOUNCE_AUDIENCE: &str = "https://mpak.dev";

/// The mapping of generic issuers that we know nothing about.
const OTHERWISE: &str = "forgejo";

/// Longest value of a claim that we keep.
const CLAIM_BYTES_MAX: usize = 512;

/// The API in which announced releases are looked up.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Releases {
    /// GitHub's.
    Github,
    /// Forgejo's and Gitea's, which is much like it.
    Forgejo,
    /// GitLab's.
    Gitlab,
}

/// A section of `issuers.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    pub(crate) issuer: Option<Url>,
    pub(crate) api_url: Option<Url>,
    pub(crate) releases: Option<Releases>,
    pub(crate) stable_ids: bool,
    pub(crate) default_scopes: bool,
    pub(crate) requires_jti: bool,
    pub(crate) lifetime_s_max: i64,
    claims: BTreeMap<String, String>,
}

/// A claim is missing or is no text that we take.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ClaimError {
    /// It is not there.
    #[error("claim `{0}` is missing")]
    Missing(String),
    /// It is an object, too long, or holds control characters.
    #[error("claim `{0}` is not a short plain text")]
    Form(String),
}

impl Mapping {
    /// The value of one of our fields, if the mapping has it and the claims are there.
    pub(crate) fn value(&self, field: &str, claims: &Map<String, Value>) -> Result<Option<String>, ClaimError> {
        let Some(template) = self.claims.get(field) else { return Ok(None) };
        let (template, optional) = template.strip_suffix('?').map_or((template.as_str(), false), |t| (t, true));
        match filled(template, claims) {
            Err(ClaimError::Missing(_)) if optional => Ok(None),
            filled => filled.map(Some),
        }
    }
}

/// A template with its claims put in.
fn filled(template: &str, claims: &Map<String, Value>) -> Result<String, ClaimError> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(&claim(claims, name)?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// A claim as text.
pub(crate) fn claim(claims: &Map<String, Value>, name: &str) -> Result<String, ClaimError> {
    let text = match claims.get(name) {
        None | Some(Value::Null) => return Err(ClaimError::Missing(name.to_owned())),
        Some(Value::String(text)) if text.is_empty() => return Err(ClaimError::Missing(name.to_owned())),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(ClaimError::Form(name.to_owned())),
    };
    if text.len() > CLAIM_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(ClaimError::Form(name.to_owned()));
    }
    Ok(text)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Section {
    Same { same_as: String },
    Own(Box<Mapping>),
}

/// The sections of `issuers.toml` by name.
fn mappings() -> &'static BTreeMap<String, Mapping> {
    static MAPPINGS: OnceLock<BTreeMap<String, Mapping>> = OnceLock::new();
    MAPPINGS.get_or_init(|| read(include_str!("issuers.toml")).expect("issuers.toml is checked by a test"))
}

fn read(text: &str) -> Result<BTreeMap<String, Mapping>, String> {
    let sections: BTreeMap<String, Section> = toml::from_str(text).map_err(|e| e.to_string())?;
    let own = |name: &str| match sections.get(name) {
        Some(Section::Own(mapping)) => Ok((**mapping).clone()),
        _ => Err(format!("`{name}` has no mapping of its own")),
    };
    let mut all = BTreeMap::new();
    for (name, section) in &sections {
        let mapping = match section {
            Section::Own(mapping) => (**mapping).clone(),
            Section::Same { same_as } => own(same_as)?,
        };
        all.insert(name.clone(), mapping);
    }
    Ok(all)
}

/// An issuer is configured in a way that cannot work.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IssuerError {
    /// No such mapping.
    #[error("issuer `{issuer}`: no mapping `{mapping}`, expected one of {known}")]
    Mapping {
        /// Which issuer.
        issuer: String,
        /// What was given.
        mapping: String,
        /// What there is.
        known: String,
    },
    /// Two sections for one issuer.
    #[error("issuer `{issuer}` is configured twice")]
    Twice {
        /// Which issuer.
        issuer: String,
    },
}

/// An issuer whose workloads may publish.
pub(crate) struct Issuer {
    /// `iss` of its tokens, without a slash at its end.
    pub(crate) issuer: String,
    /// The name of its mapping.
    pub(crate) mapping_name: String,
    pub(crate) mapping: &'static Mapping,
    /// Whether its owners may create the scope of their name.
    pub(crate) default_scopes: bool,
    /// API for releases and files, without a slash at its end.
    pub(crate) api_url: Option<Url>,
    /// As configured, besides the registry's own address.
    audience: Vec<String>,
    /// Whether [`ANNOUNCE_AUDIENCE`] is one for announcements, listed or not.
    default_audience: bool,
    pub(crate) keys: Arc<Keys>,
}

/// The mapping of a generic issuer that names none: the one made for it, else that of Forgejo, whose
/// names of claims most forges share.
fn usual_mapping(issuer: &str) -> &'static str {
    let made_for =
        |mapping: &Mapping| mapping.issuer.as_ref().is_some_and(|i| i.as_str().trim_end_matches('/') == issuer);
    mappings().iter().find(|(_, mapping)| made_for(mapping)).map_or(OTHERWISE, |(name, _)| name)
}

/// What a token is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `POST /v1/bundles/announce`
    Announce,
    /// Everything else.
    Upload,
}

impl Issuer {
    /// Audiences that are accepted for a purpose; `own` is the registry's address.
    pub(crate) fn audiences(&self, purpose: Purpose, own: &str) -> Vec<String> {
        let mut all = vec![own.to_owned()];
        let usual = self.default_audience.then_some(ANNOUNCE_AUDIENCE);
        for audience in usual.into_iter().chain(self.audience.iter().map(String::as_str)) {
            if !all.iter().any(|known| known == audience) {
                all.push(audience.to_owned());
            }
        }
        if purpose == Purpose::Upload {
            all.retain(|audience| audience.trim_end_matches('/') != ANNOUNCE_AUDIENCE || own == ANNOUNCE_AUDIENCE);
        }
        all
    }

    fn new(configured: &config::Issuer, default_audience: bool) -> Result<Self, IssuerError> {
        let issuer = configured.issuer.as_str().trim_end_matches('/').to_owned();
        let known = || mappings().keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let name = match (&configured.mapping, configured.kind) {
            (Some(name), _) => name.clone(),
            (None, IssuerKind::Github) => "github".to_owned(),
            (None, IssuerKind::Gitlab) => "gitlab".to_owned(),
            (None, IssuerKind::Generic) => usual_mapping(&issuer).to_owned(),
        };
        let Some(mapping) = mappings().get(&name) else {
            return Err(IssuerError::Mapping { issuer, mapping: name, known: known() });
        };
        // The public API belongs to the public issuer; another instance has its own.
        let public = mapping.issuer.as_ref().is_some_and(|i| i.as_str().trim_end_matches('/') == issuer);
        let api_url = configured.api_url.clone().or_else(|| mapping.api_url.clone().filter(|_| public));
        Ok(Self {
            mapping_name: name,
            mapping,
            default_scopes: configured.default_scopes.unwrap_or(mapping.default_scopes),
            api_url,
            audience: configured.audience.clone(),
            default_audience,
            keys: Keys::new(&issuer, configured.jwks_url.clone()),
            issuer,
        })
    }
}

/// All configured issuers.
pub(crate) struct Issuers(Vec<Issuer>);

impl Issuers {
    /// From the configuration; without any: GitHub Actions and GitLab CI under their public names.
    pub(crate) fn new(publishing: &Publishing) -> Result<Self, IssuerError> {
        let usual: Vec<config::Issuer>;
        let configured = if publishing.issuer.is_empty() {
            usual = [("github", IssuerKind::Github), ("gitlab", IssuerKind::Gitlab)]
                .into_iter()
                .filter_map(|(name, kind)| Some((mappings()[name].issuer.clone()?, kind)))
                .map(|(issuer, kind)| config::Issuer {
                    kind,
                    issuer,
                    jwks_url: None,
                    audience: Vec::new(),
                    api_url: None,
                    default_scopes: None,
                    mapping: None,
                })
                .collect();
            &usual
        } else {
            &publishing.issuer
        };
        let mut all: Vec<Issuer> = Vec::new();
        for one in configured {
            let issuer = Issuer::new(one, publishing.default_audience)?;
            if all.iter().any(|known| known.issuer == issuer.issuer) {
                return Err(IssuerError::Twice { issuer: issuer.issuer });
            }
            all.push(issuer);
        }
        Ok(Self(all))
    }

    /// The issuer with exactly this `iss`, but for a slash at its end.
    pub(crate) fn find(&self, iss: &str) -> Option<&Issuer> {
        let iss = iss.strip_suffix('/').unwrap_or(iss);
        self.0.iter().find(|issuer| issuer.issuer == iss)
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Issuer] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configured(kind: IssuerKind, mapping: Option<&str>) -> config::Issuer {
        config::Issuer {
            kind,
            issuer: Url::parse("https://ci.example/").unwrap(),
            jwks_url: None,
            audience: Vec::new(),
            api_url: None,
            default_scopes: None,
            mapping: mapping.map(str::to_owned),
        }
    }

    #[test]
    fn the_data_file_is_complete() {
        let all = read(include_str!("issuers.toml")).unwrap();
        for name in ["github", "gitlab", "forgejo", "gitea", "buildkite", "circleci", "google"] {
            let mapping = &all[name];
            assert!(mapping.claims.contains_key("repository") && mapping.claims.contains_key("owner"), "{name}");
            assert_eq!(mapping.claims.contains_key("owner_id"), mapping.stable_ids, "{name}");
            assert!(mapping.lifetime_s_max > 0 && mapping.lifetime_s_max <= 86_400, "{name}");
        }
        let scopes: Vec<_> = all.iter().filter(|(_, m)| m.default_scopes).map(|(name, _)| name.as_str()).collect();
        assert_eq!(scopes, ["github"]);
    }

    #[test]
    fn templates_take_claims_and_refuse_what_is_no_text() {
        let claims = json!({"a": "x", "n": 7, "o": {}, "e": "", "c": "a\nb", "l": "y".repeat(513)});
        let claims = claims.as_object().unwrap();
        for (template, expect) in [
            ("{a}/{n}", Ok("x/7")),
            ("plain", Ok("plain")),
            ("{e}", Err(ClaimError::Missing("e".to_owned()))),
            ("{none}", Err(ClaimError::Missing("none".to_owned()))),
            ("{o}", Err(ClaimError::Form("o".to_owned()))),
            ("{c}", Err(ClaimError::Form("c".to_owned()))),
            ("{l}", Err(ClaimError::Form("l".to_owned()))),
        ] {
            assert_eq!(filled(template, claims), expect.map(str::to_owned), "{template}");
        }
    }

    #[test]
    fn issuers_are_told_apart_exactly() {
        let publishing = Publishing { issuer: vec![configured(IssuerKind::Github, None)], ..Publishing::default() };
        let issuers = Issuers::new(&publishing).unwrap();
        for (iss, known) in [
            ("https://ci.example", true),
            ("https://ci.example/", true),
            ("https://ci.example//", false),
            ("http://ci.example", false),
            ("https://ci.example.evil.example", false),
            ("https://CI.example", false),
            ("", false),
        ] {
            assert_eq!(issuers.find(iss).is_some(), known, "{iss}");
        }
        assert_eq!(Issuers::new(&Publishing::default()).unwrap().all().len(), 2);
    }

    #[test]
    fn a_private_instance_does_not_get_the_public_api() {
        let own = Issuer::new(&configured(IssuerKind::Github, None), true).unwrap();
        assert_eq!(own.api_url, None);
        let public = Issuers::new(&Publishing::default()).unwrap();
        assert!(public.all()[0].api_url.is_some());
    }

    #[test]
    fn wrong_configuration_is_told() {
        let error = |one: config::Issuer| Issuer::new(&one, true).err().unwrap().to_string();
        assert!(
            error(configured(IssuerKind::Generic, Some("jenkins")))
                .contains("no mapping `jenkins`, expected one of `buildkite`")
        );
        let twice = vec![configured(IssuerKind::Github, None), configured(IssuerKind::Gitlab, None)];
        let twice = Publishing { issuer: twice, ..Publishing::default() };
        assert!(matches!(Issuers::new(&twice).err(), Some(IssuerError::Twice { .. })));
    }

    #[test]
    fn uploads_need_the_registrys_own_audience() {
        let mut one = configured(IssuerKind::Github, None);
        let own = "https://registry.example";
        let usual = Issuer::new(&one, true).unwrap();
        assert_eq!(usual.audiences(Purpose::Upload, own), [own]);
        assert_eq!(usual.audiences(Purpose::Announce, own), [own, ANNOUNCE_AUDIENCE]);
        one.audience = vec![ANNOUNCE_AUDIENCE.to_owned(), "mpak".to_owned()];
        let chosen = Issuer::new(&one, true).unwrap();
        assert_eq!(chosen.audiences(Purpose::Upload, own), [own, "mpak"]);
        assert_eq!(chosen.audiences(Purpose::Announce, own), [own, ANNOUNCE_AUDIENCE, "mpak"]);
        // Own audiences take the usual one away only where the operator says so.
        one.audience = vec![own.to_owned(), "mpak".to_owned()];
        let audiences = |usual| Issuer::new(&one, usual).unwrap().audiences(Purpose::Announce, own);
        assert_eq!(audiences(true), [own, ANNOUNCE_AUDIENCE, "mpak"]);
        assert_eq!(audiences(false), [own, "mpak"]);
    }

    #[test]
    fn a_generic_issuer_without_a_mapping_is_read_as_what_it_is_known_for() {
        for (issuer, mapping) in [
            ("https://ci.example/", "forgejo"),
            ("https://accounts.google.com", "google"),
            ("https://agent.buildkite.com/", "buildkite"),
            ("https://agent.buildkite.com.evil.example", "forgejo"),
        ] {
            let mut one = configured(IssuerKind::Generic, None);
            one.issuer = Url::parse(issuer).unwrap();
            let read = Issuer::new(&one, true).unwrap();
            assert_eq!(read.mapping_name, mapping, "{issuer}");
            assert!(!read.default_scopes, "{issuer}");
        }
    }
}
