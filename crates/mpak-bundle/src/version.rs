//! Versions: strict semantic versions, at most 50 characters (the width existing registries store).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest version, in bytes.
pub const VERSION_BYTES_MAX: usize = 50;

/// A semantic version (SemVer 2.0.0). Order is SemVer precedence, with build metadata as tie-breaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(semver::Version);

/// Why a text is not a version.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum VersionError {
    /// Longer than [`VERSION_BYTES_MAX`].
    #[error("version has {bytes} bytes, expected at most {VERSION_BYTES_MAX}")]
    Length {
        /// Its length.
        bytes: usize,
    },
    /// Not SemVer 2.0.0.
    #[error("version `{found}` is not a semantic version (like `1.2.3` or `2.0.0-beta.1`): {reason}")]
    NotSemver {
        /// What was given.
        found: String,
        /// What the parser says.
        reason: String,
    },
}

impl Version {
    /// Reads a version strictly: no `v` in front, three parts, no leading zeros.
    ///
    /// # Errors
    /// [`VersionError`].
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.len() > VERSION_BYTES_MAX {
            return Err(VersionError::Length { bytes: text.len() });
        }
        semver::Version::parse(text)
            .map(Self)
            .map_err(|e| VersionError::NotSemver { found: text.to_owned(), reason: e.to_string() })
    }

    /// Whether it has a prerelease part.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }

    /// The parsed form.
    pub fn semver(&self) -> &semver::Version {
        &self.0
    }
}

/// The version a bare request means: the highest stable one, or the highest prerelease where there is
/// no stable one.
pub fn latest<'a>(versions: impl IntoIterator<Item = &'a Version>) -> Option<&'a Version> {
    versions.into_iter().max_by(|a, b| (!a.is_prerelease()).cmp(&!b.is_prerelease()).then_with(|| a.cmp(b)))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Version {
    type Err = VersionError;
    fn from_str(text: &str) -> Result<Self, VersionError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;
    fn try_from(text: String) -> Result<Self, VersionError> {
        Self::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_semver_is_a_version() {
        for good in ["1.0.0", "0.0.1-alpha.1", "1.2.3+build.5"] {
            assert!(Version::parse(good).is_ok(), "{good}");
        }
        for bad in ["banana", "", "v1.0.0", "1.0", "01.0.0", "latest", "../../@v/p/1.0.0", "1.0.0 "] {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
        assert!(Version::parse(&format!("1.0.0-{}", "a".repeat(60))).is_err());
    }

    #[test]
    fn latest_is_the_highest_stable() {
        let all: Vec<_> = ["2.0.0", "1.0.1", "3.0.0-beta.1"].map(|v| Version::parse(v).unwrap()).into();
        assert_eq!(latest(&all).unwrap().to_string(), "2.0.0");
        let pre: Vec<_> = ["1.0.0-a", "1.0.0-b"].map(|v| Version::parse(v).unwrap()).into();
        assert_eq!(latest(&pre).unwrap().to_string(), "1.0.0-b");
    }
}
