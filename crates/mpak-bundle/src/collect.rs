//! Stage 1, collect: a folder becomes the list of files to pack.
//!
//! In: an author's folder. Out: [`Collected`]: sorted paths with the manifest first, ignore rules applied,
//! links inside the tree followed, links that leave it refused. Nothing that is not a plain file is opened,
//! so a pipe cannot make it hang.
//! Spec: MCPB `.mcpbignore` as its npm tool reads it (see `collect/rules.rs`).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::archive::Finding;
use crate::limits::Limits;
use crate::manifest::{Contents, FileKind};
use crate::path::{BundlePath, PathError};

mod rules;
mod suspicious;

use rules::Rules;

/// Where a bundle keeps its manifest.
const MANIFEST: &str = "manifest.json";

/// Prefix of the files that this crate writes before it renames them; never packed.
pub(crate) const TEMPORARY_PREFIX: &str = ".mpak-new-";

/// The files of a folder that belong in a bundle.
#[derive(Debug)]
pub struct Collected {
    root: PathBuf,
    /// Sorted by path bytes behind the first, which is the manifest.
    files: Vec<CollectedFile>,
    ignored_count: usize,
    findings: Vec<Finding>,
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
    /// The folder, links resolved.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// Sorted by path bytes, `manifest.json` first.
    pub fn files(&self) -> &[CollectedFile] {
        &self.files
    }
    /// How many files and folders the ignore rules left out; a folder left out counts once.
    pub fn ignored_count(&self) -> usize {
        self.ignored_count
    }
    /// What is packed and perhaps should not be: keys, credentials, virtual environments.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
    /// Sum of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn find(&self, path: &str) -> Option<&CollectedFile> {
        let (manifest, others) = self.files.split_first()?;
        if manifest.path.as_str() == path {
            return Some(manifest);
        }
        others.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|index| &others[index])
    }
}

impl Contents for Collected {
    fn kind(&self, path: &str) -> Option<FileKind> {
        if let Some(file) = self.find(path) {
            return Some(FileKind::File(file.bytes));
        }
        let below = format!("{path}/");
        let others = self.files.get(1..).unwrap_or_default();
        let next = others.partition_point(|file| file.path.as_str() < below.as_str());
        others.get(next).filter(|file| file.path.as_str().starts_with(&below)).map(|_file| FileKind::Folder)
    }

    fn paths(&self) -> Vec<String> {
        self.files.iter().map(|file| file.path.as_str().to_owned()).collect()
    }

    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        File::open(&self.find(path)?.source).ok()?.take(bytes_max as u64).read_to_end(&mut head).ok()?;
        Some(head)
    }
}

/// Why a folder cannot be collected.
#[derive(Debug, Error)]
pub enum CollectError {
    /// Nothing is there.
    #[error("there is no folder `{}`", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("`{}` is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder holds no manifest.
    #[error("`{}` holds no manifest.json", root.display())]
    NoManifest {
        /// The folder.
        root: PathBuf,
    },
    /// The ignore rules leave out the manifest.
    #[error("a rule in .mcpbignore leaves out manifest.json, without which there is no bundle")]
    ManifestIgnored,
    /// A link points to something outside the folder.
    #[error("`{path}` is a link that leaves the folder: it leads to `{}`", target.display())]
    LinkOutside {
        /// The link.
        path: String,
        /// Where it leads.
        target: PathBuf,
    },
    /// A link leads back to a folder that it lies in, or to itself.
    #[error("`{path}` leads back to a folder that it lies in, or to itself")]
    LinkLoop {
        /// The link.
        path: String,
    },
    /// A link leads to nothing.
    #[error("`{path}` is a link to `{}`, which does not exist", target.display())]
    LinkDangling {
        /// The link.
        path: String,
        /// What it says.
        target: PathBuf,
    },
    /// A pipe, socket or device.
    #[error("`{path}` is a {kind}; a bundle holds plain files only")]
    Special {
        /// Where.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// The system refuses to read it.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// What.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The name is not text.
    #[error("the name of `{path}` is not UTF-8; a bundle's names are")]
    NotUtf8 {
        /// With replacement characters.
        path: String,
    },
    /// The path is not one that every system can extract.
    #[error("`{path}` cannot be a path in a bundle")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        source: PathError,
    },
    /// Two paths are the same where case or Unicode form does not count.
    #[error("`{first}` and `{second}` are the same file on systems that ignore case or Unicode form")]
    Collision {
        /// One path.
        first: String,
        /// The other.
        second: String,
    },
    /// A limit is passed.
    #[error("{what}: {found}, expected at most {limit}")]
    Limit {
        /// What is limited, with its unit.
        what: String,
        /// What was found.
        found: u64,
        /// The limit.
        limit: u64,
    },
}

