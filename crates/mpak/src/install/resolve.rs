//! Stage 12, resolve: which bytes a request means.
//!
//! In: a request. Out: [`Resolved`], the registry's answer for exactly that package, version and platform.
//! The answer is the registry's word, in forms that are safe to use as parts of paths.

use mpak_api::bundle::{Download, WirePlatform};
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;
use thiserror::Error;

use crate::client::{Client, ClientError};
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::home::meta::Meta;
use crate::home::record::{bare, fits};

use crate::ui;

use super::Request;

mod static_index;

/// Longest version that is accepted from a registry.
const VERSION_BYTES_MAX: usize = 100;

/// Which bytes a request means, and where they are.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Address of the registry.
    registry: String,
    name: PackageName,
    /// Letters, digits and `.-+_` only.
    version: String,
    /// Words that we know, fitting the request's platform.
    platform: WirePlatform,
    sha256: Sha256,
    /// At most the limit for archives.
    size: u64,
    /// As the registry gave them, to be tried in order; checked when they are followed.
    urls: Vec<String>,
    /// Whether a bare name shall mean this version from now on.
    becomes_current: bool,
}

impl Resolved {
    /// Address of the registry.
    pub fn registry(&self) -> &str {
        &self.registry
    }
    /// The package.
    pub fn name(&self) -> &PackageName {
        &self.name
    }
    /// The version, safe as part of a file name.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// The artifact's platform.
    pub fn platform(&self) -> &WirePlatform {
        &self.platform
    }
    /// The digest its bytes must have.
    pub fn sha256(&self) -> &Sha256 {
        &self.sha256
    }
    /// The length its bytes must have.
    pub fn size(&self) -> u64 {
        self.size
    }
    /// Where its bytes are: at least one address, to be tried in order.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }
    /// Whether a bare name shall mean this version from now on.
    pub fn becomes_current(&self) -> bool {
        self.becomes_current
    }
}

/// Why a request means nothing that may be installed.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// The registry's answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The answer is about something else.
    #[error("asked for {asked}, the registry answers with {part} `{found}`")]
    Other {
        /// The request.
        asked: String,
        /// `name`, `version`, `platform`.
        part: &'static str,
        /// What it answers with.
        found: String,
    },
    /// The answer holds something that cannot be.
    #[error("the registry's answer for {asked} has an unusable {part}: {reason}")]
    Unusable {
        /// The request.
        asked: String,
        /// The member.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is a copy, by another client or from another registry, and nobody to check it against.
    #[error("the copy of {asked} was never verified against this registry, and the registry cannot be asked")]
    Unverified {
        /// The request.
        asked: String,
        /// Why it cannot be asked.
        source: ClientError,
    },
}

impl From<ResolveError> for CommandError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Client(error) => error.into(),
            ResolveError::Unverified { .. } => Self::from_error(Kind::Verification, &error)
                .hint("connect once: the bundle is then downloaded, verified and kept"),
            _ => {
                Self::from_error(Kind::Verification, &error).hint("tell the registry's operator; nothing was installed")
            }
        }
    }
}

/// Asks the registry.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(home: &Home, client: &Client, request: &Request) -> Result<Resolved, ResolveError> {
    // 1. the version of a copy that another client keeps, where none is asked for
    let copied = Meta::read(&home.cache_entry(&request.name)).filter(|_| request.version.is_none());
    let asked = shown(request);
    let (answer, second) = match &copied {
        Some(meta) if is_plain(&meta.version) => {
            let of_copy = Request { version: Some(meta.version.clone()), ..request.clone() };
            match ask(client, &of_copy) {
                // the copy may be of the other package of that folder
                Err(ClientError::NotFound { .. }) => ask(client, request),
                Err(
                    source @ (ClientError::Unreachable { .. } | ClientError::Status { .. } | ClientError::Busy { .. }),
                ) => {
                    return Err(ResolveError::Unverified { asked, source });
                }
                other => other,
            }
        }
        _ => ask(client, request),
    }?;
    // 2. an answer to this request and no other
    let mut resolved = check(client.registry().as_str(), request, answer)?;
    resolved.urls.extend(second);
    Ok(resolved)
}

/// Asks the static index where there is one, the API where not; gives a second address for the bytes.
fn ask(client: &Client, request: &Request) -> Result<(Download, Option<String>), ClientError> {
    let version = request.version.as_deref().unwrap_or("latest");
    let Some(root) = client.well_known()? else {
        return Ok((client.download(&request.name, version, request.platform)?, None));
    };
    let package = client.index(&root, &request.name, &format!("{}@{version}", request.name))?;
    let (answer, blob, warnings) = static_index::answer(&root, &package, request)
        .ok_or_else(|| ClientError::NotFound { what: shown(request), registry: client.registry().to_string() })?;
    for warning in warnings.0 {
        ui::note(&format!("warning: {}", ui::safe(&warning)));
    }
    Ok((answer, Some(blob)))
}

