//! Which version may follow which, and how long a version takes further platforms.
//!
//! Pure: in come the new version and what there is, out comes the refusal. Versions rise within their
//! `major.minor` line, so that 1.1.4 may follow 2.0.0 but not 1.1.5; a line may be opened at any time.
//! Spec: MTF 0.1 §3.10 UP-02, UP-04; `version_policy = "strict"` is UP-04 to the letter.

use std::cmp::Ordering;

use mpak_bundle::version::Version;
use thiserror::Error;

use crate::config::VersionPolicy;

/// How long a version takes further platforms after its first publish.
const COMPLETION_MS: i64 = COMPLETION_HOURS * 60 * 60 * 1_000;
/// The same, for people.
const COMPLETION_HOURS: i64 = 72;

/// What is known under a package's name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Versions with the time of their first publish.
    pub(crate) published: Vec<(Version, i64)>,
    /// Versions that were deleted.
    pub(crate) deleted: Vec<Version>,
    /// Whether the name itself was deleted.
    pub(crate) name_deleted: bool,
    /// What the package that had this name is called now.
    pub(crate) renamed_to: Option<String>,
}

/// Why a version may not be published.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum SuccessionError {
    /// The name was deleted.
    #[error("this package was deleted; its name is never used again")]
    NameDeleted,
    /// The package has another name now.
    #[error("this package is called `{to}` now")]
    Renamed {
        /// The new name.
        to: String,
    },
    /// This version was deleted.
    #[error("version {found} was deleted as {deleted}; deleted versions are never used again")]
    Deleted {
        /// What was sent.
        found: Version,
        /// What was deleted.
        deleted: Version,
    },
    /// Differs from a published version in its build metadata only.
    #[error("version {found} is the same as {there}: build metadata does not make another version")]
    SamePrecedence {
        /// What was sent.
        found: Version,
        /// What is there.
        there: Version,
    },
    /// Lower than a version of its line, or with the strict policy than any.
    #[error("version {found} does not rise above {highest}, the highest of {range}")]
    NotRising {
        /// What was sent.
        found: Version,
        /// The highest there is.
        highest: Version,
        /// Of which versions, in words.
        range: String,
    },
    /// Too late for another platform.
    #[error("version {version} was published more than {COMPLETION_HOURS} hours ago and takes no further platforms")]
    Complete {
        /// Which.
        version: Version,
    },
}

/// Decides whether an artifact of this version may be added. The artifact itself is not there yet.
///
/// # Errors
/// [`SuccessionError`].
pub(crate) fn may_follow(
    new: &Version,
    known: &Known,
    policy: VersionPolicy,
    now_ms: i64,
) -> Result<(), SuccessionError> {
    // 1. What was deleted stays deleted.
    if known.name_deleted {
        return Err(SuccessionError::NameDeleted);
    }
    if let Some(to) = &known.renamed_to {
        return Err(SuccessionError::Renamed { to: to.clone() });
    }
    if let Some(deleted) = known.deleted.iter().find(|v| same(v, new)) {
        return Err(SuccessionError::Deleted { found: new.clone(), deleted: deleted.clone() });
    }
    // 2. Another platform of a version that is there.
    if let Some((version, published_at_ms)) = known.published.iter().find(|(v, _)| same(v, new)) {
        return match version {
            version if version != new => {
                Err(SuccessionError::SamePrecedence { found: new.clone(), there: version.clone() })
            }
            _ if now_ms - published_at_ms > COMPLETION_MS => Err(SuccessionError::Complete { version: new.clone() }),
            _ => Ok(()),
        };
    }
    // 3. A new version rises.
    let rivals =
        known.published.iter().map(|(v, _)| v).filter(|v| policy == VersionPolicy::Strict || same_line(v, new));
    match rivals.max_by(|a, b| precedence(a, b)) {
        Some(highest) if precedence(highest, new) != Ordering::Less => {
            let range = match policy {
                VersionPolicy::Strict => "all versions".to_owned(),
                VersionPolicy::Lines => format!("{}.{}.x", new.semver().major, new.semver().minor),
            };
            Err(SuccessionError::NotRising { found: new.clone(), highest: highest.clone(), range })
        }
        _ => Ok(()),
    }
}

