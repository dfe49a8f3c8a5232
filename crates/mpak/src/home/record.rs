//! What we remember of a package: which digest is which version, per registry. Written by activation
//! only, so everything in it was verified.

use std::collections::BTreeSet;

use mpak_api::bundle::WirePlatform;
use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use mpak_bundle::platform::{Arch, Os, Platform};
use serde::{Deserialize, Serialize};

use super::{Home, HomeError, read_json};

/// A package of one registry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Address of the registry.
    pub registry: String,
    /// The package.
    pub name: String,
    /// The version that a bare name means.
    pub current: String,
    /// Installed artifacts, newest installation first.
    pub artifacts: Vec<Installed>,
}

/// One installed artifact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Installed {
    /// Version.
    pub version: String,
    /// What it fits.
    pub platform: WirePlatform,
    /// Its digest, and its folder in the store.
    pub sha256: Sha256,
    /// Bytes of the bundle file.
    pub size: u64,
    /// When it was installed.
    pub pulled_at: String,
    /// Interpreters that its native Python modules need.
    #[serde(default)]
    pub python_abis: BTreeSet<String>,
}

/// A local file that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LocalRecord {
    /// Absolute path.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Time of its last change, nanoseconds since 1970.
    pub modified_ns: u128,
    /// Its digest, and its folder in the store.
    pub sha256: Sha256,
    /// Interpreters that its native Python modules need.
    #[serde(default)]
    pub python_abis: BTreeSet<String>,
}

impl Record {
    /// Reads the record of a package. One that is damaged or of another package is none: what it stands
    /// for is then installed again.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn read(home: &Home, registry: &str, name: &PackageName) -> Result<Option<Self>, HomeError> {
        let record: Option<Self> = match read_json(&home.record(registry, name)) {
            Err(HomeError::Damaged { .. }) => None,
            other => other?,
        };
        Ok(record.filter(|r| r.registry == registry && r.name == name.as_str()))
    }

    /// The installed artifact of a version (or of the current one) that fits a machine.
    pub fn find(&self, version: Option<&str>, host: Platform) -> Option<&Installed> {
        let wanted = bare(version.unwrap_or(&self.current));
        self.artifacts.iter().find(|a| bare(&a.version) == wanted && fits(&a.platform, host))
    }
}

/// A version without the `v` that some write in front.
pub fn bare(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

/// Whether an artifact's platform fits a machine; words that we do not know fit nothing.
pub fn fits(platform: &WirePlatform, host: Platform) -> bool {
    match (Os::parse(&platform.os), Arch::parse(&platform.arch)) {
        (Some(os), Some(arch)) => Platform { os, arch }.fits(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(version: &str, os: &str, arch: &str) -> Installed {
        Installed {
            version: version.into(),
            platform: WirePlatform { os: os.into(), arch: arch.into() },
            sha256: Sha256::of(version.as_bytes()),
            size: 1,
            pulled_at: String::new(),
            python_abis: BTreeSet::new(),
        }
    }

    #[test]
    fn e11_an_artifact_for_another_machine_is_not_found() {
        let record = Record {
            registry: String::new(),
            name: String::new(),
            current: "1.0.0".into(),
            artifacts: vec![
                installed("1.0.0", "darwin", "arm64"),
                installed("2.0.0", "any", "any"),
                installed("3.0.0", "plan9", "any"),
            ],
        };
        let linux = "linux-x64".parse().unwrap();
        assert!(record.find(None, linux).is_none());
        assert!(record.find(None, "darwin-arm64".parse().unwrap()).is_some());
        assert!(record.find(Some("2.0.0"), linux).is_some());
        assert!(record.find(Some("v2.0.0"), linux).is_some());
        assert!(record.find(Some("3.0.0"), linux).is_none());
        assert!(record.find(Some("4.0.0"), linux).is_none());
    }
}
