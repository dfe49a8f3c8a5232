//! One file, looked at once: its kind, its digest and what every engine finds in its bytes.
//!
//! In: the bytes of one file, from an attacker, whole or (of large files) in pieces. Out: [`Looked`], facts of
//! bounded size; the bytes are let go. An engine that judges bytes adds a field there and a step in [`Plan::whole`].

use std::io::{self, Write};
use std::sync::PoisonError;

use mpak_bundle::dependencies::{self, Said};
use mpak_bundle::digest::Sha256;
use mpak_bundle::sbom;

use super::cache::{Cache, Key, Known};
use super::plan::{Plan, Wanted};
use super::source::{Item, Source};
use super::sources::{Read, too_large};
use super::{FileFact, GatherError, SbomFile};
use crate::code::native::{self, Native};
use crate::completeness::Package;
use crate::content::{ContentKind, Watched};
use crate::malware::{self, Spoken, Suspect};
use crate::secrets::{self, FileScan, FileSecrets};
use crate::vex::{self, Statement};

/// What one file gives.
pub(super) struct Looked {
    pub(super) fact: FileFact,
    /// Credentials.
    pub(super) secrets: FileSecrets,
    /// Code that is followed across files.
    pub(super) code: Option<Box<Read>>,
    /// What only malware does.
    pub(super) suspect: Option<Box<Suspect>>,
    /// What a record or program says of components.
    pub(super) said: Option<Box<Said>>,
    /// What native code of the server's own says of itself.
    pub(super) native: Option<Box<Native>>,
    /// A bill of materials.
    pub(super) sbom: Option<Box<SbomFile>>,
    /// Statements about vulnerabilities.
    pub(super) statements: Vec<Statement>,
    /// What a `package.json` says of its package.
    pub(super) package: Option<Box<Package>>,
    /// Names of other files that this one speaks of, by their number in the plan.
    pub(super) mentions: Vec<u32>,
    /// First bytes that were asked for.
    pub(super) head: Option<Vec<u8>>,
}

impl Looked {
    /// A file that says nothing.
    fn known(fact: FileFact, known: Known) -> Self {
        let Known { examined_bytes, judged, said, .. } = known;
        let secrets = FileSecrets { path: fact.path.clone(), examined_bytes, ..FileSecrets::default() };
        Self {
            fact,
            secrets,
            code: None,
            suspect: (judged || said != Spoken::default()).then(|| Box::new(Suspect::clean(judged, said))),
            said: None,
            native: None,
            sbom: None,
            statements: Vec::new(),
            package: None,
            mentions: Vec::new(),
            head: None,
        }
    }

    /// What is worth remembering: that the file says nothing. Each engine's word counts.
    fn nothing(&self) -> Option<Known> {
        let Self { fact, secrets, code, suspect, said, native, sbom, statements, package, mentions, head } = self;
        let clean = secrets.hits.is_empty() && secrets.omitted_count == 0 && !secrets.unfinished;
        let silent = clean
            && code.is_none()
            && suspect.as_ref().is_none_or(|suspect| suspect.is_clean())
            && said.is_none()
            && native.is_none()
            && sbom.is_none()
            && statements.is_empty()
            && package.is_none()
            && mentions.is_empty()
            && head.is_none();
        silent.then_some(Known {
            sha256: fact.sha256,
            kind: fact.kind,
            examined_bytes: secrets.examined_bytes,
            judged: suspect.as_ref().is_some_and(|suspect| suspect.is_judged()),
            said: suspect.as_ref().map_or(Spoken::default(), |suspect| suspect.said()),
        })
    }
}

