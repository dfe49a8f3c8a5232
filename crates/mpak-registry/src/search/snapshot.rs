//! The index as a file, so that a start need not make it again: what was known up to an event.
//!
//! Derived data: a file that is missing, torn, of another version or of another registry's events is left
//! aside and the index made from the database. Written beside its place, synced and renamed.
//!
//! First what searches need, with the lengths and CRC-32s of all texts, and a CRC-32 of it; then the texts, most
//! of the file, which a start does not read: whoever reads one later looks at its checksum. Numbers are
//! little-endian, lengths 64 bits wide.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use crc32fast::Hasher;
use tempfile::NamedTempFile;

use super::index::Index;
use super::kept::{self, Damage, Held, Kept, Store};
use super::lexicon::Lexicon;
use super::segment::{Alive, Postings, Segment, Shelf};
use crate::answers::template::only_count;
use crate::answers::{PARTS, Part};

/// First bytes of the file; another number for every change of the format or of what is indexed.
const MAGIC: &[u8; 16] = b"mpak search 0007";
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 16;
/// Packages whose texts are copied at once.
const AT_ONCE: usize = 256;
/// The texts in the order of the file: each of all packages, so that the entries of a page stand together.
const ORDER: [Part; PARTS] = [Part::Summary, Part::Detail, Part::Flat, Part::Official, Part::Offers];
/// Bytes of summaries that are held in memory; those of a larger catalogue are read when they are shown.
const SUMMARIES_BYTES_MAX: u64 = 128 << 20;
/// Most segments of an index, far above what growing by a factor of four can make.
const SEGMENTS_MAX: u64 = 64;

/// Up to which event an index is current, and what is known of that event: another registry's differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) seq: i64,
    pub(super) about: String,
}

/// Writes an index.
pub(super) fn write(path: &Path, index: &Index, mark: &Mark) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = NamedTempFile::new_in(folder)?;
    let mut out = Out { file: BufWriter::with_capacity(CHUNK_BYTES, file), hasher: Hasher::new() };
    out.put(MAGIC)?;
    out.number(mark.seq.cast_unsigned())?;
    out.bytes(mark.about.as_bytes())?;
    out.number(index.parts().len() as u64)?;
    for part in index.parts() {
        let Segment { lexicon, postings, shelf } = &*part.segment;
        let (text, at) = lexicon.parts();
        out.bytes(text)?;
        out.numbers32(at)?;
        out.bytes(&postings.bytes)?;
        out.numbers(postings.at.iter().copied())?;
        out.numbers32(&postings.counts)?;
        out.numbers(shelf.package_ids.iter().map(|n| n.cast_unsigned()))?;
        out.numbers(shelf.created_at_ms.iter().map(|n| n.cast_unsigned()))?;
        out.numbers(shelf.published_at_ms.iter().map(|n| n.cast_unsigned()))?;
        out.bytes(&shelf.kinds)?;
        out.bytes(&shelf.texts)?;
        out.numbers(shelf.texts_at.iter().copied())?;
        for text in 0..PARTS {
            out.numbers32(&shelf.kept.iter().map(|kept| kept.bytes[text]).collect::<Vec<_>>())?;
            out.numbers32(&shelf.kept.iter().map(|kept| kept.checks[text]).collect::<Vec<_>>())?;
        }
        out.numbers(part.alive.bits().iter().copied())?;
    }
    let checksum = out.hasher.clone().finalize();
    out.file.write_all(&checksum.to_le_bytes())?;
    for part in index.parts() {
        out.texts(&part.segment.shelf.kept)?;
    }
    let file = out.file.into_inner().map_err(io::IntoInnerError::into_error)?;
    // A start does not look at the texts: they are there before the name is.
    file.as_file().sync_data()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Reads an index, if there is a whole one; where one of its texts is found to be another later, the damage is noted.
pub(super) fn read(path: &Path, damage: &Damage) -> io::Result<Option<(Mark, Index)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let whole_bytes = file.metadata()?.len();
    let store = Arc::new(Store::new(file.try_clone()?, Arc::clone(damage)));
    let mut input = In { file: BufReader::with_capacity(CHUNK_BYTES, file), hasher: Hasher::new(), left: whole_bytes };
    let mut magic = [0; MAGIC.len()];
    if input.take(&mut magic).is_err() || magic != *MAGIC {
        return Ok(None);
    }
    let mark = Mark {
        seq: input.number()?.cast_signed(),
        about: String::from_utf8(input.bytes()?).map_err(io::Error::other)?,
    };
    let count = input.number()?;
    if count > SEGMENTS_MAX {
        return Ok(None);
    }
    let mut raw = (0..count).map(|_| Raw::read(&mut input, &store)).collect::<io::Result<Vec<_>>>()?;
    // Nothing is made of it before it is known to be what was written.
    let expected = input.hasher.clone().finalize();
    let mut found = [0; 4];
    input.take(&mut found)?;
    if u32::from_le_bytes(found) != expected {
        return Err(io::Error::other("the checksum is wrong"));
    }
    place_texts(&mut raw, whole_bytes - input.left, whole_bytes)?;
    hold_summaries(&mut raw)?;
    Ok(Some((mark, Index::from_segments(raw.into_iter().map(Raw::segment).collect()))))
}

