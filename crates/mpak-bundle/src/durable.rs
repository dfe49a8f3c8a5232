//! Writing files so that a kill at any point leaves the old state or the new one.
//!
//! Good case, in this order: create a fresh file in the target's folder, write, fsync, rename over the
//! target, fsync the folder. A crash before the rename leaves the old file and a stray temporary one; a
//! crash after it leaves the new file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Replaces `path` by `bytes` with the given Unix mode (ignored elsewhere).
///
/// # Errors
/// What the file system says; the old file is then still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let file = fresh(path, bytes, mode)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    sync_folder(parent(path))
}

/// Replaces a file that can be made again: readers and a killed process see the old or the new one, but
/// a power failure may lose it.
///
/// # Errors
/// What the file system says; the old file is then still there.
pub fn replace_derived(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    fresh(path, bytes, mode)?.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// A file beside `path` that is removed unless it is persisted.
fn fresh(path: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mpak-new-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = builder.tempfile_in(parent(path))?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Renames a finished file or folder to its final place on the same file system and makes that last.
///
/// # Errors
/// What the file system says.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(parent(to))
}

/// Makes the entries of a folder last through a power failure.
///
/// # Errors
/// What the file system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_keeps_the_mode_and_leaves_no_stray_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        replace(&path, b"one", 0o600).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
