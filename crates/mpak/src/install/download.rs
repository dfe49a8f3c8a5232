//! Stage 13, download: the bytes, into a file of their own that the next run continues.
//!
//! In: [`Resolved`]. Out: [`Downloaded`], a file of exactly the promised length. Its content is still the
//! registry's word. The file is named by the promised digest; whoever holds the install lock of that digest
//! is the only one to write it.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thiserror::Error;

use super::resolve::Resolved;
use crate::client::{Client, ClientError};
use crate::error::{CommandError, Kind};
use crate::home::{Home, HomeError};
use crate::ui::Progress;

/// How often a download that breaks off is continued.
const CONTINUED_MAX: u32 = 3;

/// A file of the promised length.
#[derive(Debug)]
pub struct Downloaded {
    resolved: Resolved,
    path: PathBuf,
}

impl Downloaded {
    /// Both parts.
    pub(super) fn into_parts(self) -> (Resolved, PathBuf) {
        (self.resolved, self.path)
    }
}

/// Why there is no such file.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// The connection or the registry.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The home folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Fewer or more bytes than promised.
    #[error("the download has {found} bytes, expected {expected}")]
    Size {
        /// As the registry said.
        expected: u64,
        /// As it came.
        found: u64,
    },
    /// The file system refuses.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<DownloadError> for CommandError {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Client(error @ ClientError::TooLarge { .. }) => Self::from_error(Kind::Verification, &error),
            DownloadError::Client(error) => error.into(),
            DownloadError::Home(error) => error.into(),
            DownloadError::Size { .. } => Self::from_error(Kind::Verification, &error),
            DownloadError::Io { .. } => Self::from_error(Kind::NeedsPerson, &error).hint("is the disk full?"),
        }
    }
}

/// Downloads, continuing what an earlier run left.
///
/// # Errors
/// [`DownloadError`]. A download that broke off stays for the next run.
pub fn download(home: &Home, client: &Client, resolved: Resolved) -> Result<Downloaded, DownloadError> {
    let path = home.partial(resolved.sha256());
    home.create(&home.tmp())?;
    let progress = Progress::bytes(&format!("{} {}", resolved.name(), resolved.version()), resolved.size());
    let progress = Rc::new(progress);

    // 1. until all is there, or it breaks off too often at every address
    let (mut attempt, mut address) = (0, 0);
    while length(&path) < resolved.size() {
        let before = length(&path);
        let result = client.bytes(&resolved.urls()[address], before, resolved.size(), &mut |start| {
            let counted = Counted { file: open(&path, start)?, written: start, progress: Rc::clone(&progress) };
            Ok(Box::new(counted) as Box<dyn Write>)
        });
        match result {
            Ok(()) => break,
            Err(ClientError::Unreachable { .. }) if attempt < CONTINUED_MAX && length(&path) > before => attempt += 1,
            Err(ClientError::Local { source }) => return Err(DownloadError::Io { path, source }),
            Err(error @ ClientError::TooLarge { .. }) => {
                discard(&path);
                return Err(error.into());
            }
            // what the next address gives must have the same digest
            Err(_) if address + 1 < resolved.urls().len() => (attempt, address) = (0, address + 1),
            Err(error) => return Err(error.into()),
        }
    }

    // 2. not a byte more or less
    let found = length(&path);
    if found != resolved.size() {
        let expected = resolved.size();
        discard(&path);
        return Err(DownloadError::Size { expected, found });
    }
    Ok(Downloaded { resolved, path })
}

/// The file from an offset on; what is behind the offset is dropped.
fn open(path: &Path, start: u64) -> io::Result<File> {
    let mut file = File::options().create(true).write(true).truncate(false).open(path)?;
    file.set_len(start)?;
    file.seek(SeekFrom::Start(start))?;
    Ok(file)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// A file that would only be found wrong again.
pub(super) fn discard(path: &Path) {
    let _gone = fs::remove_file(path);
}

struct Counted {
    file: File,
    written: u64,
    progress: Rc<Progress>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.written += n as u64;
        self.progress.at(self.written);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
