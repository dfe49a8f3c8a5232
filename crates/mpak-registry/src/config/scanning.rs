//! `[scan]`: how published bundles are judged.

use std::path::PathBuf;
use std::time::Duration;

/// `[scan]`
#[derive(Clone, Debug)]
pub struct Scanning {
    /// Whether a background worker scans what was published.
    pub enabled: bool,
    /// The program that is started with `scan-worker` for each scan; without one the scanner runs in this
    /// process, where the bounds below do not hold.
    pub program: Option<PathBuf>,
    /// Longest time of one scan.
    pub timeout: Duration,
    /// Most memory of one scan, in MiB; seen on Linux only.
    pub memory_mb: u64,
    /// Roots of Sigstore that are trusted instead of the built-in ones, for private services.
    pub trust_root: Option<PathBuf>,
}

impl Default for Scanning {
    fn default() -> Self {
        Self { enabled: true, program: None, timeout: Duration::from_mins(2), memory_mb: 1_024, trust_root: None }
    }
}
