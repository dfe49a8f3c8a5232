//! `[storage]`: where bundles are kept.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::Secret;

/// Whether the registry keeps the bytes of announced releases.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It does: a deleted release breaks nobody.
    #[default]
    Mirror,
    /// It keeps the digest and the release's address.
    Link,
}

/// Who gives the bytes to those who download.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Downloads {
    /// The registry, which hashes what comes from a remote store on its way.
    #[default]
    Stream,
    /// The store itself, at signed addresses that expire; the registry where the store has none.
    Redirect,
}

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// `file:DIR`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`
    pub url: String,
    /// Address of an S3-compatible store, or of an emulator.
    pub endpoint: Option<Url>,
    /// Region of S3.
    pub region: Option<String>,
    /// Bucket in the path instead of the host.
    #[serde(default)]
    pub path_style: bool,
    /// S3: access key; Azure: account; Google: not used.
    pub access_key_id: Option<String>,
    /// S3: secret key; Azure: account key; Google: the service account's JSON key.
    pub secret_access_key: Option<Secret>,
    /// What becomes of announced bytes.
    #[serde(default)]
    pub mode: Mode,
    /// Who gives the bytes to those who download.
    #[serde(default)]
    pub downloads: Downloads,
    /// How long a signed address gives the bytes.
    #[serde(default = "signed_url_seconds")]
    pub signed_url_seconds: u64,
}

/// Long enough to begin a download, too short to pass an address around.
fn signed_url_seconds() -> u64 {
    900
}

impl Storage {
    /// A local folder: `sha256/ab/cdef…` below it.
    pub fn local(folder: &Path) -> Self {
        Self {
            url: format!("file:{}", folder.display()),
            endpoint: None,
            region: None,
            path_style: false,
            access_key_id: None,
            secret_access_key: None,
            mode: Mode::Mirror,
            downloads: Downloads::Stream,
            signed_url_seconds: signed_url_seconds(),
        }
    }

    /// The folder of a local store.
    pub(crate) fn local_folder(&self) -> Option<PathBuf> {
        self.url.strip_prefix("file:").map(PathBuf::from)
    }
}
