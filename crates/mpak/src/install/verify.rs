//! Stage 14, verify: the bytes are the promised ones, and a readable bundle.
//!
//! In: [`Downloaded`], or a local file that its owner vouches for. Out: [`Verified`], whose digest was
//! computed over the very file that is then read. Checked: digest, length, container, manifest. Name, version and platform of
//! the registry's answer were checked against the request by [`super::resolve`].

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use mpak_bundle::archive::{Bundle, OpenError};
use mpak_bundle::digest::{Hashing, Sha256};
use mpak_bundle::limits::Limits;
use thiserror::Error;

use super::download::{Downloaded, discard};
use super::resolve::Resolved;
use crate::error::{CommandError, Kind};

/// A bundle whose bytes are the promised ones.
pub struct Verified {
    bundle: Bundle,
    sha256: Sha256,
    size: u64,
    /// Where its file lies.
    path: PathBuf,
    /// `None` for a local file.
    resolved: Option<Resolved>,
}

impl Verified {
    /// The opened bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }
    /// Its digest.
    pub fn sha256(&self) -> &Sha256 {
        &self.sha256
    }
    /// Its length.
    pub fn size(&self) -> u64 {
        self.size
    }
    /// Where its file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// What the registry said; `None` for a local file.
    pub fn resolved(&self) -> Option<&Resolved> {
        self.resolved.as_ref()
    }
}

/// Why the bytes are not taken.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// Other bytes than promised.
    #[error("integrity mismatch: expected sha256 {expected}, got {found}")]
    Digest {
        /// As the registry said.
        expected: Sha256,
        /// As the bytes are.
        found: Sha256,
    },
    /// Not a bundle that we read.
    #[error("`{}` is not a bundle that can be run", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// The file system refuses.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<VerifyError> for CommandError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Digest { .. } => Self::from_error(Kind::Verification, &error)
                .hint("nothing was installed; tell the registry's operator if it happens again"),
            VerifyError::Bundle { ref source, .. } => {
                let help = source.help();
                Self::from_error(Kind::NotABundle, &error).hint("nothing was installed").hint(help)
            }
            VerifyError::Io { .. } => Self::from_error(Kind::NeedsPerson, &error),
        }
    }
}

/// Verifies a download. A file that fails is removed, so that the next run does not meet it again.
///
/// # Errors
/// [`VerifyError`].
pub fn verify(downloaded: Downloaded) -> Result<Verified, VerifyError> {
    let (resolved, path) = downloaded.into_parts();
    let result = promised(&path, *resolved.sha256());
    if result.is_err() {
        discard(&path);
    }
    result.map(|verified| Verified { resolved: Some(resolved), ..verified })
}

/// The digest is computed over the file handle that is read from here on.
fn promised(path: &Path, expected: Sha256) -> Result<Verified, VerifyError> {
    let io = |source| VerifyError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let (sha256, size) = Sha256::of_reader(&mut file).map_err(io)?;
    if expected != sha256 {
        return Err(VerifyError::Digest { expected, found: sha256 });
    }
    open(path, file, sha256, size)
}

/// Opens a local file; its owner vouches for it, so there is no digest to expect. Others may be able to
/// write to it meanwhile, and the store is by digest: what is hashed and read is a copy of ours in `tmp`.
///
/// # Errors
/// [`VerifyError`].
pub fn verify_local(path: &Path, tmp: &Path) -> Result<Verified, VerifyError> {
    let io = |source| VerifyError::Io { path: path.to_owned(), source };
    let limit = Limits::default().archive_bytes_max;
    let mut copy = Hashing::new(tempfile::tempfile_in(tmp).map_err(io)?);
    // one byte more, so that a longer one is noticed when it is opened
    let size = io::copy(&mut File::open(path).map_err(io)?.take(limit + 1), &mut copy).map_err(io)?;
    let (file, sha256) = copy.finish();
    open(path, file, sha256, size)
}

fn open(path: &Path, file: File, sha256: Sha256, size: u64) -> Result<Verified, VerifyError> {
    let bundle = Bundle::open(file, &Limits::default())
        .map_err(|source| VerifyError::Bundle { path: path.to_owned(), source })?;
    Ok(Verified { bundle, sha256, size, path: path.to_owned(), resolved: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise whoever can write to the file puts other files under the digest of a good bundle.
    #[test]
    fn a_local_file_that_changes_meanwhile_is_stored_as_it_was_hashed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("good.mcpb");
        let good = mpak_testkit::zip::minimal_bundle();
        std::fs::write(&path, &good).unwrap();
        let verified = verify_local(&path, dir.path()).unwrap();
        std::fs::write(&path, vec![0; good.len()]).unwrap();
        assert_eq!(verified.sha256(), &Sha256::of(&good));
        assert_eq!(verified.size(), good.len() as u64);
        assert_eq!(&verified.bundle().archive.sha256().unwrap(), verified.sha256());
    }
}
