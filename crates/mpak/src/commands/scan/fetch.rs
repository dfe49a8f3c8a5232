//! A package of the registry, downloaded and verified to be scanned here; nothing is installed.

use std::fs;
use std::path::{Path, PathBuf};

use mpak_bundle::name::PackageSpec;
use mpak_bundle::platform::Platform;

use crate::commands::{client, configured_registry, parse_spec};
use crate::error::CommandError;
use crate::home::{Home, lock};
use crate::install::Request;
use crate::install::download::download;
use crate::install::resolve::resolve;
use crate::install::verify::verify;
use crate::settings::Settings;

/// A verified download; gone when dropped.
pub(super) struct Fetched {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Fetched {
    /// Where its file lies.
    pub(super) fn path(&self) -> &Path {
        debug_assert!(self.path.starts_with(self.folder.path()));
        &self.path
    }
}

/// The package that is meant; a file or folder of that name comes first.
pub(super) fn named(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.starts_with('@') && text.contains('/') && !path.exists())
}

/// Downloads what this machine would run.
///
/// # Errors
/// Those of the stages.
pub(super) fn fetch(text: &str, registry: Option<&str>, settings: &Settings) -> Result<Fetched, CommandError> {
    let PackageSpec { name, version } = parse_spec(text)?;
    let home = Home::new(settings);
    let client = client(configured_registry(registry, settings)?, settings)?;
    // 1. Which bytes: the latest ones, not those that are installed.
    let version = version.or_else(|| Some("latest".to_owned()));
    let resolved = resolve(&home, &client, &Request { name, version, platform: Platform::host() })?;
    let file = format!("{}-{}.mcpb", resolved.name().cache_dir(), resolved.version());
    // 2. The bytes, verified.
    let _held = lock::exclusive(&home, &format!("install-{}", resolved.sha256()))?;
    let verified = verify(download(&home, &client, resolved)?)?;
    // 3. Into a folder of our own, so that nobody else's download is taken away.
    let failed = |error: std::io::Error| {
        CommandError::from_error(crate::error::Kind::NeedsPerson, &error).context("cannot keep the download")
    };
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join(file);
    fs::copy(verified.path(), &path).map_err(failed)?;
    let _gone = fs::remove_file(verified.path());
    Ok(Fetched { folder, path })
}
