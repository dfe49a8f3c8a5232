//! What a package offers for download, and what is to be known about it: one line for the package, then one
//! for each version, newest published first, so that a version is found without reading the others.

use std::borrow::Cow;
use std::io;

use memchr::memmem;
use mpak_bundle::platform::Platform;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Stands between a version and what is said of it; neither versions nor JSON hold it.
const AFTER_VERSION: char = '\t';

/// What is said of the package as a whole.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fate<'a> {
    /// What a bare name means.
    #[serde(borrow)]
    pub(crate) latest: Cow<'a, str>,
    /// Why it should not be used any more.
    #[serde(borrow)]
    pub(crate) deprecated: Option<Cow<'a, str>>,
    /// What to use instead.
    #[serde(borrow)]
    pub(crate) replacement: Option<Cow<'a, str>>,
}

/// A version.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offer<'a> {
    /// Key.
    pub(crate) id: i64,
    /// First publish.
    pub(crate) at_ms: i64,
    /// `upload`, …
    #[serde(borrow)]
    pub(crate) method: Cow<'a, str>,
    /// Who built it, in short.
    pub(crate) provenance: Option<Value>,
    /// Why it was yanked, if it was; empty without a reason.
    #[serde(borrow)]
    pub(crate) yanked: Option<Cow<'a, str>>,
    /// The event that made it known.
    pub(crate) event: Option<i64>,
    /// What it reaches, once all its artifacts are assessed.
    pub(crate) level: Option<i64>,
    pub(crate) score: Option<i64>,
    /// Exact platforms before `any`.
    #[serde(borrow)]
    pub(crate) artifacts: Vec<Offered<'a>>,
}

/// An artifact.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offered<'a> {
    /// Key.
    pub(crate) id: i64,
    /// What it fits.
    pub(crate) platform: Platform,
    /// In hexadecimal.
    pub(crate) sha256: &'a str,
    pub(crate) size: u64,
}

/// Writes what a package offers.
pub(crate) fn write<'a>(fate: &Fate<'_>, offers: impl Iterator<Item = (&'a str, Offer<'a>)>) -> Vec<u8> {
    let mut out = serde_json::to_vec(fate).unwrap_or_default();
    out.push(b'\n');
    for (version, offer) in offers {
        out.extend_from_slice(version.as_bytes());
        out.push(AFTER_VERSION as u8);
        out.extend(serde_json::to_vec(&offer).unwrap_or_default());
        out.push(b'\n');
    }
    out
}

/// What a package offers, as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offers<'a>(&'a [u8]);

impl<'a> Offers<'a> {
    /// From what [`write`] gave.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// What is said of the package as a whole.
    pub(crate) fn fate(&self) -> io::Result<Fate<'a>> {
        read(self.0)
    }

    /// A version.
    pub(crate) fn find(&self, version: &str) -> io::Result<Option<Offer<'a>>> {
        if version.contains(char::is_control) {
            return Ok(None);
        }
        let line = format!("\n{version}{AFTER_VERSION}");
        let Some(at) = memmem::find(self.0, line.as_bytes()) else { return Ok(None) };
        read(&self.0[at + line.len()..]).map(Some)
    }

    /// All versions.
    pub(crate) fn all(&self) -> io::Result<Vec<(&'a str, Offer<'a>)>> {
        let lines = self.0.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let at = memchr::memchr(AFTER_VERSION as u8, line).ok_or(io::ErrorKind::InvalidData)?;
                let version = std::str::from_utf8(&line[..at]).map_err(io::Error::other)?;
                Ok((version, read(&line[at + 1..])?))
            })
            .collect()
    }
}

/// The JSON at the begin of a line.
fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> io::Result<T> {
    let line = &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())];
    serde_json::from_slice(line).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use mpak_bundle::platform::{Arch, Os};

    use super::*;

    fn offer(id: i64, yanked: Option<&'static str>) -> Offer<'static> {
        let linux = Platform { os: Os::Linux, arch: Arch::X64 };
        let artifact = |id, platform| Offered { id, platform, sha256: "00ff", size: 7 };
        Offer {
            id,
            at_ms: 5,
            method: "upload".into(),
            provenance: None,
            yanked: yanked.map(Cow::Borrowed),
            event: Some(9),
            level: Some(1),
            score: None,
            artifacts: vec![artifact(1, linux), artifact(2, Platform::ANY)],
        }
    }

    #[test]
    fn each_version_is_found_and_no_other_text() {
        let fate = Fate { latest: "1.0.0".into(), deprecated: Some("a\nb \"c\"\t".into()), replacement: None };
        let versions =
            [("1.0.0-a", offer(3, Some("\n1.0.1\t{}"))), ("1.0.0", offer(2, None)), ("1.0", offer(1, Some("")))];
        let text =
            write(&fate, versions.iter().map(|(v, o)| (*v, offer(o.id, o.yanked.as_deref().map(|_| "\n1.0.1\t{}")))));
        let offers = Offers::new(&text);
        assert_eq!(offers.fate().unwrap(), fate);
        for (version, offer) in &versions {
            assert_eq!(offers.find(version).unwrap().map(|found| found.id), Some(offer.id), "{version}");
        }
        let yanked = offers.find("1.0.0-a").unwrap().unwrap();
        assert_eq!((yanked.yanked.as_deref(), yanked.artifacts[1].platform), (Some("\n1.0.1\t{}"), Platform::ANY));
        assert_eq!(yanked.artifacts[0].platform.to_string(), "linux-x64");
        for other in ["", "1.0.1", "1", "0.0", "1.0.0\t", "1.0.0-a\t{}\n1.0.0", "{"] {
            assert_eq!(offers.find(other).unwrap(), None, "{other}");
        }
        let all: Vec<_> = offers.all().unwrap().into_iter().map(|(version, offer)| (version, offer.id)).collect();
        assert_eq!(all, [("1.0.0-a", 3), ("1.0.0", 2), ("1.0", 1)]);
    }
}