/// Collects the files of `root` that belong in a bundle. `exclude` names files (the output, for example)
/// that are left out wherever they lie.
///
/// # Errors
/// [`CollectError`]; the first problem found in the order of names ends the work.
pub fn collect(root: &Path, limits: &Limits, exclude: &[PathBuf]) -> Result<Collected, CollectError> {
    let collected = collect_any(root, limits, exclude)?;
    if collected.files.first().is_none_or(|file| file.path.as_str() != MANIFEST) {
        let root = collected.root;
        let ignored = fs::symlink_metadata(root.join(MANIFEST)).is_ok();
        return Err(if ignored { CollectError::ManifestIgnored } else { CollectError::NoManifest { root } });
    }
    Ok(collected)
}

/// Collects a folder that need not hold a manifest: something to be judged, not to be packed.
///
/// # Errors
/// [`CollectError`], as [`collect`].
pub fn collect_any(root: &Path, limits: &Limits, exclude: &[PathBuf]) -> Result<Collected, CollectError> {
    // 1. The folder, links resolved: the border that no link may cross.
    let root = folder(root)?;
    // 2. What is left out.
    let rules = Rules::of(&root);
    // 3. Every file below.
    let mut walk = Walk {
        root: &root,
        rules: &rules,
        limits,
        exclude: exclude.iter().map(|path| resolved(path)).collect(),
        stack: Vec::new(),
        files: Vec::new(),
        folders_count: 0,
        ignored_count: 0,
        bytes: 0,
        findings: Vec::new(),
    };
    walk.folder(&root, "")?;
    let Walk { mut files, ignored_count, mut findings, .. } = walk;
    // 4. One order everywhere, the manifest first so that a reader of the first bytes finds it.
    files.sort_unstable_by(|a, b| order(&a.path).cmp(&order(&b.path)));
    // 5. Names that some systems cannot tell apart.
    refuse_collisions(&files)?;
    // 6. What is packed and perhaps should not be.
    findings.extend_from_slice(rules.findings());
    findings.extend(suspicious::findings(&files));
    findings.sort_by(|a, b| (a.code, &a.path).cmp(&(b.code, &b.path)));
    Ok(Collected { root, files, ignored_count, findings })
}

fn order(path: &BundlePath) -> (bool, &str) {
    (path.as_str() != MANIFEST, path.as_str())
}

fn folder(path: &Path) -> Result<PathBuf, CollectError> {
    let found = fs::canonicalize(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => CollectError::Missing { path: path.to_owned() },
        _ => CollectError::Unreadable { path: path.display().to_string(), source },
    })?;
    if found.is_dir() { Ok(found) } else { Err(CollectError::NotAFolder { path: path.to_owned() }) }
}

/// The path with the links of its folder resolved, also where the file does not exist yet.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (fs::canonicalize(parent), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

fn refuse_collisions(files: &[CollectedFile]) -> Result<(), CollectError> {
    let mut seen: HashMap<String, (&str, bool)> = HashMap::new();
    for file in files {
        let (path, folded) = (file.path.as_str(), file.path.folded());
        for (end, folded_end) in ends(path).zip(ends(&folded)) {
            let here = (&path[..end], end == path.len());
            let first = *seen.entry(folded[..folded_end].to_owned()).or_insert(here);
            if first != here {
                return Err(CollectError::Collision { first: first.0.to_owned(), second: here.0.to_owned() });
            }
        }
    }
    Ok(())
}

