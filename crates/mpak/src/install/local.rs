//! A local bundle file: verified as far as it can be, stored like any other, and remembered, so that
//! starting it again reads nothing but its length and time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use md5::{Digest as _, Md5};
use mpak_runner::runtime::python::vendored_abis;

use super::activate::{Activated, put_copy};
use super::extract::extract;
use super::verify::verify_local;
use crate::error::{CommandError, Kind};
use crate::home::meta::{LOCAL_META, LocalMeta};
use crate::home::record::LocalRecord;
use crate::home::{self, Home, HomeError, lock};
use crate::ui;

/// Stores a local file, or finds it stored.
///
/// # Errors
/// Exit code 5 when there is no such file, 2 when it does not end in `.mcpb`, 65 when it is no bundle.
pub fn install(home: &Home, file: &Path, update: bool) -> Result<Activated, CommandError> {
    // 1. the file
    let path = absolute(file);
    let Ok(metadata) = fs::metadata(&path) else {
        return Err(CommandError::new(Kind::NotFound, format!("Bundle not found: {}", path.display())));
    };
    if path.extension().is_none_or(|e| e != "mcpb") {
        let error = CommandError::new(Kind::Usage, format!("Not an MCPB bundle: {}", path.display()));
        return Err(error.hint("make one from a folder: mpak pack DIR"));
    }

    // a pipe would be waited for
    if !metadata.is_file() {
        let error = CommandError::new(Kind::NotABundle, format!("`{}` is not a regular file", path.display()));
        return Err(error.hint("give a `.mcpb` file, as `mpak pack` writes it"));
    }

    // 2. seen before and unchanged
    let key = key(&path);
    let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let modified_ns = modified.map_or(0, |t| t.as_nanos());
    let seen =
        |r: &LocalRecord| r.path == path.to_string_lossy() && r.size == metadata.len() && r.modified_ns == modified_ns;
    let record: Option<LocalRecord> = match home::read_json(&home.local_record(&key)) {
        Err(HomeError::Damaged { .. }) => None,
        other => other?,
    };
    if let Some(record) = record.filter(|r| !update && seen(r))
        && let Some(activated) = Activated::stored(home, record.sha256, record.python_abis)
    {
        return Ok(activated);
    }

    // 3. into the store
    home.create(&home.tmp())?;
    let verified = verify_local(&path, &home.tmp())?;
    let sha256 = *verified.sha256();
    let _held = lock::exclusive(home, &format!("install-{sha256}"))?;
    let python_abis: BTreeSet<String> =
        vendored_abis(verified.bundle().archive.entries().iter().map(|e| e.path.as_str()));
    let size = verified.size();
    let extracted = extract(home, verified)?;

    // 4. remembered, and a copy for existing clients
    let text = path.to_string_lossy().into_owned();
    let record = LocalRecord { path: text.clone(), size, modified_ns, sha256, python_abis: python_abis.clone() };
    home.write_json(&home.local_record(&key), &record)?;
    let meta = LocalMeta { local_path: text, extracted_at: home::now() };
    let meta = serde_json::to_vec(&meta).expect("texts serialise");
    if let Err(error) = put_copy(home, &extracted, &home.local_entry(&key), LOCAL_META, &meta) {
        ui::note(&format!("warning: the copy for other clients was not made: {error}"));
    }
    Activated::stored(home, sha256, python_abis)
        .ok_or_else(|| CommandError::new(Kind::Ours, "the store lost a bundle while it was installed"))
}

/// Absolute, without `.` and `..`, links not followed: as existing clients name a file.
fn absolute(file: &Path) -> PathBuf {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// The first 12 hex digits of the MD5 of the path: the name of the folder in existing clients' cache.
fn key(path: &Path) -> String {
    let digest = Md5::digest(path.to_string_lossy().as_bytes());
    let bytes: [u8; 6] = digest[..6].try_into().expect("MD5 has 16 bytes");
    format!("{:012x}", u64::from_be_bytes([0, 0, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e7_the_folder_is_the_one_existing_clients_use() {
        // printf %s /tmp/x.mcpb | md5sum
        assert_eq!(key(Path::new("/tmp/x.mcpb")), "29e99702dca8");
        assert_eq!(absolute(Path::new("/tmp/./a/../x.mcpb")), Path::new("/tmp/x.mcpb"));
    }
}
