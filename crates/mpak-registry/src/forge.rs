//! What forges tell about releases: GitHub, Forgejo and Gitea, GitLab.
//!
//! In: a repository that an issuer vouches for and a tag that was announced. Out: a [`Found`] release
//! with the address of its asset, which is still the forge's word and is fetched as a public address.
//! Spec: GitHub REST API 2022-11-28; Forgejo API v1; GitLab API v4.

use axum::http::{HeaderValue, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use thiserror::Error;
use url::Url;

use crate::auth::identity::Identity;
use crate::auth::issuers::{Issuer, Releases};
use crate::outbound::{Bounds, Fetch, Outbound, OutboundError};

pub(crate) mod attestations;

/// Longest list of assets that is looked through.
const DOCUMENT_BYTES_MAX: u64 = 8 << 20;

/// A release.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Its page.
    pub(crate) page: String,
    /// Where the wanted asset lies; none when the release has no such asset (yet).
    pub(crate) asset: Option<Url>,
    /// The commit of the tag, where the forge tells.
    pub(crate) tag_sha: Option<String>,
}

/// Why nothing is known of a release.
#[derive(Debug, Error)]
pub(crate) enum ForgeError {
    /// The issuer has no releases that could be looked up.
    #[error("releases of `{issuer}` cannot be looked up here")]
    NoApi {
        /// Which issuer.
        issuer: String,
    },
    /// The forge says no.
    #[error("{status}")]
    Status {
        /// What it says.
        status: StatusCode,
    },
    /// The forge cannot be asked.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

#[derive(Deserialize)]
struct GithubRelease {
    html_url: Option<String>,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    assets: Vec<GithubAsset>,
}

#[derive(Deserialize)]
struct GithubAsset {
    name: String,
    browser_download_url: Option<Url>,
}

#[derive(Deserialize)]
struct GithubObject {
    object: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    sha: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct ForgejoTag {
    commit: Option<ForgejoCommit>,
}

#[derive(Deserialize)]
struct ForgejoCommit {
    sha: String,
}

#[derive(Deserialize)]
struct GitlabRelease {
    commit: Option<GitlabCommit>,
    assets: Option<GitlabAssets>,
    #[serde(rename = "_links")]
    links: Option<GitlabLinks>,
}

#[derive(Deserialize)]
struct GitlabCommit {
    id: Option<String>,
}

#[derive(Deserialize)]
struct GitlabLinks {
    #[serde(rename = "self")]
    page: Option<String>,
}

#[derive(Deserialize)]
struct GitlabAssets {
    #[serde(default)]
    links: Vec<GitlabLink>,
}

#[derive(Deserialize)]
struct GitlabLink {
    name: String,
    url: Option<Url>,
    direct_asset_url: Option<Url>,
}

/// Looks up a release of the identity's repository.
pub(crate) async fn release(
    outbound: &Outbound,
    issuer: &Issuer,
    identity: &Identity,
    (tag, file): (&str, &str),
) -> Result<Found, ForgeError> {
    let no_api = || ForgeError::NoApi { issuer: issuer.issuer.clone() };
    let kind = issuer.mapping.releases.ok_or_else(no_api)?;
    let api = issuer.api_url.as_ref().ok_or_else(no_api)?;
    let forge = Forge { outbound, api };
    match kind {
        Releases::Github | Releases::Forgejo => forge.github(kind, &identity.repository, tag, file).await,
        Releases::Gitlab => forge.gitlab(&identity.repository_id, tag, file).await,
    }
}

/// Reads a small file of a repository, of which path and number are given, from a branch or tag.
pub(crate) async fn file(
    outbound: &Outbound,
    issuer: &Issuer,
    (repository, id): (&str, &str),
    (reference, path): (&str, &str),
) -> Result<Vec<u8>, ForgeError> {
    let no_api = || ForgeError::NoApi { issuer: issuer.issuer.clone() };
    let kind = issuer.mapping.releases.ok_or_else(no_api)?;
    let forge = Forge { outbound, api: issuer.api_url.as_ref().ok_or_else(no_api)? };
    let segments = match kind {
        Releases::Github | Releases::Forgejo => {
            ["repos"].into_iter().chain(repository.split('/')).chain(["contents", path]).collect()
        }
        Releases::Gitlab => vec!["projects", id, "repository", "files", path],
    };
    let found: RepositoryFile = forge.get_with(&segments, &[("ref", reference)]).await?;
    let text: String = found.content.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    // What cannot be decoded is no file that we know.
    STANDARD.decode(text).map_err(|_not_base64| ForgeError::Status { status: StatusCode::NOT_FOUND })
}

/// The number that a repository of this name has now, at forges that speak GitHub's API; none where there is none.
pub(crate) async fn repository_id(
    outbound: &Outbound,
    issuer: &Issuer,
    repository: &str,
) -> Result<Option<String>, ForgeError> {
    let no_api = || ForgeError::NoApi { issuer: issuer.issuer.clone() };
    let forge = Forge { outbound, api: issuer.api_url.as_ref().ok_or_else(no_api)? };
    let segments: Vec<&str> = ["repos"].into_iter().chain(repository.split('/')).collect();
    let found: Option<Numbered> = forge.find(&segments).await?;
    Ok(found.map(|found| found.id.to_string()))
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

/// The same members at all of them.
#[derive(Deserialize)]
struct RepositoryFile {
    /// Base64, in lines.
    content: String,
}

struct Forge<'f> {
    outbound: &'f Outbound,
    api: &'f Url,
}

impl Forge<'_> {
    async fn github(&self, kind: Releases, repository: &str, tag: &str, file: &str) -> Result<Found, ForgeError> {
        let mut path = vec!["repos"];
        path.extend(repository.split('/'));
        let release: GithubRelease = self.get(&[&path[..], &["releases", "tags", tag]].concat()).await?;
        if release.draft {
            return Err(ForgeError::Status { status: StatusCode::NOT_FOUND });
        }
        let asset = release.assets.into_iter().find(|a| a.name == file).and_then(|a| a.browser_download_url);
        let tag_sha = match (&asset, kind) {
            (None, _) => None,
            (Some(_), Releases::Forgejo) => self.forgejo_tag(&path, tag).await?,
            (Some(_), _) => self.github_tag(&path, tag).await?,
        };
        Ok(Found { page: page(release.html_url), asset, tag_sha })
    }

