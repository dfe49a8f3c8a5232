//! Where evidence comes from: the two kinds of things that can be scanned, behind one door.

use std::fs::File;
use std::io::{self, Write};

use mpak_bundle::archive::Archive;
use mpak_bundle::collect::Collected;
use mpak_bundle::manifest::Contents;

use super::sources::Sources;
use super::{FileFact, GatherError};
use crate::content::Watched;
use crate::secrets::{FileScan, Secrets};

/// A bundle or folder whose files can be listed and read.
pub(super) trait Source: Contents {
    /// Streams every file to its end, once, and lists the files in that order.
    fn visit(&self, visitor: &mut Visitor) -> Result<Vec<FileFact>, GatherError>;
}

/// What looks at every file.
pub(super) struct Visitor {
    pub(super) secrets: Secrets,
    pub(super) sources: Sources,
}

impl Visitor {
    fn begin(&mut self, path: &str, bytes: u64) -> Pass {
        Pass { secrets: FileScan::new(path), kept: self.sources.wants(path, bytes).then(Vec::new) }
    }

    fn end(&mut self, path: &str, pass: Pass) {
        self.secrets.add(pass.secrets.finish());
        pass.kept.into_iter().for_each(|bytes| self.sources.add(path, bytes));
    }
}

/// One file on its way through: searched, and kept where its bytes are wanted.
struct Pass {
    secrets: FileScan,
    kept: Option<Vec<u8>>,
}

impl Write for Pass {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        self.secrets.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Archive {
    fn visit(&self, visitor: &mut Visitor) -> Result<Vec<FileFact>, GatherError> {
        let mut files = Vec::with_capacity(self.entries().len());
        for entry in self.entries() {
            let path = entry.path.as_str();
            let mut stream = Watched::new(visitor.begin(path, entry.bytes));
            self.copy(entry, &mut stream)?;
            let (pass, kind, sha256) = stream.finish();
            visitor.end(path, pass);
            let (path, bytes, executable) = (path.to_owned(), entry.bytes, entry.executable);
            files.push(FileFact { path, bytes, executable, kind, sha256 });
        }
        Ok(files)
    }
}

impl Source for Collected {
    fn visit(&self, visitor: &mut Visitor) -> Result<Vec<FileFact>, GatherError> {
        let mut files = Vec::with_capacity(self.files().len());
        for file in self.files() {
            let path = file.path.as_str();
            let mut stream = Watched::new(visitor.begin(path, file.bytes));
            File::open(&file.source)
                .and_then(|mut reader| io::copy(&mut reader, &mut stream))
                .map_err(|source| GatherError::Io { path: path.to_owned(), source })?;
            let (pass, kind, sha256) = stream.finish();
            visitor.end(path, pass);
            let (path, bytes, executable) = (path.to_owned(), file.bytes, file.executable);
            files.push(FileFact { path, bytes, executable, kind, sha256 });
        }
        Ok(files)
    }
}