impl Plan<'_> {
    /// Looks at a file, or remembers it. `buffer` is the thread's own, kept from file to file.
    pub(super) fn look(&self, source: &dyn Source, number: usize, buffer: &mut Vec<u8>) -> Result<Looked, GatherError> {
        let wanted = self.wanted(number);
        let given = self.given.as_ref().filter(|(of, _)| *of == number);
        if let Some((_, content)) = given {
            return Ok(self.whole(number, &wanted, content));
        }
        // 1. Known from an earlier scan by what it is unpacked from.
        let cache = self.cache_of(number, &wanted);
        let packed = match cache {
            Some(cache) => source.packed_digest(number)?.map(|digest| self.key(cache, number, true, &digest)),
            None => None,
        };
        if let Some(known) = cache.zip(packed).and_then(|(cache, key)| self.remembered(cache, key, number)) {
            return Ok(known);
        }
        // 2. Read, and looked at unless it is known by its content.
        let looked = self.read(source, number, &wanted, buffer)?;
        // 3. Remembered.
        let changed = self.sources.is_changed(&looked.fact.path, &looked.fact.sha256);
        if let (Some(cache), Some(known), false) = (cache, looked.nothing(), changed) {
            let plain = self.key(cache, number, false, &known.sha256);
            packed.into_iter().chain([plain]).for_each(|key| cache.learn(key, known));
        }
        Ok(looked)
    }

    fn remembered(&self, cache: &Cache, key: Key, number: usize) -> Option<Looked> {
        let path = self.items[number].path.as_str();
        let fits = |known: &Known| !self.speaks(number, known.kind) && !self.sources.is_changed(path, &known.sha256);
        let known = cache.find(key).filter(fits)?;
        Some(Looked::known(self.fact(number, known.kind, known.sha256), known))
    }

    fn read(
        &self,
        source: &dyn Source,
        number: usize,
        wanted: &Wanted,
        buffer: &mut Vec<u8>,
    ) -> Result<Looked, GatherError> {
        if !wanted.whole {
            return self.in_pieces(source, number, wanted);
        }
        let bytes_max = self.items[number].bytes;
        if wanted.large {
            // Large files that must be held whole take turns.
            let _turn = self.large.lock().unwrap_or_else(PoisonError::into_inner);
            let mut content = Vec::new();
            return Ok(self.whole(number, wanted, source.read(number, bytes_max, &mut content)?));
        }
        Ok(self.whole(number, wanted, source.read(number, bytes_max, buffer)?))
    }

    /// A file in memory.
    fn whole(&self, number: usize, wanted: &Wanted, bytes: &[u8]) -> Looked {
        let path = self.items[number].path.as_str();
        // 1. What it is.
        let kind = ContentKind::of(&bytes[..bytes.len().min(crate::content::HEAD_BYTES)]);
        let fact = self.fact(number, kind, Sha256::of(bytes));
        let known = self.cache_of(number, wanted).and_then(|cache| {
            let key = self.key(cache, number, false, &fact.sha256);
            self.remembered(cache, key, number)
        });
        if let Some(known) = known {
            return known;
        }
        // 2. Credentials.
        let secrets = secrets::scan_file(path, bytes);
        // 3. Code; a file that is not the recorded one is the server's own.
        let own = self.sources.is_own_at(number, path) || self.sources.is_changed(path, &fact.sha256);
        let code = self.sources.read(number, &fact, bytes, own).map(Box::new);
        let suspect = self.sources.suspect(number, path, bytes, own, code.is_some()).map(Box::new);
        // 4. Records of package managers, programs, bills of materials, statements.
        let said = if wanted.program {
            Some(dependencies::read_program(path, bytes))
        } else {
            wanted.record.then(|| dependencies::read(path, Some(bytes)))
        };
        let native = matches!(kind, ContentKind::Native | ContentKind::Bytecode)
            .then(|| own.then(|| native::read(path, bytes)).flatten().map(Box::new))
            .flatten();
        let sbom = wanted.sbom.then(|| {
            let read = sbom::read(bytes).map_err(|error| error.to_string());
            Box::new(SbomFile { path: path.to_owned(), read })
        });
        let statements = if wanted.statements { vex::in_file(path, bytes) } else { Vec::new() };
        let package = wanted.package.then(|| Package::read(bytes).map(Box::new)).flatten();
        // 5. What it speaks of.
        let mentions = if self.speaks(number, kind) { self.mentioned(path, bytes) } else { Vec::new() };
        // 6. What the manifest is compared with.
        let head = wanted.head.map(|most| bytes[..bytes.len().min(most)].to_vec());
        Looked {
            fact,
            secrets,
            code,
            suspect,
            said: said.map(Box::new),
            native,
            sbom,
            statements,
            package,
            mentions,
            head,
        }
    }

    /// A file that is too large to be held.
    fn in_pieces(&self, source: &dyn Source, number: usize, wanted: &Wanted) -> Result<Looked, GatherError> {
        let path = self.items[number].path.as_str();
        let pieces = Pieces {
            secrets: FileScan::new(path),
            words: malware::Words::default(),
            texts: malware::Texts::default(),
            head: Vec::new(),
            head_bytes: wanted.head.unwrap_or(0),
        };
        let mut stream = Watched::new(pieces);
        source.copy(number, &mut stream)?;
        let (pieces, kind, sha256) = stream.finish();
        let suspect = self.large_suspect(number, kind, &pieces);
        let said = wanted.record.then(|| Box::new(dependencies::read(path, None)));
        let sbom = wanted.sbom.then(|| {
            let (bytes, limit) = (self.items[number].bytes, super::SBOM_BYTES_MAX);
            let read = Err(format!("it has {bytes} bytes, expected at most {limit}"));
            Box::new(SbomFile { path: path.to_owned(), read })
        });
        Ok(Looked {
            fact: self.fact(number, kind, sha256),
            secrets: pieces.secrets.finish(),
            code: None,
            suspect: suspect.map(Box::new),
            said,
            native: None,
            sbom,
            statements: Vec::new(),
            package: None,
            mentions: Vec::new(),
            head: wanted.head.map(|_| pieces.head),
        })
    }

    /// What a file that passed in pieces gives against malware: its words and texts, since it is not parsed.
    fn large_suspect(&self, number: usize, kind: ContentKind, pieces: &Pieces) -> Option<Suspect> {
        let Item { path, bytes, .. } = &self.items[number];
        match kind {
            _ if malware::is_unread_place(path, *bytes) => {
                Some(Suspect::unread(path, format!("it has {bytes} bytes and runs by itself")))
            }
            ContentKind::Native | ContentKind::Bytecode => Suspect::of_program(path, &pieces.texts),
            _ if self.sources.is_open(number, &self.items[number]) || kind == ContentKind::Script => {
                Suspect::of_words(path, &pieces.words, || too_large(*bytes))
            }
            _ => None,
        }
    }

    fn fact(&self, number: usize, kind: ContentKind, sha256: Sha256) -> FileFact {
        let item = &self.items[number];
        FileFact { path: item.path.clone(), bytes: item.bytes, executable: item.executable, kind, sha256 }
    }
}

/// What sees a large file piece by piece.
struct Pieces {
    secrets: FileScan,
    words: malware::Words,
    texts: malware::Texts,
    head: Vec<u8>,
    head_bytes: usize,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.head_bytes - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.secrets.write_all(bytes)?;
        self.words.feed(bytes);
        self.texts.feed(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