fn check(registry: &str, request: &Request, answer: Download) -> Result<Resolved, ResolveError> {
    let asked = || shown(request);
    let other =
        |part, found: &str| ResolveError::Other { asked: asked(), part, found: found.chars().take(200).collect() };
    let unusable = |part, reason: String| ResolveError::Unusable { asked: asked(), part, reason };
    let bundle = answer.bundle;

    if bundle.name != request.name.as_str() {
        return Err(other("name", &bundle.name));
    }
    let wanted = request.version.as_deref().filter(|version| *version != "latest");
    if wanted.is_some_and(|wanted| bare(wanted) != bare(&bundle.version)) {
        return Err(other("version", &bundle.version));
    }
    if !is_plain(&bundle.version) {
        return Err(unusable("version", "expected letters, digits and `.-+_`".into()));
    }
    if !fits(&bundle.platform, request.platform) {
        return Err(other("platform", &format!("{}-{}", bundle.platform.os, bundle.platform.arch)));
    }
    let sha256 =
        bundle.sha256.parse().map_err(|e: mpak_bundle::digest::DigestError| unusable("digest", e.to_string()))?;
    let limit = Limits::default().archive_bytes_max;
    if bundle.size == 0 || bundle.size > limit {
        return Err(unusable("size", format!("{} bytes, expected 1 to {limit}", bundle.size)));
    }
    Ok(Resolved {
        registry: registry.to_owned(),
        name: request.name.clone(),
        version: bundle.version,
        platform: bundle.platform,
        sha256,
        size: bundle.size,
        urls: vec![answer.url],
        becomes_current: wanted.is_none(),
    })
}

fn is_plain(version: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-+_".contains(c);
    !version.is_empty()
        && version.len() <= VERSION_BYTES_MAX
        && version.chars().all(plain)
        && version.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn shown(request: &Request) -> String {
    let version = request.version.as_ref().map(|v| format!("@{v}")).unwrap_or_default();
    format!("{}{version} for {}", request.name, Platform::to_string(&request.platform))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut Download);

    fn answer() -> Download {
        serde_json::from_value(serde_json::json!({
            "url": "https://r.example/x",
            "bundle": {
                "name": "@acme/widget", "version": "1.2.3", "platform": {"os": "linux", "arch": "any"},
                "sha256": Sha256::of(b"x").to_string(), "size": 1,
            },
        }))
        .unwrap()
    }

    fn request(version: Option<&str>) -> Request {
        Request {
            name: PackageName::lookup("@acme/widget").unwrap(),
            version: version.map(str::to_owned),
            platform: "linux-x64".parse().unwrap(),
        }
    }

    #[test]
    fn only_an_answer_to_the_request_is_taken() {
        let check = |version, spoil: fn(&mut Download)| {
            let mut answer = answer();
            spoil(&mut answer);
            check("https://r.example", &request(version), answer).map_err(|e| e.to_string())
        };
        for version in [None, Some("latest"), Some("1.2.3"), Some("v1.2.3")] {
            assert!(check(version, |_| ()).is_ok());
        }
        assert!(check(None, |_| ()).unwrap().becomes_current);
        assert!(!check(Some("1.2.3"), |_| ()).unwrap().becomes_current);
        let other = "asked for @acme/widget for linux-x64, the registry answers with";
        let unusable = "the registry's answer for @acme/widget for linux-x64 has an unusable";
        let cases: [(Spoil, String); 9] = [
            (|a| a.bundle.name = "@acme/other".into(), format!("{other} name `@acme/other`")),
            (|a| a.bundle.platform.os = "win32".into(), format!("{other} platform `win32-any`")),
            (|a| a.bundle.platform.arch = "riscv".into(), format!("{other} platform `linux-riscv`")),
            (
                |a| a.bundle.version = "../../x".into(),
                format!("{unusable} version: expected letters, digits and `.-+_`"),
            ),
            (|a| a.bundle.version = ".x".into(), format!("{unusable} version: expected letters, digits and `.-+_`")),
            (|a| a.bundle.version = String::new(), format!("{unusable} version: expected letters, digits and `.-+_`")),
            (
                |a| a.bundle.sha256 = "x".into(),
                format!("{unusable} digest: `x` is not a SHA-256 digest (64 hex digits)"),
            ),
            (|a| a.bundle.size = 0, format!("{unusable} size: 0 bytes, expected 1 to 536870912")),
            (|a| a.bundle.size = 1 << 40, format!("{unusable} size: 1099511627776 bytes, expected 1 to 536870912")),
        ];
        for (spoil, expected) in cases {
            assert_eq!(check(None, spoil).unwrap_err(), expected);
        }
        let error = check(Some("1.2.4"), |_| ()).unwrap_err();
        assert_eq!(error, "asked for @acme/widget@1.2.4 for linux-x64, the registry answers with version `1.2.3`");
    }
}
