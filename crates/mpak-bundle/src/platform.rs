//! Platforms: the operating system and processor an artifact fits, in the wire's words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Operating system, in Node's words as the wire has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    /// macOS.
    Darwin,
    /// Linux.
    Linux,
    /// Windows.
    Win32,
    /// Any of them.
    Any,
}

/// Processor architecture, in Node's words as the wire has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// x86-64.
    X64,
    /// AArch64.
    Arm64,
    /// Any of them.
    Any,
}

/// What an artifact fits; written `linux-x64`, `darwin-any`, or `any` for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system.
    pub os: Os,
    /// Processor.
    pub arch: Arch,
}

/// A text is not a platform.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "platform `{found}` is not `any` or OS-ARCH with OS one of darwin, linux, win32, any and ARCH one of x64, arm64, any"
)]
pub struct PlatformError {
    /// What was given, cut short.
    pub found: String,
}

impl Os {
    /// The wire's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Darwin => "darwin",
            Self::Linux => "linux",
            Self::Win32 => "win32",
            Self::Any => "any",
        }
    }

    /// Reads the wire's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Darwin, Self::Linux, Self::Win32, Self::Any].into_iter().find(|os| os.as_str() == text)
    }
}

impl Arch {
    /// The wire's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X64 => "x64",
            Self::Arm64 => "arm64",
            Self::Any => "any",
        }
    }

    /// Reads the wire's word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::X64, Self::Arm64, Self::Any].into_iter().find(|arch| arch.as_str() == text)
    }
}

impl Platform {
    /// Fits everywhere.
    pub const ANY: Self = Self { os: Os::Any, arch: Arch::Any };

    /// The machine this program was built for; parts without a word of their own are `any`.
    pub fn host() -> Self {
        let os = match std::env::consts::OS {
            "macos" => Os::Darwin,
            "linux" => Os::Linux,
            "windows" => Os::Win32,
            _ => Os::Any,
        };
        let arch = match std::env::consts::ARCH {
            "x86_64" => Arch::X64,
            "aarch64" => Arch::Arm64,
            _ => Arch::Any,
        };
        Self { os, arch }
    }

    /// Whether something that fits `self` runs on `host`.
    pub fn fits(self, host: Self) -> bool {
        (self.os == Os::Any || self.os == host.os) && (self.arch == Arch::Any || self.arch == host.arch)
    }

    /// The order in which artifacts are tried for this platform: exact, any processor, anything.
    /// Source: the existing registry's download route.
    pub fn candidates(self) -> [Self; 3] {
        [self, Self { os: self.os, arch: Arch::Any }, Self::ANY]
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY { f.write_str("any") } else { write!(f, "{}-{}", self.os.as_str(), self.arch.as_str()) }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        if text == "any" {
            return Ok(Self::ANY);
        }
        text.split_once('-')
            .and_then(|(os, arch)| Some(Self { os: Os::parse(os)?, arch: Arch::parse(arch)? }))
            .ok_or_else(|| PlatformError { found: text.chars().take(80).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_read_what_they_write() {
        for text in ["any", "linux-x64", "darwin-arm64", "win32-any", "any-x64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        assert_eq!("any-any".parse::<Platform>().unwrap(), Platform::ANY);
        assert!("freebsd-x64".parse::<Platform>().is_err());
        assert!("linux".parse::<Platform>().is_err());
    }

    #[test]
    fn an_artifact_fits_its_platform_only() {
        let linux: Platform = "linux-x64".parse().unwrap();
        assert!(Platform::ANY.fits(linux));
        assert!("linux-any".parse::<Platform>().unwrap().fits(linux));
        assert!(!"linux-arm64".parse::<Platform>().unwrap().fits(linux));
    }
}
