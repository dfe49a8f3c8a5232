//! Extraction: exactly the files, or nothing.

use std::fs;
use std::path::Path;

use mpak_bundle::archive::{Archive, ArchiveError};
use mpak_bundle::extract::{ExtractError, ExtractOptions, Extracted, extract};
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Contents as _, FileKind};
use mpak_testkit::zip::{ZipBuilder, ZipEntry, temporary};

fn open(zip: &ZipBuilder) -> Archive {
    Archive::open(temporary(&zip.build()), &Limits::default()).unwrap()
}

fn extract_to(zip: &ZipBuilder, folder: &Path) -> Result<Extracted, ExtractError> {
    extract(&open(zip), folder, ExtractOptions::default())
}

/// Every path below a folder with its mode, sorted.
#[cfg(unix)]
fn tree(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut out = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for item in fs::read_dir(next).unwrap() {
            let path = item.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let relative = path.strip_prefix(folder).unwrap().display().to_string();
            out.push(format!("{relative} {:o}", metadata.permissions().mode() & 0o7777));
            if metadata.is_dir() {
                open.push(path);
            }
        }
    }
    out.sort();
    out
}

/// A bundle with modes of all kinds, an empty folder and more files than one batch.
fn mixed() -> ZipBuilder {
    let mut zip = ZipBuilder::good();
    zip.entry(ZipEntry::new("empty/", "").stored().mode(0o040_755));
    zip.entry(ZipEntry::new("bin/run", "#!/bin/sh\n").mode(0o100_700));
    zip.entry(ZipEntry::new("bin/open", "x").mode(0o100_666));
    zip.entry(ZipEntry::new("bin/setuid", "x").mode(0o104_755));
    for number in 0..100 {
        zip.file(format!("many/{}/{number}.txt", number % 7), format!("file {number}"));
    }
    zip
}

#[cfg(unix)]
#[test]
fn exactly_the_files_with_modes_0644_or_0755() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("made/on/the/way");
    let extracted = extract_to(&mixed(), &target).unwrap();
    assert_eq!((extracted.folder(), extracted.files_count()), (target.as_path(), 105));
    let tree = tree(&target);
    for line in ["bin 755", "bin/run 755", "bin/open 644", "bin/setuid 755", "empty 755", "manifest.json 644"] {
        assert!(tree.contains(&line.to_owned()), "{line} in {tree:?}");
    }
    assert_eq!(tree.len(), 105 + 11);
    for number in 0..100 {
        let text = fs::read_to_string(target.join(format!("many/{}/{number}.txt", number % 7))).unwrap();
        assert_eq!(text, format!("file {number}"));
    }
    assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1, "no staging folder stays");
}

#[test]
fn an_existing_empty_folder_is_filled_and_stays_the_same_folder() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("empty");
    fs::create_dir(&target).unwrap();
    #[cfg(unix)]
    let before = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&target).unwrap());
    extract_to(&ZipBuilder::good(), &target).unwrap();
    let mut names: Vec<_> = fs::read_dir(&target).unwrap().map(|i| i.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["manifest.json", "server"]);
    #[cfg(unix)]
    assert_eq!(before, std::os::unix::fs::MetadataExt::ino(&fs::metadata(&target).unwrap()));
}

/// An archive whose last file has a wrong checksum, which shows only when all others are written.
fn unsound() -> ZipBuilder {
    let mut zip = mixed();
    zip.entry(ZipEntry::new("wrong.txt", "content").with(|e| {
        e.local.crc32 = Some(1);
        e.central.crc32 = Some(1);
    }));
    zip
}

#[test]
fn an_unsound_archive_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for target in ["out", "made/on/the/way"] {
        let error = extract_to(&unsound(), &dir.path().join(target)).unwrap_err();
        assert!(matches!(error, ExtractError::Archive(ArchiveError::Crc { .. })), "{error:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{target}");
    }
}

#[test]
fn an_unsound_archive_leaves_an_empty_folder_empty() {
    let dir = tempfile::tempdir().unwrap();
    extract_to(&unsound(), dir.path()).unwrap_err();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_exists_is_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let full = dir.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine.txt"), "mine").unwrap();
    let file = full.join("mine.txt");
    for target in [&full, &file] {
        let error = extract_to(&ZipBuilder::good(), target).unwrap_err();
        assert!(matches!(error, ExtractError::Occupied { .. }), "{error:?}");
    }
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[cfg(unix)]
#[test]
fn links_at_the_target_are_not_followed() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let victim = dir.path().join("victim");
    fs::create_dir(&victim).unwrap();
    // The target itself is a link to an empty folder; and a folder holds a link named like an entry.
    let link = dir.path().join("link");
    symlink(&victim, &link).unwrap();
    let planted = dir.path().join("planted");
    fs::create_dir(&planted).unwrap();
    symlink(victim.join("x"), planted.join("manifest.json")).unwrap();
    let dangling = dir.path().join("dangling");
    symlink(dir.path().join("nowhere"), &dangling).unwrap();
    for target in [&link, &planted, &dangling] {
        let error = extract_to(&ZipBuilder::good(), target).unwrap_err();
        assert!(matches!(error, ExtractError::Occupied { .. }), "{error:?}");
    }
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    assert!(!dir.path().join("nowhere").exists());
}