/// Where each folder of a path ends, then the path itself.
fn ends(path: &str) -> impl Iterator<Item = usize> {
    path.match_indices('/').map(|(end, _)| end).chain([path.len()])
}

struct Walk<'a> {
    root: &'a Path,
    rules: &'a Rules,
    limits: &'a Limits,
    exclude: Vec<PathBuf>,
    /// The folders we are in, links resolved; a folder that occurs twice is a loop.
    stack: Vec<PathBuf>,
    files: Vec<CollectedFile>,
    folders_count: usize,
    ignored_count: usize,
    bytes: u64,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    fn folder(&mut self, real: &Path, relative: &str) -> Result<(), CollectError> {
        if self.stack.iter().any(|above| above == real) {
            return Err(CollectError::LinkLoop { path: relative.to_owned() });
        }
        self.count_folder()?;
        self.stack.push(real.to_owned());
        for name in names(real, relative)? {
            self.entry(real, relative, &name)?;
        }
        self.stack.pop();
        Ok(())
    }

    fn entry(&mut self, folder: &Path, relative: &str, name: &std::ffi::OsStr) -> Result<(), CollectError> {
        let place = folder.join(name);
        let shown = join(relative, &name.to_string_lossy());
        // 1. Left out by its name alone: never looked at.
        if name.to_string_lossy().starts_with(TEMPORARY_PREFIX) || self.rules.ignores(&shown, false) {
            self.ignored_count += 1;
            return Ok(());
        }
        // 2. What it is, links followed within the folder.
        let unreadable = |source| CollectError::Unreadable { path: shown.clone(), source };
        let is_link = fs::symlink_metadata(&place).map_err(unreadable)?.is_symlink();
        let real = if is_link { self.follow(&place, &shown)? } else { place };
        let metadata = fs::metadata(&real).map_err(unreadable)?;
        // 3. Left out as a folder, or because it is the output.
        if metadata.is_dir() && self.rules.ignores(&shown, true) {
            self.ignored_count += 1;
            return Ok(());
        }
        if self.exclude.contains(&real) {
            return Ok(());
        }
        // 4. Down, or one more file.
        if name.to_str().is_none() {
            return Err(CollectError::NotUtf8 { path: shown });
        }
        let path = BundlePath::parse(&shown, self.limits)
            .map_err(|source| CollectError::Path { path: shown.clone(), source })?;
        if metadata.is_dir() {
            return self.folder(&real, &shown);
        }
        if let Some(kind) = special(&metadata) {
            return Err(CollectError::Special { path: shown, kind });
        }
        let file = File::open(&real).map_err(unreadable)?;
        if is_link {
            self.tell_of_ignored_target(&real, &shown);
        }
        self.file(CollectedFile { path, bytes: metadata.len(), executable: executable(&file, &metadata), source: real })
    }

    /// Where a link inside the folder leads.
    fn follow(&self, place: &Path, shown: &str) -> Result<PathBuf, CollectError> {
        let path = shown.to_owned();
        let target = fs::canonicalize(place).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                CollectError::LinkDangling { path: path.clone(), target: fs::read_link(place).unwrap_or_default() }
            }
            _ if is_loop(&source) => CollectError::LinkLoop { path: path.clone() },
            _ => CollectError::Unreadable { path: path.clone(), source },
        })?;
        if target.starts_with(self.root) { Ok(target) } else { Err(CollectError::LinkOutside { path, target }) }
    }

    /// A link can bring in what a rule leaves out; that is packed as the author wrote it, and told.
    fn tell_of_ignored_target(&mut self, real: &Path, shown: &str) {
        let Some(target) = real.strip_prefix(self.root).ok().and_then(Path::to_str) else { return };
        if self.rules.ignores_with_parents(target) {
            self.findings.push(Finding {
                code: "link-to-ignored",
                path: shown.to_owned(),
                message: format!("is a link to `{target}`, which the ignore rules leave out; its content is packed"),
            });
        }
    }

    fn file(&mut self, file: CollectedFile) -> Result<(), CollectError> {
        self.bytes = self.bytes.saturating_add(file.bytes);
        let path = file.path.as_str();
        within(|| format!("bytes of `{path}`"), file.bytes, self.limits.entry_bytes_max)?;
        within(|| "bytes of all files".to_owned(), self.bytes, self.limits.unpacked_bytes_max)?;
        let count = self.files.len() as u64 + 1;
        within(|| "files".to_owned(), count, self.limits.entries_count_max as u64)?;
        self.files.push(file);
        Ok(())
    }

    /// Links can name one folder many times; the limit on folders ends what would take for ever.
    fn count_folder(&mut self) -> Result<(), CollectError> {
        self.folders_count += 1;
        within(|| "folders".to_owned(), self.folders_count as u64, self.limits.entries_count_max as u64)
    }
}

