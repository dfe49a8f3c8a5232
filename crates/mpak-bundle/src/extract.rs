//! Extraction: every file into a fresh staging folder beside the target, then one rename.
//!
//! In: an [`Archive`]. Out: a folder with exactly its files, modes 0644 or 0755, or nothing at all.
//!
//! The staging folder is made by us, with mode 0700, beside the target (inside it, where the target is an
//! existing empty folder, which stays the same folder). Files are created new, so nothing that stands
//! there is followed or overwritten. A target that does not exist appears by one rename; an existing
//! empty one is filled by one rename for each top entry, `manifest.json` last, so that a kill leaves a
//! folder that is no bundle. Without [`ExtractOptions::sync`] a power failure soon after may leave files
//! empty: callers that keep the folder as proof of what they verified must ask for `sync`.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;
use thiserror::Error;

use crate::archive::{Archive, ArchiveError, Entry};
use crate::durable;
use crate::path::BundlePath;

/// Threads that write at once; each has two buffers of 256 KiB.
const THREADS_MAX: usize = 4;
/// Entries that a thread takes at once: neighbours share their folder.
const BATCH_ENTRIES: usize = 16;
const STAGING_PREFIX: &str = ".mpak-unpack-";

/// A finished extraction.
#[derive(Debug)]
pub struct Extracted {
    folder: PathBuf,
    files_count: usize,
    bytes: u64,
}

impl Extracted {
    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many files were written.
    pub fn files_count(&self) -> usize {
        self.files_count
    }

    /// How many bytes they hold.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Why nothing was extracted; nothing is left behind.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// The archive is unsound.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The target exists and is not an empty folder.
    #[error("`{}` already exists and is not an empty folder", path.display())]
    Occupied {
        /// The target.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How files are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtractOptions<'a> {
    /// Remove write permission from files and folders at the end (for the store).
    pub read_only: bool,
    /// Write everything to the disk before the rename, so that a power failure leaves all or nothing.
    pub sync: bool,
    /// A file that is made executable whatever its mode says (the entry point of a binary server).
    pub force_executable: Option<&'a str>,
}

/// Extracts everything to `folder`, which must not exist or be empty.
///
/// # Errors
/// [`ExtractError`].
pub fn extract(archive: &Archive, folder: &Path, options: ExtractOptions<'_>) -> Result<Extracted, ExtractError> {
    // 1. The target: absent or empty.
    let target = Target::check(folder)?;
    // 2. A staging folder on the same file system, that goes away on every error.
    let made = MadeFolders::make(if target.exists { folder } else { parent(folder) })?;
    let staging = staging_in(if target.exists { folder } else { parent(folder) })?;
    let content = staging.path().join("content");
    let result = fill(archive, &content, options)
        // 3. The rename, or the renames.
        .and_then(|()| if target.exists { move_into(&content, folder) } else { move_to(&content, folder) })
        // 4. What had to wait for it.
        .and_then(|()| {
            seal(archive, folder, target.exists, options)
                .inspect_err(|_| take_back(archive, &content, folder, target.exists))
        });
    drop(staging);
    if let Err(error) = result {
        made.remove();
        return Err(error);
    }
    Ok(Extracted { folder: folder.to_owned(), files_count: archive.entries().len(), bytes: archive.unpacked_bytes() })
}

/// What stands at the target.
struct Target {
    exists: bool,
}

impl Target {
    fn check(folder: &Path) -> Result<Self, ExtractError> {
        let occupied = || ExtractError::Occupied { path: folder.to_owned() };
        let metadata = match fs::symlink_metadata(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { exists: false }),
            found => found.map_err(at(folder))?,
        };
        // A link is not followed: whoever made it may point it elsewhere meanwhile.
        if !metadata.is_dir() || fs::read_dir(folder).map_err(at(folder))?.next().is_some() {
            return Err(occupied());
        }
        Ok(Self { exists: true })
    }
}