/// The file system refuses in the middle: the path of one file becomes too long for it.
#[cfg(unix)]
#[test]
fn a_refusing_file_system_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut base = dir.path().to_owned();
    while base.as_os_str().len() < 3_600 {
        base.push("x".repeat(200));
    }
    fs::create_dir_all(&base).unwrap();
    let mut zip = mixed();
    zip.file(format!("{}/file", ["y".repeat(200), "y".repeat(200), "y".repeat(200)].join("/")), "content");
    let error = extract_to(&zip, &base.join("out")).unwrap_err();
    assert!(matches!(error, ExtractError::Io { .. }), "{error:?}");
    assert_eq!(fs::read_dir(&base).unwrap().count(), 0);
}

#[test]
fn a_target_below_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    let error = extract_to(&ZipBuilder::good(), &dir.path().join("file/out")).unwrap_err();
    assert!(matches!(error, ExtractError::Io { .. }), "{error:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Row 82: the bytes that were checked are the bytes that are extracted, or nothing is.
#[test]
fn a_file_that_shrinks_after_opening_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle.mcpb");
    fs::write(&path, mixed().build()).unwrap();
    let archive = Archive::open(fs::File::open(&path).unwrap(), &Limits::default()).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
    let error = extract(&archive, &dir.path().join("out"), ExtractOptions::default()).unwrap_err();
    assert!(matches!(error, ExtractError::Archive(ArchiveError::Changed)), "{error:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Row 82: a file that is replaced after opening is not looked at again.
#[test]
fn a_file_that_is_replaced_after_opening_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle.mcpb");
    fs::write(&path, ZipBuilder::good().build()).unwrap();
    let archive = Archive::open(fs::File::open(&path).unwrap(), &Limits::default()).unwrap();
    let before = archive.sha256().unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, mixed().build()).unwrap();
    extract(&archive, &dir.path().join("out"), ExtractOptions::default()).unwrap();
    assert!(!dir.path().join("out/bin").exists());
    assert_eq!(archive.sha256().unwrap(), before);
    assert_eq!(before, mpak_bundle::digest::Sha256::of(&ZipBuilder::good().build()));
}

#[cfg(unix)]
#[test]
fn read_only_takes_all_write_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    let options = ExtractOptions { read_only: true, sync: true, ..ExtractOptions::default() };
    extract(&open(&mixed()), &target, options).unwrap();
    for line in tree(dir.path()) {
        let mode = u32::from_str_radix(line.rsplit_once(' ').unwrap().1, 8).unwrap();
        assert_eq!(mode & 0o222, 0, "{line}");
    }
}

#[test]
fn an_entry_is_read_within_a_limit_and_by_its_exact_name() {
    let archive = open(&mixed());
    let entry = archive.entry("bin/run").unwrap();
    assert_eq!(archive.read(entry, 10).unwrap(), b"#!/bin/sh\n");
    assert_eq!(archive.read(entry, 9).unwrap_err().code(), "entry-too-large");
    for name in ["bin", "bin/", "BIN/run", "bin/run/", "", "many/1/2.txt"] {
        assert!(archive.entry(name).is_none(), "{name}");
    }
    for number in 0..100 {
        assert!(archive.entry(&format!("many/{}/{number}.txt", number % 7)).is_some(), "{number}");
    }
}

#[test]
fn contents_know_files_folders_and_beginnings() {
    let mut zip = mixed();
    zip.entry(ZipEntry::new("stored.bin", "0123456789").stored());
    zip.file("large.bin", "0123456789".repeat(100_000));
    let archive = open(&zip);
    assert_eq!(archive.kind("bin/run"), Some(FileKind::File(10)));
    for folder in ["bin", "many", "many/3", "empty", "server"] {
        assert_eq!(archive.kind(folder), Some(FileKind::Folder), "{folder}");
    }
    for nothing in ["bi", "bin/", "many/8", "Bin", "", "zzz"] {
        assert_eq!(archive.kind(nothing), None, "{nothing}");
    }
    assert_eq!(archive.head("stored.bin", 4).unwrap(), b"0123");
    assert_eq!(archive.head("large.bin", 14).unwrap(), b"01234567890123");
    assert_eq!(archive.head("bin/open", 14).unwrap(), b"x");
    assert_eq!(archive.head("large.bin", 100_000).unwrap().len(), 100_000);
    assert_eq!(archive.head("nothing", 4), None);
    assert_eq!(archive.paths().len(), 107);
}
