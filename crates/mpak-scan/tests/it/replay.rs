//! The corpora of the fuzz targets, replayed: what was found once stays found.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[allow(unreachable_pub, missing_docs, reason = "public in the crate of the fuzzers")]
#[path = "../../../../fuzz/src/targets.rs"]
mod targets;

use targets::{Run, TARGETS};

/// Longest that one input may take, in a build without optimisation.
const INPUT: Duration = Duration::from_secs(20);

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    fs::read_dir(folder).unwrap().map(|entry| stem(entry.unwrap().path())).collect()
}

/// Runs a target on each of its inputs.
fn replay(target: &str, run: Run) {
    let mut inputs: Vec<_> =
        fs::read_dir(fuzz().join("corpus").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "`{target}` has no corpus");
    for input in inputs {
        let (bytes, started) = (fs::read(&input).unwrap(), Instant::now());
        run(&bytes);
        assert!(started.elapsed() < INPUT, "`{}` takes too long", input.display());
    }
}

#[test]
fn every_corpus_is_replayed() {
    // Threads, because a whole scan of an input takes long without optimisation.
    std::thread::scope(|scope| {
        for (target, run) in TARGETS {
            scope.spawn(move || replay(target, run));
        }
    });
}

#[test]
fn every_target_has_its_program_and_its_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), targets);
    assert_eq!(names(&fuzz().join("corpus")), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "`{target}` is not built");
    }
}

#[test]
fn every_record_that_is_fuzzed_has_an_input() {
    let inputs = fs::read_dir(fuzz().join("corpus/records")).unwrap();
    let chosen = inputs.map(|input| usize::from(fs::read(input.unwrap().path()).unwrap()[0]) % targets::RECORDS.len());
    let chosen: BTreeSet<usize> = chosen.collect();
    assert_eq!(chosen.len(), targets::RECORDS.len(), "{chosen:?}");
}
