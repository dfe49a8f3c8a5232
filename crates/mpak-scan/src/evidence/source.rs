//! Where evidence comes from: the two kinds of things that can be scanned, behind one door.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use mpak_bundle::archive::{Archive, Entry};
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Contents, FileKind};

use super::{FileFact, GatherError};

/// A bundle or folder whose files can be listed and read.
pub(super) trait Source: Contents {
    /// All files, sorted by path.
    fn files(&self) -> Vec<FileFact>;
    /// Streams a whole file.
    fn copy(&self, path: &str, to: &mut dyn Write) -> Result<(), GatherError>;
    /// The same, as what a manifest is checked against.
    fn contents(&self) -> &dyn Contents;
}

/// Paths of files and of the folders above them.
struct Index<T> {
    files: BTreeMap<String, T>,
    folders: BTreeSet<String>,
}

impl<T> Index<T> {
    fn new(files: BTreeMap<String, T>) -> Self {
        let mut folders = BTreeSet::new();
        for path in files.keys() {
            let mut rest = path.as_str();
            while let Some((folder, _)) = rest.rsplit_once('/') {
                if !folders.insert(folder.to_owned()) {
                    break;
                }
                rest = folder;
            }
        }
        Self { files, folders }
    }

    fn kind(&self, path: &str, bytes: impl Fn(&T) -> u64) -> Option<FileKind> {
        match self.files.get(path) {
            Some(file) => Some(FileKind::File(bytes(file))),
            None => self.folders.contains(path).then_some(FileKind::Folder),
        }
    }
}

/// Takes the first bytes of a stream and then stops it.
struct Head {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Head {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let room = self.bytes_max - self.bytes.len();
        if room == 0 {
            return Err(io::Error::other("enough"));
        }
        let taken = room.min(chunk.len());
        self.bytes.extend_from_slice(&chunk[..taken]);
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An opened archive.
pub(super) struct ArchiveSource<'a> {
    archive: &'a Archive,
    index: Index<&'a Entry>,
}

impl<'a> ArchiveSource<'a> {
    pub(super) fn new(archive: &'a Archive) -> Self {
        let files = archive.entries().iter().map(|e| (e.path.as_str().to_owned(), e)).collect();
        Self { archive, index: Index::new(files) }
    }
}

impl Contents for ArchiveSource<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        self.index.kind(path, |entry| entry.bytes)
    }
    fn paths(&self) -> Vec<String> {
        self.index.files.keys().cloned().collect()
    }
    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        let entry = self.index.files.get(path)?;
        if entry.bytes <= bytes_max as u64 {
            return self.archive.read(entry, bytes_max as u64).ok();
        }
        let mut head = Head { bytes: Vec::new(), bytes_max };
        let ended = self.archive.copy(entry, &mut head);
        (head.bytes.len() == bytes_max || ended.is_ok()).then_some(head.bytes)
    }
}

impl Source for ArchiveSource<'_> {
    fn files(&self) -> Vec<FileFact> {
        let fact = |(path, entry): (&String, &&Entry)| FileFact {
            path: path.clone(),
            bytes: entry.bytes,
            executable: entry.executable,
        };
        self.index.files.iter().map(fact).collect()
    }
    fn copy(&self, path: &str, to: &mut dyn Write) -> Result<(), GatherError> {
        match self.index.files.get(path) {
            Some(entry) => Ok(self.archive.copy(entry, to)?),
            None => Err(absent(path)),
        }
    }
    fn contents(&self) -> &dyn Contents {
        self
    }
}

/// A folder on disk.
pub(super) struct FolderSource {
    index: Index<OnDisk>,
}

struct OnDisk {
    source: PathBuf,
    bytes: u64,
    executable: bool,
}

impl FolderSource {
    /// Lists the files of a folder. Links are not followed: what they point to is scanned in its own
    /// place, or lies outside.
    pub(super) fn collect(folder: &Path, limits: &Limits) -> Result<Self, GatherError> {
        let mut files = BTreeMap::new();
        let mut waiting = vec![(folder.to_owned(), String::new())];
        while let Some((path, prefix)) = waiting.pop() {
            for entry in std::fs::read_dir(&path).map_err(|e| unreadable(&path, e))? {
                let entry = entry.map_err(|e| unreadable(&path, e))?;
                let kind = entry.file_type().map_err(|e| unreadable(&entry.path(), e))?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if kind.is_dir() && entry.file_name() != ".git" {
                    waiting.push((entry.path(), format!("{name}/")));
                } else if kind.is_file() {
                    let metadata = entry.metadata().map_err(|e| unreadable(&entry.path(), e))?;
                    let executable = is_executable(&metadata);
                    files.insert(name, OnDisk { source: entry.path(), bytes: metadata.len(), executable });
                }
                if files.len() > limits.entries_count_max {
                    return Err(GatherError::TooManyFiles { limit: limits.entries_count_max });
                }
            }
        }
        Ok(Self { index: Index::new(files) })
    }
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}

impl Contents for FolderSource {
    fn kind(&self, path: &str) -> Option<FileKind> {
        self.index.kind(path, |file| file.bytes)
    }
    fn paths(&self) -> Vec<String> {
        self.index.files.keys().cloned().collect()
    }
    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        let file = self.index.files.get(path)?;
        let mut bytes = Vec::new();
        File::open(&file.source).ok()?.take(bytes_max as u64).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

impl Source for FolderSource {
    fn files(&self) -> Vec<FileFact> {
        let fact = |(path, file): (&String, &OnDisk)| FileFact {
            path: path.clone(),
            bytes: file.bytes,
            executable: file.executable,
        };
        self.index.files.iter().map(fact).collect()
    }
    fn copy(&self, path: &str, to: &mut dyn Write) -> Result<(), GatherError> {
        let file = self.index.files.get(path).ok_or_else(|| absent(path))?;
        let mut reader = File::open(&file.source).map_err(|e| unreadable(&file.source, e))?;
        io::copy(&mut reader, to).map_err(|e| unreadable(&file.source, e))?;
        Ok(())
    }
    fn contents(&self) -> &dyn Contents {
        self
    }
}

fn unreadable(path: &Path, source: io::Error) -> GatherError {
    GatherError::Io { path: path.display().to_string(), source }
}

fn absent(path: &str) -> GatherError {
    GatherError::Io { path: path.to_owned(), source: io::ErrorKind::NotFound.into() }
}
