//! Stage 2, pack: collected files become a bundle, the same bytes for the same input on any machine.
//!
//! In: [`Collected`]. Out: a file and its digest. Names are sorted, times and modes normalised, and the
//! compressor is one whose output does not depend on the processor: zlib-rs at level 9 chooses matches by
//! the same integer arithmetic everywhere and uses vector instructions only to compare and to slide. Another
//! version of it may choose others; a test below pins the bytes, so that such a change is seen.
//! Spec: PKWARE APPNOTE 6.3.10; the fields are those that the npm tool `mcpb` writes, except what
//! reproducibility needs.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use std::thread;

use thiserror::Error;

use crate::collect::{Collected, CollectedFile, TEMPORARY_PREFIX};
use crate::digest::{Hashing, Sha256};

mod compress;
mod zip;

use compress::{CompressError, Compressed, compress};
use zip::{DosTime, Zip64, ZipWriter};

/// A written bundle.
#[derive(Debug)]
pub struct Packed {
    /// Its digest.
    pub sha256: Sha256,
    /// Its size.
    pub bytes: u64,
    /// Sum of its files.
    pub unpacked_bytes: u64,
    /// Number of its files.
    pub files_count: usize,
}

/// Why nothing was packed; the old file is still there.
#[derive(Debug, Error)]
pub enum PackError {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Its path in the bundle.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file is no longer what was collected.
    #[error("`{path}` changed while it was packed: {found}, expected {expected}")]
    Changed {
        /// Its path in the bundle.
        path: String,
        /// What was collected.
        expected: String,
        /// What is there now.
        found: String,
    },
    /// The bundle cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How to pack.
#[derive(Clone, Debug, Default)]
pub struct PackOptions {
    /// Seconds since 1970 for every entry, from `SOURCE_DATE_EPOCH`; `None` is 1980-01-01. What the format
    /// cannot say (before 1980, after 2107) becomes the nearest it can.
    pub source_date_epoch: Option<i64>,
}

/// Packs to `out`, written beside it and renamed. Its folders are created.
///
/// # Errors
/// [`PackError`].
pub fn pack(collected: &Collected, out: &Path, options: &PackOptions) -> Result<Packed, PackError> {
    let cannot_write = |source| PackError::Write { path: out.to_owned(), source };
    // 1. A fresh file beside the target.
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(cannot_write)?;
    let mut file = fresh_file(folder).map_err(cannot_write)?;
    // 2. Every file, compressed; the digest is computed on the way.
    let packing = Packing { files: collected.files(), folder, out, zip64: Zip64::WHEN_NEEDED };
    let sha256 = packing.write(BufWriter::new(file.as_file_mut()), options)?;
    // 3. On the disk, then in place.
    file.as_file().sync_all().map_err(cannot_write)?;
    let bytes = file.as_file().metadata().map_err(cannot_write)?.len();
    file.persist(out).map_err(|e| cannot_write(e.error))?;
    crate::durable::sync_folder(folder).map_err(cannot_write)?;
    Ok(Packed { sha256, bytes, unpacked_bytes: collected.bytes(), files_count: collected.files().len() })
}

fn fresh_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// What one run of packing knows.
struct Packing<'a> {
    files: &'a [CollectedFile],
    /// Where what does not fit in memory is put meanwhile.
    folder: &'a Path,
    out: &'a Path,
    zip64: Zip64,
}

/// A file to compress, and where the result goes.
type Job<'a> = (&'a CollectedFile, mpsc::Sender<Result<Compressed, CompressError>>);

/// Results that may wait for their turn; bounds memory together with what one result keeps in memory.
const WAITING_MAX: usize = 32;
const WORKERS_MAX: usize = 8;

impl Packing<'_> {
    /// Writes the archive: workers compress, this thread writes in order.
    fn write(&self, out: impl Write, options: &PackOptions) -> Result<Sha256, PackError> {
        let workers_count = thread::available_parallelism().map_or(2, NonZero::get).min(WORKERS_MAX);
        let (jobs, taken) = mpsc::sync_channel::<Job<'_>>(WAITING_MAX);
        let taken = Mutex::new(taken);
        thread::scope(|scope| {
            for _ in 0..workers_count {
                scope.spawn(|| self.work(&taken));
            }
            // `jobs` ends with this closure, and with it the workers.
            self.write_in_order(out, options, &jobs).inspect_err(|_| drop(jobs))
        })
    }

    fn work(&self, jobs: &Mutex<mpsc::Receiver<Job<'_>>>) {
        loop {
            let job = jobs.lock().expect("no worker panics while it holds the lock").recv();
            let Ok((file, result)) = job else { return };
            // Nobody waits for the result once writing has failed.
            let _ = result.send(compress(&file.source, file.bytes, self.folder));
        }
    }

    fn write_in_order<'a>(
        &'a self,
        out: impl Write,
        options: &PackOptions,
        jobs: &mpsc::SyncSender<Job<'a>>,
    ) -> Result<Sha256, PackError> {
        let cannot_write = |source| PackError::Write { path: self.out.to_owned(), source };
        let time = DosTime::from_epoch(options.source_date_epoch);
        let mut zip = ZipWriter::new(Hashing::new(out), time, self.zip64);
        let mut waiting = VecDeque::new();
        let mut files = self.files.iter();
        loop {
            while waiting.len() < WAITING_MAX
                && let Some(file) = files.next()
            {
                let (result, receiver) = mpsc::channel();
                jobs.send((file, result)).expect("workers live as long as the sender");
                waiting.push_back((file, receiver));
            }
            let Some((file, result)) = waiting.pop_front() else { break };
            let compressed = result.recv().expect("a worker answers every job");
            let compressed = compressed.map_err(|error| of_file(file, error))?;
            zip.add(file, compressed).map_err(|error| match error {
                zip::AddError::Read(error) => of_file(file, error),
                zip::AddError::Write(source) => cannot_write(source),
            })?;
        }
        let (mut out, digest) = zip.finish().map_err(cannot_write)?.finish();
        out.flush().map_err(cannot_write)?;
        Ok(digest)
    }
}

