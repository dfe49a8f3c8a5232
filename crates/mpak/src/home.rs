//! The client's home folder: what lies where, who else reads it, and how it is changed.
//!
//! ```text
//! ~/.mpak/                              0700; MPAK_HOME
//! ├── config.json                       0600; shared with existing clients, four keys and no more
//! ├── cache/                            shared with existing clients: full copies, never run by us
//! │   ├── <scope>-<name>/               .mpak-meta.json, four keys and no more
//! │   └── _local/<12 hex>/              .mpak-local-meta.json; hex of MD5 of the file's path
//! ├── store/sha256/<digest>/            ours: one verified bundle each, read-only; the only thing we run
//! ├── advisories                        ours; the snapshot that scans use, signed by a trusted key
//! ├── scan-cache                        ours; files that earlier scans found nothing in, by content
//! ├── scan-cache-parts                  ours; flows of code that earlier scans followed, by content
//! ├── scan-reports/                     ours; reports of earlier scans, by the bundle and all that decides them
//! ├── state/                            ours
//! │   ├── registries/<16 hex>/<scope>/<name>.json   which digest is which version, per registry
//! │   ├── local/<12 hex>.json           which digest a local file had when it was last looked at
//! │   ├── files/<digest>.json           every file of a stored bundle with its digest
//! │   ├── venv/<digest>/                virtual environments of uv servers
//! │   ├── advisory-keys.json            whose signature under a snapshot counts, per registry
//! │   ├── interpreters.json             what interpreters answered about their version
//! │   └── locks/                        one file per thing that only one process may change
//! ├── secrets                           ours, 0600: values of sensitive options
//! └── tmp/                              downloads and copies in the making
//! ```
//!
//! Existing clients refuse `config.json` and `.mpak-meta.json` when they hold anything unknown, so
//! whatever else is to be remembered lies in files of its own. Nothing here trusts `cache/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mpak_bundle::digest::Sha256;
use mpak_bundle::durable;
use mpak_bundle::name::PackageName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::error::{CommandError, Kind};
use crate::settings::Settings;

pub mod config_file;
pub mod lock;
pub mod meta;
pub mod record;
pub mod secrets;

/// Largest file of the home that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The home folder.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

/// The home cannot be used.
#[derive(Debug, Error)]
pub enum HomeError {
    /// A file is not what we or an existing client would write.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refuses.
    #[error("cannot {verb} `{}`", path.display())]
    Io {
        /// `read`, `write`, `remove`, `lock`.
        verb: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<HomeError> for CommandError {
    fn from(error: HomeError) -> Self {
        let hint = match &error {
            HomeError::Damaged { path, .. } => {
                format!("repair `{0}`, or move it away: mv {0} {0}.damaged", path.display())
            }
            HomeError::Io { .. } => {
                "check the folder's owner and rights, or choose another one with MPAK_HOME".to_owned()
            }
        };
        Self::from_error(Kind::NeedsPerson, &error).hint(hint)
    }
}

impl Home {
    /// The home that the environment names. Nothing is created.
    pub fn new(settings: &Settings) -> Self {
        // servers get paths below it, and their working folder is another
        let root = std::path::absolute(&settings.home).unwrap_or_else(|_| settings.home.clone());
        Self { root }
    }

    /// The settings shared with existing clients.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.json")
    }

    /// Values of sensitive options.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// All copies for existing clients.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// The copy for existing clients. Two packages can share it, so it never identifies one.
    pub fn cache_entry(&self, name: &PackageName) -> PathBuf {
        self.cache().join(name.cache_dir())
    }

    /// The copy of a local file for existing clients.
    pub fn local_entry(&self, key: &str) -> PathBuf {
        self.cache().join("_local").join(key)
    }

    /// All stored bundles.
    pub fn store(&self) -> PathBuf {
        self.root.join("store/sha256")
    }

    /// A stored bundle.
    pub fn stored(&self, sha256: &Sha256) -> PathBuf {
        self.store().join(sha256.to_string())
    }

    /// What is remembered of all packages.
    pub fn registries(&self) -> PathBuf {
        self.root.join("state/registries")
    }

    /// What is remembered of a package. `registry` is its address.
    pub fn record(&self, registry: &str, name: &PackageName) -> PathBuf {
        let key = Sha256::of(registry.as_bytes()).to_string();
        self.registries().join(&key[..16]).join(name.scope()).join(format!("{}.json", name.base()))
    }

    /// What is remembered of all local files.
    pub fn local_records(&self) -> PathBuf {
        self.root.join("state/local")
    }

    /// What is remembered of a local file.
    pub fn local_record(&self, key: &str) -> PathBuf {
        self.local_records().join(format!("{key}.json"))
    }

    /// Every file of a stored bundle.
    pub fn files(&self, sha256: &Sha256) -> PathBuf {
        self.root.join("state/files").join(format!("{sha256}.json"))
    }

    /// The virtual environment of a uv server.
    pub fn venv(&self, sha256: &Sha256) -> PathBuf {
        self.root.join("state/venv").join(sha256.to_string())
    }

    /// The snapshot of advisories that scans use.
    pub fn advisories(&self) -> PathBuf {
        self.root.join("advisories")
    }

    /// Files that earlier scans found nothing in.
    pub fn scan_cache(&self) -> PathBuf {
        self.root.join("scan-cache")
    }

    /// Reports of earlier scans.
    pub fn scan_reports(&self) -> PathBuf {
        self.root.join("scan-reports")
    }

    /// Whose signature under a snapshot of advisories counts.
    pub fn advisory_keys(&self) -> PathBuf {
        self.root.join("state/advisory-keys.json")
    }

    /// What interpreters answered.
    pub fn interpreters(&self) -> PathBuf {
        self.root.join("state/interpreters.json")
    }

    /// A lock's file.
    pub fn lock_file(&self, name: &str) -> PathBuf {
        self.root.join("state/locks").join(name)
    }

    /// Things in the making, on the same file system.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// A download in the making, continued by the next run.
    pub fn partial(&self, sha256: &Sha256) -> PathBuf {
        self.tmp().join(format!("{sha256}.part"))
    }

    /// Creates a folder below the home, and the home itself only for its owner.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn create(&self, folder: &Path) -> Result<(), HomeError> {
        let error = |source| HomeError::Io { verb: "write", path: folder.to_owned(), source };
        if !self.root.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(&self.root).map_err(error)?;
        }
        fs::create_dir_all(folder).map_err(error)
    }

    /// Replaces a file below the home, readable for its owner only.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
        self.create(path.parent().expect("every file of the home has a folder"))?;
        durable::replace(path, bytes, 0o600).map_err(|source| HomeError::Io {
            verb: "write",
            path: path.to_owned(),
            source,
        })
    }

    /// Replaces a file of ours by a value.
    ///
    /// # Errors
    /// [`HomeError::Io`].
    pub fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), HomeError> {
        self.write(path, &serde_json::to_vec(value).expect("our own values serialise"))
    }
}