/// What to do instead.
pub(crate) fn help(error: &SuccessionError) -> String {
    match error {
        SuccessionError::NameDeleted => "publish under another name".to_owned(),
        SuccessionError::Renamed { to } => format!("publish as `{to}`"),
        SuccessionError::Complete { .. } => "publish a new version for all platforms".to_owned(),
        SuccessionError::Deleted { .. } | SuccessionError::SamePrecedence { .. } => {
            "raise the version in manifest.json, pack and publish again".to_owned()
        }
        SuccessionError::NotRising { highest, .. } => {
            format!("set a version above {highest} in manifest.json, pack and publish again")
        }
    }
}

/// `SemVer` precedence: without build metadata.
fn precedence(a: &Version, b: &Version) -> Ordering {
    a.semver().cmp_precedence(b.semver())
}

fn same(a: &Version, b: &Version) -> bool {
    precedence(a, b) == Ordering::Equal
}

fn same_line(a: &Version, b: &Version) -> bool {
    let line = |v: &Version| (v.semver().major, v.semver().minor);
    line(a) == line(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn known(published: &[&str], deleted: &[&str]) -> Known {
        Known {
            published: published.iter().map(|v| (version(v), 0)).collect(),
            deleted: deleted.iter().map(|v| version(v)).collect(),
            ..Known::default()
        }
    }

    /// `None`: allowed; otherwise a piece of the refusal.
    fn check(policy: VersionPolicy, published: &[&str], new: &str, expect: Option<&str>) {
        let found = may_follow(&version(new), &known(published, &["7.7.7"]), policy, 1).err().map(|e| e.to_string());
        match expect {
            None => assert_eq!(found, None, "{published:?} then {new}"),
            Some(piece) => {
                let found = found.unwrap_or_default();
                assert!(found.contains(piece), "{published:?} then {new}: {found}");
            }
        }
    }

    #[test]
    fn versions_rise_within_their_line() {
        for (published, new, expect) in [
            (&[][..], "0.0.1", None),
            (&["1.1.3", "2.0.0"], "1.1.4", None),
            (&["1.1.3", "1.1.5", "2.0.0"], "1.1.4", Some("does not rise above 1.1.5, the highest of 1.1.x")),
            (&["2.0.0"], "1.2.0", None),
            (&["1.10.0"], "1.9.0", None),
            (&["1.0.0-beta.1"], "1.0.0", None),
            (&["1.0.0"], "1.0.0-beta.1", Some("does not rise above 1.0.0")),
            (&["1.0.0"], "1.0.1-beta.1", None),
            (&["1.0.1-beta.2"], "1.0.1-beta.1", Some("does not rise above 1.0.1-beta.2")),
            (&["1.0.1-beta.2"], "1.0.1-beta.11", None),
            (&["1.0.0"], "1.0.0+build.2", Some("the same as 1.0.0")),
            (&["1.0.0+build.1"], "1.0.0", Some("the same as 1.0.0+build.1")),
            (&["1.0.0"], "7.7.7", Some("was deleted")),
            (&["1.0.0"], "7.7.7+again", Some("was deleted as 7.7.7")),
            (&["1.0.0"], "7.7.6", None),
        ] {
            check(VersionPolicy::Lines, published, new, expect);
        }
    }

    #[test]
    fn the_strict_policy_rises_over_all() {
        for (published, new, expect) in [
            (&["1.0.0", "1.1.0"][..], "1.0.1", Some("does not rise above 1.1.0, the highest of all versions")),
            (&["2.0.0"], "1.1.4", Some("does not rise above 2.0.0")),
            (&["1.0.0", "1.0.1", "1.1.0"], "2.0.0", None),
            (&["2.0.0-rc.1"], "1.9.0", Some("does not rise")),
        ] {
            check(VersionPolicy::Strict, published, new, expect);
        }
    }

    #[test]
    fn a_version_takes_platforms_for_three_days() {
        let (known, new) = (known(&["1.0.0"], &[]), version("1.0.0"));
        for (now_ms, expect) in [
            (0, Ok(())),
            (COMPLETION_MS, Ok(())),
            (COMPLETION_MS + 1, Err(SuccessionError::Complete { version: new.clone() })),
        ] {
            assert_eq!(may_follow(&new, &known, VersionPolicy::Strict, now_ms), expect, "{now_ms}");
        }
    }

    #[test]
    fn a_deleted_name_takes_nothing() {
        let known = Known { name_deleted: true, ..Known::default() };
        assert_eq!(may_follow(&version("9.0.0"), &known, VersionPolicy::Lines, 0), Err(SuccessionError::NameDeleted));
    }
}