/// The texts stand one after the other to the end of the file.
fn place_texts(raw: &mut [Raw], mut at: u64, end: u64) -> io::Result<()> {
    for raw in raw {
        for part in ORDER.map(|part| part as usize) {
            for kept in &mut raw.shelf.kept {
                kept.at[part] = at;
                at += u64::from(kept.bytes[part]);
            }
        }
    }
    if at == end { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Takes the summaries of segments into memory while there is room for them.
fn hold_summaries(raw: &mut [Raw]) -> io::Result<()> {
    let mut room = SUMMARIES_BYTES_MAX;
    for raw in raw {
        let bytes: u64 = raw.shelf.kept.iter().map(|kept| u64::from(kept.bytes[Part::Summary as usize])).sum();
        if bytes > room {
            continue;
        }
        room -= bytes;
        let all = Arc::new(kept::read(raw.shelf.kept.iter(), &[Part::Summary])?.into_bytes());
        let mut at = 0;
        for kept in &mut raw.shelf.kept {
            let end = at + kept.bytes[Part::Summary as usize] as usize;
            let count_at = only_count(&all[at..end]).and_then(|at| u32::try_from(at).ok());
            kept.summary = Some(Held { all: Arc::clone(&all), at, count_at });
            at = end;
        }
    }
    Ok(())
}

/// A segment's parts, not looked at yet.
struct Raw {
    lexicon: (Vec<u8>, Vec<u32>),
    postings: (Vec<u8>, Vec<u64>, Vec<u32>),
    shelf: Shelf,
    alive: Vec<u64>,
}

impl Raw {
    fn read(input: &mut In, store: &Arc<Store>) -> io::Result<Self> {
        let lexicon = (input.bytes()?, input.numbers32()?);
        let postings = (input.bytes()?, input.numbers()?, input.numbers32()?);
        let signed = |numbers: Vec<u64>| numbers.into_iter().map(u64::cast_signed).collect::<Vec<i64>>();
        let mut shelf = Shelf {
            package_ids: signed(input.numbers()?),
            created_at_ms: signed(input.numbers()?),
            published_at_ms: signed(input.numbers()?),
            kinds: input.bytes()?,
            texts: input.bytes()?,
            texts_at: input.numbers()?,
            kept: Vec::new(),
            begins: Vec::new(),
            say_at: Vec::new(),
        };
        shelf.kept = vec![Kept::nowhere(store); shelf.package_ids.len()];
        for text in 0..PARTS {
            let (bytes, checks) = (input.numbers32()?, input.numbers32()?);
            if bytes.len() != shelf.kept.len() || checks.len() != shelf.kept.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            for (kept, (bytes, check)) in shelf.kept.iter_mut().zip(bytes.into_iter().zip(checks)) {
                (kept.bytes[text], kept.checks[text]) = (bytes, check);
            }
        }
        Ok(Self { lexicon, postings, shelf, alive: input.numbers()? })
    }

    fn segment(mut self) -> (Segment, Alive) {
        let (text, at) = self.lexicon;
        let (bytes, postings_at, counts) = self.postings;
        self.shelf.note_names();
        let alive = Alive::from_bits(self.alive, self.shelf.len());
        let postings = Postings::from_parts(bytes, postings_at, counts);
        (Segment { lexicon: Lexicon::from_parts(text, at), postings, shelf: self.shelf }, alive)
    }
}

struct Out {
    file: BufWriter<NamedTempFile>,
    hasher: Hasher,
}

impl Out {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }

    fn number(&mut self, number: u64) -> io::Result<()> {
        self.put(&number.to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.number(bytes.len() as u64)?;
        self.put(bytes)
    }

    fn numbers(&mut self, numbers: impl ExactSizeIterator<Item = u64>) -> io::Result<()> {
        self.number(numbers.len() as u64)?;
        self.all(numbers.map(u64::to_le_bytes))
    }

    fn numbers32(&mut self, numbers: &[u32]) -> io::Result<()> {
        self.number(numbers.len() as u64)?;
        self.all(numbers.iter().map(|n| n.to_le_bytes()))
    }

    /// All texts, each with its checksum already written.
    fn texts(&mut self, all: &[Kept]) -> io::Result<()> {
        for part in ORDER {
            for some in all.chunks(AT_ONCE) {
                kept::read(some.iter(), &[part])?.all().try_for_each(|text| self.file.write_all(text))?;
            }
        }
        Ok(())
    }

    fn all<const N: usize>(&mut self, numbers: impl Iterator<Item = [u8; N]>) -> io::Result<()> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        for number in numbers {
            chunk.extend_from_slice(&number);
            if chunk.len() == CHUNK_BYTES {
                self.put(&chunk)?;
                chunk.clear();
            }
        }
        self.put(&chunk)
    }
}

struct In {
    file: BufReader<File>,
    hasher: Hasher,
    /// Bytes of the file that were not read.
    left: u64,
}

impl In {
    fn take(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(into.len() as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.file.read_exact(into)?;
        self.hasher.update(into);
        Ok(())
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.take(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// A length of what follows, in bytes, which cannot be more than there is.
    fn length(&mut self, each_bytes: u64) -> io::Result<usize> {
        let count = self.number()?;
        let fits = count.checked_mul(each_bytes).is_some_and(|bytes| bytes <= self.left);
        usize::try_from(count).ok().filter(|_| fits).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.length(1)?];
        self.take(&mut bytes)?;
        Ok(bytes)
    }

    fn numbers(&mut self) -> io::Result<Vec<u64>> {
        self.all(u64::from_le_bytes)
    }

    fn numbers32(&mut self) -> io::Result<Vec<u32>> {
        self.all(u32::from_le_bytes)
    }

    fn all<T, const N: usize>(&mut self, number: fn([u8; N]) -> T) -> io::Result<Vec<T>> {
        let count = self.length(N as u64)?;
        let mut numbers = Vec::with_capacity(count);
        let mut chunk = vec![0; CHUNK_BYTES];
        while numbers.len() < count {
            let bytes = ((count - numbers.len()) * N).min(CHUNK_BYTES);
            self.take(&mut chunk[..bytes])?;
            numbers.extend(chunk[..bytes].as_chunks::<N>().0.iter().map(|bytes| number(*bytes)));
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::tests::{changed, query, search};
    use super::super::{FILE, Sort};
    use super::*;
    use crate::bench::words::Random;
    use crate::counts::Counts;

    #[test]
    fn the_file_gives_the_index_back_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut random = Random::new(5, 4);
        let (index, documents) = std::iter::repeat_with(|| changed(&mut random)).find(|(_, d)| d.len() > 20).unwrap();
        let mark = Mark { seq: 7, about: "x".to_owned() };
        let kept_now = || read(&path, &Damage::default());
        assert!(kept_now().unwrap().is_none());
        write(&path, &index, &mark).unwrap();
        let (read_mark, kept) = kept_now().unwrap().unwrap();
        assert_eq!((read_mark, kept.len()), (mark, documents.len()));
        let counts = Counts::default();
        for asked in ["", "ab", "server", "日", "%", "widgte"] {
            let query = query(asked, Sort::Relevance);
            assert_eq!(search(&kept, &counts, &query), search(&index, &counts, &query), "{asked}");
        }
        for (name, document) in &documents {
            let texts = kept.find(name).unwrap().texts(&ORDER).unwrap();
            assert!(texts.all().eq(ORDER.map(|part| &document.texts.0[part as usize])), "{name}");
        }
        // Torn anywhere or changed where searches need it, it is not read; a changed text is not shown.
        let whole = std::fs::read(&path).unwrap();
        let (mut not_read, mut not_shown) = (0, 0);
        for at in (0..whole.len()).step_by(97) {
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(!matches!(kept_now(), Ok(Some(_))), "{at}");
            let mut spoilt = whole.clone();
            spoilt[at] ^= 0x40;
            std::fs::write(&path, &spoilt).unwrap();
            let damage = Damage::default();
            let Ok(Some((_, kept))) = read(&path, &damage) else {
                not_read += 1;
                continue;
            };
            // A text of a package that is gone may stand there; all others are as they were.
            let mut hidden = 0;
            for (name, document) in &documents {
                match kept.find(name).unwrap().texts(&ORDER) {
                    Ok(texts) => {
                        assert!(texts.all().eq(ORDER.map(|part| &document.texts.0[part as usize])), "{at} {name}");
                    }
                    Err(_) => hidden += 1,
                }
            }
            assert_eq!(hidden, usize::from(damage.load(Ordering::Acquire)), "{at}");
            not_shown += hidden;
        }
        assert!(not_read > 0 && not_shown > 0, "{not_read} {not_shown}");
    }
}
