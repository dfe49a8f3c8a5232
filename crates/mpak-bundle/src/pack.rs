//! Stage 2, pack: collected files become a bundle, the same bytes for the same input on any machine.

use std::path::Path;

use thiserror::Error;

use crate::collect::Collected;
use crate::digest::Sha256;

/// A written bundle.
#[derive(Debug)]
pub struct Packed {
    /// Its digest.
    pub sha256: Sha256,
    /// Its size.
    pub bytes: u64,
    /// Sum of its files.
    pub unpacked_bytes: u64,
    /// Number of its files.
    pub files_count: usize,
}

/// Why nothing was packed; the old file is still there.
#[derive(Debug, Error)]
pub enum PackError {
    /// Placeholder until written.
    #[error("{0}")]
    Other(&'static str),
}

/// How to pack.
#[derive(Clone, Debug, Default)]
pub struct PackOptions {
    /// Seconds since 1970 for every entry, from `SOURCE_DATE_EPOCH`; `None` is 1980-01-01.
    pub source_date_epoch: Option<i64>,
}

/// Packs to `out`, written beside it and renamed.
///
/// # Errors
/// [`PackError`].
pub fn pack(collected: &Collected, out: &Path, options: &PackOptions) -> Result<Packed, PackError> {
    let _ = (collected, out, options);
    unimplemented!("helper: pack")
}
