//! Blobs: bytes by their digest in a local folder, put once, never changed.
//!
//! Order of a put: the upload is complete in `tmp/` of the same file system, fsync it, rename it to its
//! digest's name, fsync the folder. A kill before the rename leaves a stray file in `tmp/` (emptied at
//! start); a kill after it leaves a whole blob that perhaps no row names: harmless, and used again by the
//! next publish of the same bytes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use mpak_bundle::digest::Sha256;
use mpak_bundle::durable;
use tempfile::NamedTempFile;

/// The folder of blobs.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    root: PathBuf,
}

impl Blobs {
    /// Opens or creates `blobs/sha256` in a data folder.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let root = data.join("blobs").join("sha256");
        fs::create_dir_all(&root)?;
        durable::sync_folder(data)?;
        durable::sync_folder(&data.join("blobs"))?;
        Ok(Self { root })
    }

    /// Where a blob lies: `ab/cdef…`.
    fn path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.to_string();
        self.root.join(&hex[..2]).join(&hex[2..])
    }

    /// Keeps a complete file under its digest, unless the same bytes are there already.
    pub(crate) fn put(&self, file: NamedTempFile, sha256: &Sha256, size_bytes: u64) -> io::Result<()> {
        let path = self.path(sha256);
        if fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() == size_bytes) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.root);
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            durable::sync_folder(&self.root)?;
        }
        file.as_file().sync_all()?;
        file.into_temp_path().persist(&path).map_err(|e| e.error)?;
        durable::sync_folder(folder)
    }

    /// Opens a blob; nothing when it is not there.
    pub(crate) fn get(&self, sha256: &Sha256) -> io::Result<Option<(File, u64)>> {
        match File::open(self.path(sha256)) {
            Ok(file) => {
                let size = file.metadata()?.len();
                Ok(Some((file, size)))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether the folder can be read.
    pub(crate) fn check(&self) -> io::Result<()> {
        fs::read_dir(&self.root).map(|_| ())
    }
}

/// Removes what uploads of a killed server left behind.
pub(crate) fn empty_tmp(tmp: &Path) -> io::Result<()> {
    fs::create_dir_all(tmp)?;
    for entry in fs::read_dir(tmp)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_blob_is_kept_once_under_its_digest() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(data.path()).unwrap();
        let sha256 = Sha256::of(b"bytes");
        for _ in 0..2 {
            let mut file = NamedTempFile::new_in(data.path()).unwrap();
            file.write_all(b"bytes").unwrap();
            blobs.put(file, &sha256, 5).unwrap();
        }
        assert_eq!(blobs.get(&sha256).unwrap().unwrap().1, 5);
        assert!(blobs.get(&Sha256::of(b"other")).unwrap().is_none());
        let strays = fs::read_dir(data.path()).unwrap().count();
        assert_eq!(strays, 1, "only `blobs` is left");
    }

    #[test]
    fn a_torn_blob_is_replaced() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(data.path()).unwrap();
        let sha256 = Sha256::of(b"bytes");
        fs::create_dir_all(blobs.path(&sha256).parent().unwrap()).unwrap();
        fs::write(blobs.path(&sha256), b"by").unwrap();
        let mut file = NamedTempFile::new_in(data.path()).unwrap();
        file.write_all(b"bytes").unwrap();
        blobs.put(file, &sha256, 5).unwrap();
        assert_eq!(blobs.get(&sha256).unwrap().unwrap().1, 5);
    }
}
