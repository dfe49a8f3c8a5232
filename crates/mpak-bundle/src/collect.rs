//! Stage 1, collect: a folder becomes the list of files to pack.
//!
//! In: a folder. Out: [`Collected`]: sorted paths, ignore rules applied, links inside the tree followed
//! and links that leave it refused.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::path::BundlePath;

/// The files of a folder that belong in a bundle.
#[derive(Debug)]
pub struct Collected {
    root: PathBuf,
    files: Vec<CollectedFile>,
    ignored_count: usize,
}

/// One file to pack.
#[derive(Clone, Debug)]
pub struct CollectedFile {
    /// Where it goes in the bundle.
    pub path: BundlePath,
    /// Where it is now (links resolved).
    pub source: PathBuf,
    /// Size now.
    pub bytes: u64,
    /// Whether it gets an execute bit.
    pub executable: bool,
}

impl Collected {
    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// Sorted by path bytes, `manifest.json` first.
    pub fn files(&self) -> &[CollectedFile] {
        &self.files
    }
    /// How many files the ignore rules left out.
    pub fn ignored_count(&self) -> usize {
        self.ignored_count
    }
}

/// Why a folder cannot be collected.
#[derive(Debug, Error)]
pub enum CollectError {
    /// Placeholder until written.
    #[error("{0}")]
    Other(&'static str),
}
