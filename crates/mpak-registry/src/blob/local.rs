//! Blobs in a folder.
//!
//! Order of a put: the upload is complete in a file, fsync it, rename it to its digest's name, fsync the
//! folder. A kill before the rename leaves a stray file in `tmp/` (emptied at start); a kill after it leaves
//! a whole blob that perhaps no row names. Where uploads wait on another file system than the blobs, they
//! are first copied beside them, under a name that no blob has.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use mpak_bundle::digest::Sha256;
use mpak_bundle::durable;
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::{BlobError, Reading, blocking, digest_of, parts};

/// Bytes that are read from disk at once.
const READ_BYTES: usize = 128 << 10;
/// Names of copies that are not blobs yet.
const INCOMING: &str = ".incoming-";
/// After this time such a copy is left over from a killed server.
const INCOMING_AGE_MAX: Duration = Duration::from_hours(24);

/// A folder of blobs.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    /// `DIR/sha256`
    root: PathBuf,
}

impl Local {
    /// Opens or creates `sha256` in a folder.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let root = folder.join("sha256");
        fs::create_dir_all(&root)?;
        durable::sync_folder(folder)?;
        if let Some(parent) = folder.parent().filter(|p| !p.as_os_str().is_empty()) {
            durable::sync_folder(parent)?;
        }
        remove_leftovers(&root)?;
        Ok(Self { root })
    }

    fn path(&self, sha256: &Sha256) -> PathBuf {
        let [_, first, others] = parts(sha256);
        self.root.join(first).join(others)
    }

    pub(super) fn put(&self, file: NamedTempFile, sha256: &Sha256, size_bytes: u64) -> Result<(), BlobError> {
        let path = self.path(sha256);
        // 1. It is there already, and sound.
        if self.holds(sha256, size_bytes)? {
            return Ok(());
        }
        // 2. Its folder.
        let folder = path.parent().unwrap_or(&self.root);
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            durable::sync_folder(&self.root)?;
        }
        // 3. The bytes, then the name.
        file.as_file().sync_all()?;
        match file.into_temp_path().persist(&path) {
            Ok(()) => {}
            Err(refused) if refused.error.kind() == io::ErrorKind::CrossesDevices => {
                self.copy(&refused.path, &path)?;
            }
            Err(refused) => return Err(refused.error.into()),
        }
        Ok(durable::sync_folder(folder)?)
    }

    fn holds(&self, sha256: &Sha256, size_bytes: u64) -> Result<bool, BlobError> {
        match self.file(sha256) {
            Ok((mut file, size)) => Ok(size == size_bytes && Sha256::of_reader(&mut file)?.0 == *sha256),
            Err(BlobError::Missing { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut copy = tempfile::Builder::new().prefix(INCOMING).tempfile_in(&self.root)?;
        io::copy(&mut File::open(from)?, copy.as_file_mut())?;
        copy.as_file().sync_all()?;
        copy.into_temp_path().persist(to).map_err(|e| e.error)
    }

    pub(super) fn size(&self, sha256: &Sha256) -> Result<Option<u64>, BlobError> {
        match fs::metadata(self.path(sha256)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The file of a blob, and its length.
    pub(super) fn file(&self, sha256: &Sha256) -> Result<(File, u64), BlobError> {
        let file = File::open(self.path(sha256)).map_err(|e| match e.kind() {
            // Without the folder, as where a disk is not mounted, nothing is known of a single blob.
            io::ErrorKind::NotFound if !self.root.is_dir() => BlobError::Unavailable(Box::new(e)),
            io::ErrorKind::NotFound => BlobError::Missing { sha256: *sha256 },
            _ => e.into(),
        })?;
        let size_bytes = file.metadata()?.len();
        Ok((file, size_bytes))
    }

    /// Streams an opened blob. Its bytes lie on our own disk and are not hashed again.
    pub(super) fn read(mut file: File, size_bytes: u64, range: Option<Range<u64>>) -> Result<Reading, BlobError> {
        let range = range.unwrap_or(0..size_bytes);
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start))?;
        }
        let reader = tokio::fs::File::from_std(file).take(range.end.saturating_sub(range.start));
        let pieces = ReaderStream::with_capacity(reader, READ_BYTES).map_err(BlobError::from).boxed();
        Ok(Reading { size_bytes, range, pieces })
    }

    /// One of the 256 folders after the other.
    pub(super) fn list(&self) -> BoxStream<'static, Result<(Sha256, u64), BlobError>> {
        let root = self.root.clone();
        let folders = stream::iter((0..=u8::MAX).map(move |first| (root.clone(), format!("{first:02x}"))));
        let listed = folders.then(|(root, first)| async move {
            match blocking(move || folder_blobs(&root.join(&first), &first)).await {
                Ok(blobs) => stream::iter(blobs.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            }
        });
        listed.flatten().boxed()
    }

    pub(super) fn delete(&self, sha256: &Sha256) -> Result<(), BlobError> {
        let path = self.path(sha256);
        match fs::remove_file(&path) {
            Ok(()) => Ok(durable::sync_folder(path.parent().unwrap_or(&self.root))?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether the folder can be read.
    pub(super) fn check(&self) -> Result<(), BlobError> {
        fs::read_dir(&self.root).map(|_| ()).map_err(|e| BlobError::Unavailable(Box::new(e)))
    }
}

fn folder_blobs(folder: &Path, first: &str) -> Result<Vec<(Sha256, u64)>, BlobError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e.into()),
    };
    let mut blobs = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(sha256) = digest_of(first, &entry.file_name().to_string_lossy()) {
            blobs.push((sha256, entry.metadata()?.len()));
        }
    }
    Ok(blobs)
}