    /// The commit that a tag means; annotated tags lead to it.
    async fn github_tag(&self, path: &[&str], tag: &str) -> Result<Option<String>, ForgeError> {
        let found: Option<GithubObject> = self.find(&[path, &["git", "ref", "tags", tag]].concat()).await?;
        let Some(target) = found.and_then(|found| found.object) else { return Ok(None) };
        if target.kind != "tag" {
            return Ok(Some(target.sha));
        }
        let found: Option<GithubObject> = self.find(&[path, &["git", "tags", &target.sha]].concat()).await?;
        Ok(found.and_then(|found| found.object).map(|target| target.sha))
    }

    async fn forgejo_tag(&self, path: &[&str], tag: &str) -> Result<Option<String>, ForgeError> {
        let found: Option<ForgejoTag> = self.find(&[path, &["tags", tag]].concat()).await?;
        Ok(found.and_then(|found| found.commit).map(|commit| commit.sha))
    }

    async fn gitlab(&self, project_id: &str, tag: &str, file: &str) -> Result<Found, ForgeError> {
        let release: GitlabRelease = self.get(&["projects", project_id, "releases", tag]).await?;
        let links = release.assets.map(|assets| assets.links).unwrap_or_default();
        let asset = links.into_iter().find_map(|link| {
            let url = link.direct_asset_url.or(link.url)?;
            let last = url.path_segments().and_then(Iterator::last);
            (link.name == file || last == Some(file)).then_some(url)
        });
        let page = page(release.links.and_then(|links| links.page));
        Ok(Found { page, asset, tag_sha: release.commit.and_then(|commit| commit.id) })
    }

    /// A document of the API; each segment is escaped, so that no tag leads to another path.
    async fn get<T: serde::de::DeserializeOwned>(&self, segments: &[&str]) -> Result<T, ForgeError> {
        self.get_with(segments, &[]).await
    }

    /// The same where there may be none. A forge that does not answer is not one that knows of none.
    async fn find<T: serde::de::DeserializeOwned>(&self, segments: &[&str]) -> Result<Option<T>, ForgeError> {
        match self.get(segments).await {
            Ok(found) => Ok(Some(found)),
            Err(ForgeError::Status { status: StatusCode::NOT_FOUND }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn get_with<T: serde::de::DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, ForgeError> {
        let mut url = self.api.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let fetch = Fetch::configured(url, Bounds::DOCUMENT.bytes_max(DOCUMENT_BYTES_MAX))
            .header(header::ACCEPT, HeaderValue::from_static("application/vnd.github+json, application/json"))
            .header(header::HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"));
        self.outbound.json(fetch).await?.map_err(|status| ForgeError::Status { status })
    }
}

/// The address of a release's page; empty when it is none of the web.
fn page(told: Option<String>) -> String {
    let url = told.and_then(|told| Url::parse(&told).ok()).filter(|url| matches!(url.scheme(), "http" | "https"));
    url.map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_releases_are_pages() {
        for (told, expect) in [
            ("https://forge.example/acme/widget/releases/tag/v1", "https://forge.example/acme/widget/releases/tag/v1"),
            ("https://forge.example/a\0b", "https://forge.example/a%00b"),
            ("javascript:alert(1)", ""),
            ("/relative", ""),
            ("", ""),
        ] {
            assert_eq!(page(Some(told.to_owned())), expect, "{told:?}");
        }
        assert_eq!(page(None), "");
    }
}