/// Parent folders that had to be made for the target; removed again when nothing is extracted.
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    fn make(folder: &Path) -> Result<Self, ExtractError> {
        let missing: Vec<PathBuf> = folder
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err())
            .map(Path::to_owned)
            .collect();
        let made = Self(missing);
        if let Err(source) = fs::create_dir_all(folder) {
            made.remove();
            return Err(ExtractError::Io { path: folder.to_owned(), source });
        }
        Ok(made)
    }

    /// Only empty folders go, so nobody else's file is lost.
    fn remove(&self) {
        for folder in &self.0 {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ExtractError + '_ {
    move |source| ExtractError::Io { path: path.to_owned(), source }
}

fn staging_in(folder: &Path) -> Result<TempDir, ExtractError> {
    tempfile::Builder::new().prefix(STAGING_PREFIX).tempdir_in(folder).map_err(at(folder))
}

/// Writes folders, then files with several threads.
fn fill(archive: &Archive, content: &Path, options: ExtractOptions<'_>) -> Result<(), ExtractError> {
    make_folder(content)?;
    let modes = Modes::of(content, options)?;
    modes.set_folder(content)?;
    for folder in folders_of(archive) {
        let path = content.join(folder);
        make_folder(&path)?;
        modes.set_folder(&path)?;
    }
    Work { archive, content, options, modes, next: AtomicUsize::new(0), stop: AtomicBool::new(false) }.run()?;
    if options.sync { sync_all(archive, content) } else { Ok(()) }
}

/// All folders, each after the one it stands in.
fn folders_of(archive: &Archive) -> BTreeSet<&str> {
    let mut folders = BTreeSet::new();
    let starts = archive.entries().iter().filter_map(|e| e.path.folder());
    let own = archive.folders().iter().map(BundlePath::as_str);
    for mut folder in starts.chain(own) {
        while folders.insert(folder) {
            match folder.rsplit_once('/') {
                Some((above, _)) => folder = above,
                None => break,
            }
        }
    }
    folders
}

fn make_folder(path: &Path) -> Result<(), ExtractError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.create(path).map_err(at(path))
}

/// Modes of what is written; set again after creating where the process's umask takes bits away.
#[derive(Clone, Copy)]
struct Modes {
    read_only: bool,
    umask_takes: bool,
}

impl Modes {
    /// Looks at what became of a folder made with 0755.
    fn of(folder: &Path, options: ExtractOptions<'_>) -> Result<Self, ExtractError> {
        #[cfg(unix)]
        let umask_takes = {
            use std::os::unix::fs::PermissionsExt as _;
            fs::metadata(folder).map_err(at(folder))?.permissions().mode() & 0o777 != 0o755
        };
        #[cfg(not(unix))]
        let umask_takes = {
            let _ = folder;
            false
        };
        Ok(Self { read_only: options.read_only, umask_takes })
    }

    fn set_folder(self, path: &Path) -> Result<(), ExtractError> {
        if self.umask_takes { set_mode(path, 0o755).map_err(at(path)) } else { Ok(()) }
    }

    fn file(self, executable: bool) -> u32 {
        let mode = if executable { 0o755 } else { 0o644 };
        if self.read_only { mode & 0o555 } else { mode }
    }

    /// A new file; an existing one, or a link, is an error.
    fn create(self, path: &Path, executable: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, self.file(executable));
        let file = options.open(path)?;
        if self.umask_takes {
            set_mode(path, self.file(executable))?;
        }
        Ok(file)
    }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }
    #[cfg(not(unix))]
    {
        let mut permissions = fs::metadata(path)?.permissions();
        permissions.set_readonly(mode & 0o200 == 0);
        fs::set_permissions(path, permissions)
    }
}

