//! One file, looked at once: its kind, its digest and what every engine finds in its bytes.
//!
//! In: the bytes of one file, from an attacker, whole or (of large files) in pieces. Out: [`Looked`], facts of
//! bounded size; the bytes are let go. An engine that judges bytes adds a field there and a step in [`Plan::whole`].

use std::io::{self, Write};
use std::sync::PoisonError;

use mpak_bundle::dependencies::{self, Said};
use mpak_bundle::sbom;

use super::plan::{Plan, Wanted};
use super::source::Source;
use super::sources::Read;
use super::{FileFact, GatherError, SbomFile};
use crate::completeness::Package;
use crate::content::{ContentKind, Watched};
use crate::secrets::{self, FileScan, FileSecrets};
use crate::vex::{self, Statement};

/// What one file gives.
pub(super) struct Looked {
    pub(super) fact: FileFact,
    /// Credentials.
    pub(super) secrets: FileSecrets,
    /// Code that is followed across files.
    pub(super) code: Option<Box<Read>>,
    /// What a record or program says of components.
    pub(super) said: Option<Box<Said>>,
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

impl Plan<'_> {
    /// Reads a file and looks at it. `buffer` is the thread's own, kept from file to file.
    pub(super) fn look(&self, source: &dyn Source, number: usize, buffer: &mut Vec<u8>) -> Result<Looked, GatherError> {
        let wanted = self.wanted(number);
        match wanted.whole {
            _ if self.given.as_ref().is_some_and(|(of, _)| *of == number) => {
                let content = self.given.as_ref().map(|(_, content)| content.as_slice()).unwrap_or_default();
                Ok(self.whole(number, &wanted, content))
            }
            true if wanted.large => {
                // Large files that must be held whole take turns.
                let _turn = self.large.lock().unwrap_or_else(PoisonError::into_inner);
                let mut content = Vec::new();
                source.copy(number, &mut Bounded { to: &mut content, bytes_max: self.items[number].bytes })?;
                Ok(self.whole(number, &wanted, &content))
            }
            true => {
                buffer.clear();
                source.copy(number, &mut Bounded { to: buffer, bytes_max: self.items[number].bytes })?;
                Ok(self.whole(number, &wanted, buffer))
            }
            false => self.in_pieces(source, number, &wanted),
        }
    }

    /// A file in memory.
    fn whole(&self, number: usize, wanted: &Wanted, bytes: &[u8]) -> Looked {
        let path = self.items[number].path.as_str();
        // 1. What it is.
        let kind = ContentKind::of(&bytes[..bytes.len().min(crate::content::HEAD_BYTES)]);
        let fact = self.fact(number, kind, mpak_bundle::digest::Sha256::of(bytes));
        // 2. Credentials.
        let secrets = secrets::scan_file(path, bytes);
        // 3. Code.
        let code = self.sources.read(number, path, bytes).map(Box::new);
        // 4. Records of package managers, programs, bills of materials, statements.
        let said = if wanted.program {
            Some(dependencies::read_program(path, bytes))
        } else {
            wanted.record.then(|| dependencies::read(path, Some(bytes)))
        };
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
        Looked { fact, secrets, code, said: said.map(Box::new), sbom, statements, package, mentions, head }
    }

    /// A file that is too large to be held.
    fn in_pieces(&self, source: &dyn Source, number: usize, wanted: &Wanted) -> Result<Looked, GatherError> {
        let path = self.items[number].path.as_str();
        let pieces = Pieces { secrets: FileScan::new(path), head: Vec::new(), head_bytes: wanted.head.unwrap_or(0) };
        let mut stream = Watched::new(pieces);
        source.copy(number, &mut stream)?;
        let (pieces, kind, sha256) = stream.finish();
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
            said,
            sbom,
            statements: Vec::new(),
            package: None,
            mentions: Vec::new(),
            head: wanted.head.map(|_| pieces.head),
        })
    }

    fn fact(&self, number: usize, kind: ContentKind, sha256: mpak_bundle::digest::Sha256) -> FileFact {
        let item = &self.items[number];
        FileFact { path: item.path.clone(), bytes: item.bytes, executable: item.executable, kind, sha256 }
    }
}

/// What sees a large file piece by piece.
struct Pieces {
    secrets: FileScan,
    head: Vec<u8>,
    head_bytes: usize,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.head_bytes - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.secrets.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes no more than a file was said to have.
struct Bounded<'a> {
    to: &'a mut Vec<u8>,
    bytes_max: u64,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.to.is_empty() {
            self.to.reserve(usize::try_from(self.bytes_max).unwrap_or(0));
        }
        if (self.to.len() + bytes.len()) as u64 > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.to.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
