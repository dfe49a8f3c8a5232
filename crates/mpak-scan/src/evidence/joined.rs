//! Dependencies whose files do together what none of them does alone: one reads, another one sends.
//!
//! In: what each vendored file says. Out: what the files of a package give when they are followed together. Only small
//! packages are, and only so many bytes of a bundle: the files are read a second time. The smallest come first, since
//! a package that is there for its payload is small. Where files give nothing together, that is remembered.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mpak_bundle::digest::{Hashing, Sha256};

use super::cache::Cache;
use super::source::{Item, Source};
use super::sources::Sources;
use super::{FileFact, GatherError};
use crate::code;
use crate::malware::{Spoken, Suspect};

/// Most bytes of one package, and of all.
const PACKAGE_BYTES_MAX: u64 = 32 << 10;
const ALL_BYTES_MAX: u64 = 64 << 10;
/// Most files of one package.
const FILES_COUNT_MAX: usize = 64;

/// Files of one package: number, bytes, what they say.
type Files = Vec<(usize, u64, Spoken)>;

/// Judges dependencies whose payload may be split over files. To be called on a thread with a large stack. `items` and
/// `files` are those of the bundle, by number.
///
/// # Errors
/// [`GatherError`] of the file that could not be read again.
pub(super) fn judge(
    source: &dyn Source,
    (items, files): (&[Item], &[FileFact]),
    sources: &Sources,
    said: &BTreeMap<usize, Spoken>,
    cache: Option<&Cache>,
) -> Result<Vec<Suspect>, GatherError> {
    // 1. Packages in which words that only together are suspicious stand in several files.
    let mut packages: BTreeMap<String, Files> = BTreeMap::new();
    for number in said.keys() {
        packages.extend(sources.package_of(*number, &items[*number].path).map(|package| (package, Files::new())));
    }
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    for (number, item) in items.iter().enumerate() {
        let is_code = code::language(&item.path, b"").is_some() && sources.is_joined(number, &item.path);
        if is_code
            && let Some(package) = sources.package_of(number, &item.path)
            && let Some(files) = packages.get_mut(&package)
        {
            files.push((number, item.bytes, said.get(&number).copied().unwrap_or_default()));
        }
    }
    let mut chosen: Vec<(u64, Vec<usize>)> = packages.into_values().filter_map(choose).collect();
    chosen.sort();
    // 2. As many as there is room for.
    let (mut found, mut left) = (Vec::new(), ALL_BYTES_MAX);
    for (bytes, numbers) in chosen {
        let Some(rest) = left.checked_sub(bytes) else { break };
        left = rest;
        let known = cache.map(|cache| (cache, told(cache, files, &numbers)));
        if known.as_ref().is_some_and(|(cache, told)| cache.recall(told).is_some()) {
            continue;
        }
        let suspect = together(source, items, &numbers)?;
        if let (Some((cache, told)), true) = (known, suspect.as_ref().is_some_and(Suspect::is_clean)) {
            cache.keep(&told, Vec::new());
        }
        found.extend(suspect);
    }
    Ok(found)
}

/// What files give together; `None` where judging them failed.
fn together(source: &dyn Source, items: &[Item], numbers: &[usize]) -> Result<Option<Suspect>, GatherError> {
    let mut units = Vec::with_capacity(numbers.len());
    for &number in numbers {
        let mut content = Vec::new();
        source.copy(number, &mut content)?;
        // What could not be read alone is told there.
        let unit = catch_unwind(AssertUnwindSafe(|| code::read(&items[number].path, &content)));
        units.extend(unit.unwrap_or_default());
    }
    Ok(catch_unwind(AssertUnwindSafe(|| Suspect::of_package(units))).ok())
}

/// Digest of all that decides what files give together.
fn told(cache: &Cache, files: &[FileFact], numbers: &[usize]) -> Sha256 {
    let mut hashing = Hashing::new(std::io::sink());
    let mut add = |bytes: &[u8]| {
        // Nothing is written anywhere.
        let _written = hashing.write_all(&(bytes.len() as u64).to_le_bytes()).and_then(|()| hashing.write_all(bytes));
    };
    add(cache.identity().as_bytes());
    add(b"together");
    for &number in numbers {
        add(files[number].path.as_bytes());
        add(files[number].sha256.as_bytes());
    }
    hashing.finish().1
}

/// The files of a package that are followed together: those that say one of the words, and the smallest of the others,
/// since one of them may call both.
fn choose(files: Files) -> Option<(u64, Vec<usize>)> {
    let said: Vec<Spoken> = files.iter().map(|(_, _, said)| *said).collect();
    let wanted = Spoken::split(&said)?;
    let (mut speaking, mut silent): (Files, Files) = files.into_iter().partition(|(_, _, said)| said.says(wanted));
    let mut bytes: u64 = speaking.iter().map(|(_, bytes, _)| *bytes).sum();
    if bytes > PACKAGE_BYTES_MAX || speaking.len() > FILES_COUNT_MAX {
        return None;
    }
    silent.sort_by_key(|(number, bytes, _)| (*bytes, *number));
    for file in silent {
        if bytes + file.1 > PACKAGE_BYTES_MAX || speaking.len() >= FILES_COUNT_MAX {
            break;
        }
        bytes += file.1;
        speaking.push(file);
    }
    let mut numbers: Vec<usize> = speaking.into_iter().map(|(number, _, _)| number).collect();
    numbers.sort_unstable();
    Some((bytes, numbers))
}