/// Files to write, shared by the threads.
struct Work<'a> {
    archive: &'a Archive,
    content: &'a Path,
    options: ExtractOptions<'a>,
    modes: Modes,
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Work<'_> {
    fn run(&self) -> Result<(), ExtractError> {
        let batches = self.archive.entries().len().div_ceil(BATCH_ENTRIES);
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        let threads_count = available.min(THREADS_MAX).min(batches);
        let first_error = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 1..threads_count {
                scope.spawn(|| self.write_batches(&first_error));
            }
            self.write_batches(&first_error);
        });
        first_error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn write_batches(&self, first_error: &Mutex<Option<ExtractError>>) {
        while !self.stop.load(Ordering::Relaxed) {
            let start = self.next.fetch_add(1, Ordering::Relaxed) * BATCH_ENTRIES;
            let Some(rest) = self.archive.entries().get(start..).filter(|rest| !rest.is_empty()) else { return };
            let batch = &rest[..rest.len().min(BATCH_ENTRIES)];
            if let Err(error) = batch.iter().try_for_each(|entry| self.write(entry)) {
                self.stop.store(true, Ordering::Relaxed);
                first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    }

    fn write(&self, entry: &Entry) -> Result<(), ExtractError> {
        let path = entry.path.below(self.content);
        let executable = entry.executable || self.options.force_executable == Some(entry.path.as_str());
        let mut file = self.modes.create(&path, executable).map_err(at(&path))?;
        self.archive.copy(entry, &mut file).map_err(|error| match error {
            ArchiveError::Write { source, .. } => ExtractError::Io { path, source },
            error => ExtractError::Archive(error),
        })
    }
}

/// One call for the whole file system where there is one: far cheaper than one for each file.
#[cfg(target_os = "linux")]
fn sync_all(_archive: &Archive, content: &Path) -> Result<(), ExtractError> {
    let folder = File::open(content).map_err(at(content))?;
    nix::unistd::syncfs(folder).map_err(|errno| at(content)(errno.into()))
}

#[cfg(not(target_os = "linux"))]
fn sync_all(archive: &Archive, content: &Path) -> Result<(), ExtractError> {
    for entry in archive.entries() {
        let path = entry.path.below(content);
        File::open(&path).and_then(|file| file.sync_all()).map_err(at(&path))?;
    }
    for folder in folders_of(archive) {
        let path = content.join(folder);
        durable::sync_folder(&path).map_err(at(&path))?;
    }
    durable::sync_folder(content).map_err(at(content))
}

fn move_to(content: &Path, folder: &Path) -> Result<(), ExtractError> {
    // A folder that someone else made meanwhile is replaced only if it is empty: that is the rename's rule.
    fs::rename(content, folder).map_err(at(folder))
}

/// Folders lose their write permission, as until here their contents had to be written and moved; and
/// the renames are made to last.
fn seal(archive: &Archive, folder: &Path, existed: bool, options: ExtractOptions<'_>) -> Result<(), ExtractError> {
    if options.read_only {
        set_folder_modes(archive, folder, !existed, 0o555)?;
    }
    if options.sync {
        let changed = if existed { folder } else { parent(folder) };
        durable::sync_folder(changed).map_err(at(changed))?;
    }
    Ok(())
}

/// Moves everything back to the staging folder, which is about to be removed; as far as possible.
fn take_back(archive: &Archive, content: &Path, folder: &Path, existed: bool) {
    let _ = set_folder_modes(archive, folder, !existed, 0o755);
    if !existed {
        let _ = fs::rename(folder, content);
        return;
    }
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !item.file_name().to_string_lossy().starts_with(STAGING_PREFIX) {
            let _ = fs::rename(item.path(), content.join(item.file_name()));
        }
    }
}

/// Moves the top entries into the existing folder; what was moved is taken back on error.
fn move_into(content: &Path, folder: &Path) -> Result<(), ExtractError> {
    let mut names = Vec::new();
    for item in fs::read_dir(content).map_err(at(content))? {
        names.push(item.map_err(at(content))?.file_name());
    }
    names.sort_by_key(|name| name == "manifest.json");
    for (done, name) in names.iter().enumerate() {
        if let Err(source) = fs::rename(content.join(name), folder.join(name)) {
            for name in &names[..done] {
                let _ = fs::rename(folder.join(name), content.join(name));
            }
            return Err(ExtractError::Io { path: folder.join(name), source });
        }
    }
    Ok(())
}

/// Of all folders below; of the folder itself only where we made it.
fn set_folder_modes(archive: &Archive, folder: &Path, itself: bool, mode: u32) -> Result<(), ExtractError> {
    for below in folders_of(archive) {
        let path = folder.join(below);
        set_mode(&path, mode).map_err(at(&path))?;
    }
    if itself { set_mode(folder, mode).map_err(at(folder)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    /// What comes after the renames can fail too; then nothing stays either.
    #[test]
    fn what_is_in_place_can_be_taken_back() {
        let file = mpak_testkit::zip::temporary(&mpak_testkit::zip::minimal_bundle());
        let archive = Archive::open(file, &Limits::default()).unwrap();
        let options = ExtractOptions { read_only: true, ..ExtractOptions::default() };
        for existed in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("out");
            if existed {
                fs::create_dir(&folder).unwrap();
            }
            extract(&archive, &folder, options).unwrap();
            let staging = staging_in(if existed { &folder } else { dir.path() }).unwrap();
            let content = staging.path().join("content");
            if existed {
                fs::create_dir(&content).unwrap();
            }
            take_back(&archive, &content, &folder, existed);
            assert!(content.join("manifest.json").exists());
            drop(staging);
            let left = if existed { &folder } else { dir.path() };
            assert_eq!(fs::read_dir(left).unwrap().count(), 0, "existed: {existed}");
        }
    }
}
