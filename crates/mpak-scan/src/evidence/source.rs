//! Where evidence comes from: the two kinds of things that can be scanned, behind one door.

use std::fs::File;
use std::io;

use mpak_bundle::archive::Archive;
use mpak_bundle::collect::Collected;
use mpak_bundle::manifest::Contents;

use super::{FileFact, GatherError};
use crate::secrets::{FileScan, Secrets};

/// A bundle or folder whose files can be listed and read.
pub(super) trait Source: Contents {
    /// Streams every file to its end through the search for credentials, once, and lists the files in that order.
    fn visit(&self, secrets: &mut Secrets) -> Result<Vec<FileFact>, GatherError>;
}

impl Source for Archive {
    fn visit(&self, secrets: &mut Secrets) -> Result<Vec<FileFact>, GatherError> {
        let mut files = Vec::with_capacity(self.entries().len());
        for entry in self.entries() {
            let path = entry.path.as_str();
            let mut stream = FileScan::new(path);
            self.copy(entry, &mut stream)?;
            secrets.add(stream.finish());
            files.push(FileFact { path: path.to_owned(), bytes: entry.bytes, executable: entry.executable });
        }
        Ok(files)
    }
}

impl Source for Collected {
    fn visit(&self, secrets: &mut Secrets) -> Result<Vec<FileFact>, GatherError> {
        let mut files = Vec::with_capacity(self.files().len());
        for file in self.files() {
            let path = file.path.as_str();
            let mut stream = FileScan::new(path);
            File::open(&file.source)
                .and_then(|mut reader| io::copy(&mut reader, &mut stream))
                .map_err(|source| GatherError::Io { path: path.to_owned(), source })?;
            secrets.add(stream.finish());
            files.push(FileFact { path: path.to_owned(), bytes: file.bytes, executable: file.executable });
        }
        Ok(files)
    }
}