fn of_file(file: &CollectedFile, error: CompressError) -> PackError {
    let path = file.path.as_str().to_owned();
    match error {
        CompressError::Read(source) => PackError::Read { path, source },
        CompressError::Size { found } => PackError::Changed {
            path,
            expected: format!("{} bytes", file.bytes),
            found: found.map_or("more bytes".to_owned(), |found| format!("{found} bytes")),
        },
        CompressError::Content => {
            PackError::Changed { path, expected: "the content read first".to_owned(), found: "another".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::archive::Archive;
    use crate::collect::collect;
    use crate::limits::Limits;

    /// Text with repetition, without any generator that could change.
    fn text(lines: u32) -> Vec<u8> {
        (0..lines).flat_map(|i| format!("{} line {}\n", i.wrapping_mul(2_654_435_761), i % 97).into_bytes()).collect()
    }

    /// Bytes that do not compress.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_u32;
        let step = |_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        };
        (0..length).map(step).collect()
    }

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &[u8]| {
            let place = dir.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, content).unwrap();
        };
        write("manifest.json", b"{}");
        write("empty", b"");
        write("noise", &noise(100_000));
        write("server/text", &text(40_000));
        write("unicode/\u{e9}.txt", b"x");
        dir
    }

    fn written(dir: &Path, zip64: Zip64) -> Vec<u8> {
        let collected = collect(dir, &Limits::default(), &[]).unwrap();
        let packing = Packing { files: collected.files(), folder: dir, out: dir, zip64 };
        let mut out = Vec::new();
        packing.write(&mut out, &PackOptions::default()).unwrap();
        out
    }

    #[test]
    fn the_bytes_are_pinned() {
        let bytes = written(tree().path(), Zip64::WHEN_NEEDED);
        assert_eq!(
            Sha256::of(&bytes).to_string(),
            "f3e05828ea0bd7d291f0820abcd1cce66404771e5a838c6025a02a7e34683df8",
            "another compressor version packs other bytes: say so in the change log, then pin them here"
        );
    }

    #[test]
    fn what_does_not_shrink_is_stored() {
        let dir = tree();
        let bytes = written(dir.path(), Zip64::WHEN_NEEDED);
        let method_of = |name: &str| {
            let at = bytes.windows(name.len()).position(|w| w == name.as_bytes()).unwrap();
            u16::from_le_bytes([bytes[at - 22], bytes[at - 21]])
        };
        assert_eq!([method_of("noise"), method_of("empty"), method_of("server/text")], [0, 0, 8]);
    }

    /// Every number that can be is in ZIP64 form; other readers agree, and ours too.
    #[test]
    fn zip64_records_are_read_by_others() {
        let dir = tree();
        let out = tempfile::tempdir().unwrap();
        let file = out.path().join("x.zip");
        fs::write(&file, written(dir.path(), Zip64 { bytes_from: 1, entries_from: 1 })).unwrap();
        for program in [["python3", "-m", "zipfile", "-t"].as_slice(), &["unzip", "-tqq"]] {
            let mut command = std::process::Command::new(program[0]);
            let ran = command.args(&program[1..]).arg(&file).output().unwrap_or_else(|e| panic!("{}: {e}", program[0]));
            assert!(ran.status.success(), "{}: {}", program[0], String::from_utf8_lossy(&ran.stderr));
            assert!(!String::from_utf8_lossy(&ran.stdout).contains("corrupt"), "{}", program[0]);
        }
        let archive = Archive::open(fs::File::open(&file).unwrap(), &Limits::default()).unwrap();
        archive.check_all().unwrap();
        let codes: Vec<_> = archive.findings().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["zip64"]);
    }

    #[test]
    fn a_file_that_changed_after_collecting_is_refused_and_the_old_bundle_stays() {
        for (content, word) in [("shorter", "shorter"), ("much longer than before", "longer")] {
            let dir = tree();
            fs::write(dir.path().join("server/a"), "0123456789").unwrap();
            let collected = collect(dir.path(), &Limits::default(), &[]).unwrap();
            fs::write(dir.path().join("server/a"), content).unwrap();
            let out = tempfile::tempdir().unwrap();
            let target = out.path().join("x.mcpb");
            fs::write(&target, "old").unwrap();
            let error = pack(&collected, &target, &PackOptions::default()).unwrap_err();
            assert!(matches!(&error, PackError::Changed { path, .. } if path == "server/a"), "{word}: {error}");
            assert_eq!(fs::read(&target).unwrap(), b"old");
            assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1, "no stray file");
        }
    }
}