fn within(what: impl Fn() -> String, found: u64, limit: u64) -> Result<(), CollectError> {
    if found <= limit { Ok(()) } else { Err(CollectError::Limit { what: what(), found, limit }) }
}

fn join(relative: &str, name: &str) -> String {
    if relative.is_empty() { name.to_owned() } else { format!("{relative}/{name}") }
}

/// Names of a folder, sorted, so that errors and results do not depend on the file system's order.
fn names(folder: &Path, relative: &str) -> Result<Vec<std::ffi::OsString>, CollectError> {
    let shown = if relative.is_empty() { "." } else { relative };
    let unreadable = |source| CollectError::Unreadable { path: shown.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut names =
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    names.sort_unstable();
    Ok(names)
}

/// `ELOOP`: std has no stable kind for it.
fn is_loop(error: &io::Error) -> bool {
    let code = if cfg!(target_os = "linux") { 40 } else { 62 };
    error.raw_os_error() == Some(code)
}

#[cfg(unix)]
fn special(metadata: &fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_fifo() => Some("named pipe"),
        () if kind.is_socket() => Some("socket"),
        () if kind.is_char_device() || kind.is_block_device() => Some("device"),
        () => Some("special file"),
    }
}

#[cfg(not(unix))]
fn special(metadata: &fs::Metadata) -> Option<&'static str> {
    (!metadata.is_file()).then_some("special file")
}

#[cfg(unix)]
fn executable(_file: &File, metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

/// Windows keeps no such bit: what Unix could start gets it.
#[cfg(not(unix))]
fn executable(mut file: &File, _metadata: &fs::Metadata) -> bool {
    let mut head = [0; 4];
    file.read_exact(&mut head).is_ok()
        && (head.starts_with(b"#!") || &head == b"\x7fELF" || head[1..] == [0xfa, 0xed, 0xfe])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(paths: &[&str]) -> (tempfile::TempDir, Collected) {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            let place = dir.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, path).unwrap();
        }
        let collected = collect(dir.path(), &Limits::default(), &[]).unwrap();
        (dir, collected)
    }

    #[test]
    fn the_manifest_comes_first_then_bytes_decide() {
        let (_dir, collected) = collected(&["a/b", "a-b", "manifest.json", "Y", "z/a", "n"]);
        assert_eq!(collected.paths(), ["manifest.json", "Y", "a-b", "a/b", "n", "z/a"]);
    }

    #[test]
    fn contents_knows_files_folders_and_their_first_bytes() {
        let (_dir, collected) = collected(&["manifest.json", "server/index.js", "server-x"]);
        assert_eq!(collected.kind("manifest.json"), Some(FileKind::File(13)));
        assert_eq!(collected.kind("server/index.js"), Some(FileKind::File(15)));
        assert_eq!(collected.kind("server"), Some(FileKind::Folder));
        assert_eq!(collected.kind("serve"), None);
        assert_eq!(collected.head("server/index.js", 6).unwrap(), b"server");
        assert_eq!(collected.head("server", 6), None);
    }
}