/// A file's bytes; `None` if there is no such file.
///
/// # Errors
/// [`HomeError`].
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, HomeError> {
    let error = |source| HomeError::Io { verb: "read", path: path.to_owned(), source };
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(error(e)),
        // a pipe would be waited for, and a device has no end
        Ok(metadata) if !metadata.is_file() => {
            return Err(HomeError::Damaged { path: path.to_owned(), reason: "it is not a file".to_owned() });
        }
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
            let reason = format!("it has {} bytes, expected at most {FILE_BYTES_MAX}", metadata.len());
            return Err(HomeError::Damaged { path: path.to_owned(), reason });
        }
        Ok(_) => {}
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(error(e)),
    }
}

/// A file as a value; `None` if there is no such file.
///
/// # Errors
/// [`HomeError`].
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, HomeError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| HomeError::Damaged { path: path.to_owned(), reason: e.to_string() })
}

/// Removes a folder with everything in it, read-only or not. One that is not there is fine.
///
/// # Errors
/// [`HomeError::Io`].
pub fn remove(folder: &Path) -> Result<(), HomeError> {
    match fs::symlink_metadata(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        _ => allow_removal(folder),
    }
    fs::remove_dir_all(folder).map_err(|source| HomeError::Io { verb: "remove", path: folder.to_owned(), source })
}

/// Folders of the store are read-only; what is in them can be removed only from writable ones.
fn allow_removal(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let _tried = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            allow_removal(&entry.path());
        }
    }
}

/// Now, as existing clients write it: `2026-01-31T12:00:00.000Z`.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home { root: dir.path().join("home") };
        (dir, home)
    }

    #[test]
    fn records_of_names_that_share_a_cache_folder_are_apart() {
        let (_dir, home) = home();
        let [a, b] = ["@a-b/c", "@a/b-c"].map(|name| PackageName::lookup(name).unwrap());
        assert_eq!(home.cache_entry(&a), home.cache_entry(&b));
        assert_ne!(home.record("https://r.example", &a), home.record("https://r.example", &b));
        assert_ne!(home.record("https://r.example", &a), home.record("https://s.example", &a));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("config.json");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        for path in [link.as_path(), dir.path()] {
            assert!(matches!(read(path), Err(HomeError::Damaged { .. })), "{}", path.display());
        }
        assert!(matches!(read(&dir.path().join("missing")), Ok(None)));
    }

    #[cfg(unix)]
    #[test]
    fn the_home_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, home) = home();
        home.write(&home.secrets(), b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&home.root), mode(&home.secrets())), (0o700, 0o600));
    }

    #[cfg(unix)]
    #[test]
    fn read_only_folders_can_be_removed() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, home) = home();
        let inner = home.root.join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::File::create(inner.join("file")).unwrap();
        for folder in [&inner, &home.root.join("a")] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
        }
        remove(&home.root.join("a")).unwrap();
        remove(&home.root.join("a")).unwrap();
        assert!(!home.root.join("a").exists());
    }

    #[test]
    fn time_is_written_as_existing_clients_do() {
        let now = now();
        assert_eq!((now.len(), &now[10..11], &now[19..20], &now[23..]), (24, "T", ".", "Z"));
    }
}
