//! Extraction: exactly the files, or nothing.

use std::fs;
use std::path::Path;

use mpak_bundle::archive::Archive;
use mpak_bundle::extract::{ExtractError, ExtractOptions, Extracted, extract};
use mpak_bundle::limits::Limits;
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
