//! Package names: `@scope/name`, the only form under which a bundle is published and found.
//!
//! Source of the rules: the existing registry's announce rule for what may be *published*; mirrored
//! names may also hold dots and underscores, so *lookups* accept those.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest scope, in bytes.
pub const SCOPE_BYTES_MAX: usize = 39;
/// Longest part after the slash, in bytes.
pub const BASE_BYTES_MAX: usize = 214;

/// A scoped package name, for example `@acme/widget`. Lower case, never empty, safe as a path part
/// after [`PackageName::cache_dir`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName {
    /// Always `@`, scope, `/`, base; checked by [`PackageName::lookup`].
    full: String,
    /// Byte position of the slash.
    slash: usize,
}

/// Why a text is not a package name.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// There is no `@` in front or no `/`.
    #[error("package name `{found}` is not of the form `@scope/name`")]
    NotScoped {
        /// What was given.
        found: String,
    },
    /// A character outside the allowed set, or a part that starts with one that may not start it.
    #[error("package name `{found}`: {part} may hold only {allowed}")]
    Character {
        /// What was given.
        found: String,
        /// `scope` or `name`.
        part: &'static str,
        /// The allowed characters, in words.
        allowed: &'static str,
    },
    /// A part is empty or too long.
    #[error("package name `{found}`: {part} has {bytes} bytes, expected 1 to {limit}")]
    Length {
        /// What was given.
        found: String,
        /// `scope` or `name`.
        part: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
}

impl PackageName {
    /// Reads a name under which something may be published: lower-case letters, digits and hyphens.
    ///
    /// # Errors
    /// [`NameError`] says which part is wrong.
    pub fn publishable(text: &str) -> Result<Self, NameError> {
        Self::parse(text, |c| c == b'-', "lower-case letters, digits and hyphens, and starts with a letter or digit")
    }

    /// Reads a name under which something may be looked up: also dots and underscores, which mirrored
    /// names have.
    ///
    /// # Errors
    /// [`NameError`] says which part is wrong.
    pub fn lookup(text: &str) -> Result<Self, NameError> {
        Self::parse(
            text,
            |c| matches!(c, b'-' | b'.' | b'_'),
            "lower-case letters, digits, `-`, `.` and `_`, and starts with a letter or digit",
        )
    }

    fn parse(text: &str, inner: fn(u8) -> bool, allowed: &'static str) -> Result<Self, NameError> {
        let found = || text.chars().take(300).collect::<String>();
        let Some((scope, base)) = text.strip_prefix('@').and_then(|rest| rest.split_once('/')) else {
            return Err(NameError::NotScoped { found: found() });
        };
        for (part, value, limit) in [("scope", scope, SCOPE_BYTES_MAX), ("name", base, BASE_BYTES_MAX)] {
            if value.is_empty() || value.len() > limit {
                return Err(NameError::Length { found: found(), part, bytes: value.len(), limit });
            }
            let alnum = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
            let bytes = value.as_bytes();
            if !alnum(bytes[0]) || !bytes.iter().all(|&c| alnum(c) || inner(c)) {
                return Err(NameError::Character { found: found(), part, allowed });
            }
        }
        Ok(Self { full: text.to_owned(), slash: scope.len() + 1 })
    }

    /// The whole name with `@` and `/`.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The scope without `@`.
    pub fn scope(&self) -> &str {
        &self.full[1..self.slash]
    }

    /// The part after the slash.
    pub fn base(&self) -> &str {
        &self.full[self.slash + 1..]
    }

    /// The folder name that existing clients use below `cache/`: the first `@` removed, the first `/`
    /// replaced by `-`. Not unique (`@a-b/c` and `@a/b-c` share one), so never an identity.
    pub fn cache_dir(&self) -> String {
        format!("{}-{}", self.scope(), self.base())
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl FromStr for PackageName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::lookup(text)
    }
}

impl TryFrom<String> for PackageName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::lookup(&text)
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.full
    }
}

/// What a user types: a name and perhaps a version, `@scope/name[@version]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageSpec {
    /// The package.
    pub name: PackageName,
    /// The text after the last `@`, if it is not empty; `latest` is kept as such.
    pub version: Option<String>,
}

impl FromStr for PackageSpec {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, version) = match text.rfind('@') {
            Some(at) if at > 0 => (&text[..at], Some(&text[at + 1..])),
            _ => (text, None),
        };
        Ok(Self { name: PackageName::lookup(name)?, version: version.filter(|v| !v.is_empty()).map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishable_names_follow_the_announce_rule() {
        for good in ["@acme/widget", "@0a/1-b--", "@a/b"] {
            assert!(PackageName::publishable(good).is_ok(), "{good}");
        }
        for bad in
            ["acme", "@acme", "@/x", "@a/", "@Acme/x", "@a/x.y", "@a/x_y", "@-a/x", "@a/../b", "@a/b/c", "@a/x\0"]
        {
            assert!(PackageName::publishable(bad).is_err(), "{bad}");
        }
        assert!(PackageName::publishable(&format!("@a/{}", "x".repeat(214))).is_ok());
        assert!(PackageName::publishable(&format!("@a/{}", "x".repeat(215))).is_err());
        assert!(PackageName::publishable(&format!("@{}/x", "a".repeat(40))).is_err());
    }

    #[test]
    fn lookups_accept_mirrored_names() {
        assert!(PackageName::lookup("@io.github.x/a_b.c").is_ok());
        assert!(PackageName::lookup("@a/.x").is_err());
    }

    #[test]
    fn a_spec_splits_at_the_last_at() {
        let spec: PackageSpec = "@acme/widget@1.2.3".parse().unwrap();
        assert_eq!((spec.name.as_str(), spec.version.as_deref()), ("@acme/widget", Some("1.2.3")));
        assert_eq!("@acme/widget@".parse::<PackageSpec>().unwrap().version, None);
        assert!("widget@1".parse::<PackageSpec>().is_err());
    }

    #[test]
    fn cache_dirs_collide_as_existing_clients_do() {
        let a = PackageName::lookup("@a-b/c").unwrap().cache_dir();
        assert_eq!(a, PackageName::lookup("@a/b-c").unwrap().cache_dir());
    }
}