/// Copies of a server that was killed meanwhile; younger ones may belong to another server on this folder.
fn remove_leftovers(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let incoming = entry.file_name().to_string_lossy().starts_with(INCOMING);
        if incoming && entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > INCOMING_AGE_MAX) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn upload(folder: &Path, bytes: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new_in(folder).unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn a_blob_is_kept_once_under_its_digest() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Local::open(&data.path().join("blobs")).unwrap();
        let sha256 = Sha256::of(b"bytes");
        for _ in 0..2 {
            blobs.put(upload(data.path(), b"bytes"), &sha256, 5).unwrap();
        }
        assert_eq!(blobs.size(&sha256).unwrap(), Some(5));
        assert_eq!(blobs.size(&Sha256::of(b"other")).unwrap(), None);
        let strays = fs::read_dir(data.path()).unwrap().count();
        assert_eq!(strays, 1, "only `blobs` is left");
    }

    #[test]
    fn a_torn_blob_and_a_wrong_one_are_replaced() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Local::open(data.path()).unwrap();
        let sha256 = Sha256::of(b"bytes");
        fs::create_dir_all(blobs.path(&sha256).parent().unwrap()).unwrap();
        for damaged in [&b"by"[..], b"bytEs"] {
            fs::write(blobs.path(&sha256), damaged).unwrap();
            blobs.put(upload(data.path(), b"bytes"), &sha256, 5).unwrap();
            assert_eq!(fs::read(blobs.path(&sha256)).unwrap(), b"bytes");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn uploads_from_another_file_system_are_copied() {
        let (data, shm) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
        let blobs = Local::open(data.path()).unwrap();
        let sha256 = Sha256::of(b"bytes");
        blobs.copy(upload(shm.path(), b"bytes").path(), &data.path().join("copied")).unwrap();
        blobs.put(upload(shm.path(), b"bytes"), &sha256, 5).unwrap();
        assert_eq!(fs::read(blobs.path(&sha256)).unwrap(), b"bytes");
        assert_eq!(fs::read_dir(&blobs.root).unwrap().count(), 1, "the copy has its final name");
    }

    #[tokio::test]
    async fn all_blobs_are_listed_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Local::open(data.path()).unwrap();
        let mut expect: Vec<_> = (0..300_u32).map(|n| (Sha256::of(&n.to_be_bytes()), 4)).collect();
        for n in 0..300_u32 {
            let bytes = n.to_be_bytes();
            blobs.put(upload(data.path(), &bytes), &Sha256::of(&bytes), 4).unwrap();
        }
        fs::write(blobs.root.join("00-notes"), "x").unwrap();
        let mut found: Vec<_> = blobs.list().try_collect().await.unwrap();
        found.sort_unstable();
        expect.sort_unstable();
        assert_eq!(found, expect);
        blobs.delete(&expect[0].0).unwrap();
        blobs.delete(&expect[0].0).unwrap();
        assert_eq!(blobs.size(&expect[0].0).unwrap(), None);
    }

    #[test]
    fn without_its_folder_a_store_is_away_and_not_empty() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Local::open(&data.path().join("blobs")).unwrap();
        let sha256 = Sha256::of(b"bytes");
        assert!(matches!(blobs.file(&sha256), Err(BlobError::Missing { .. })));
        fs::remove_dir(data.path().join("blobs/sha256")).unwrap();
        assert!(matches!(blobs.file(&sha256), Err(BlobError::Unavailable(_))));
    }
}
