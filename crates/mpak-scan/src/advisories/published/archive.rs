//! One archive of a published package: what it is, what it calls itself, what is in it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use mpak_bundle::archive::Archive;
use mpak_bundle::dependencies::Ecosystem;
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use serde_json::Value;

use super::super::input::InputError;
use super::super::{BuildError, name};
use super::{Id, id, unfit};

/// Largest file of a package, and all files of one together.
const FILE_BYTES_MAX: u64 = 512 << 20;
const PACKAGE_BYTES_MAX: u64 = 8 << 30;
/// Most files of one package.
const FILES_COUNT_MAX: usize = 200_000;
/// Largest description of a package.
const ABOUT_BYTES_MAX: u64 = 4 << 20;
/// Longest name and version.
const WORD_BYTES_MAX: usize = 300;
/// Most bytes of a tar between two files: headers, long names, attributes.
const BETWEEN_BYTES_MAX: u64 = 1 << 20;

/// What an archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Of Python, as it is unpacked into the folder of packages.
    Wheel,
    /// Of Python, with the sources that such a folder is made of.
    Source,
    /// Of npm.
    Npm,
}

impl Form {
    pub(super) fn ecosystem(self) -> Ecosystem {
        match self {
            Self::Wheel | Self::Source => Ecosystem::Pypi,
            Self::Npm => Ecosystem::Npm,
        }
    }

    /// Where a file of the archive lies once it is installed; `None` where it is not.
    fn installed(self, inside: &str) -> Option<&str> {
        match self {
            Self::Npm => Some(inside),
            // `NAME-VERSION.data/purelib/…` is moved to where the rest is.
            Self::Wheel => match inside.split_once(".data/") {
                Some((folder, rest)) if !folder.contains('/') => {
                    rest.strip_prefix("purelib/").or_else(|| rest.strip_prefix("platlib/"))
                }
                _ => Some(inside),
            },
            Self::Source => {
                const NEVER: [&str; 9] =
                    ["test", "tests", "testing", "doc", "docs", "example", "examples", "bench", "benchmarks"];
                const ROOTS: [&str; 3] = ["src/", "lib/", "python/"];
                if inside.split('/').any(|part| NEVER.contains(&part.to_ascii_lowercase().as_str())) {
                    return None;
                }
                Some(ROOTS.iter().find_map(|root| inside.strip_prefix(root)).unwrap_or(inside))
            }
        }
    }
}

/// What an archive holds.
pub(super) struct Held {
    pub(super) form: Form,
    /// Name and version.
    pub(super) about: (String, String),
    pub(super) files: BTreeSet<Id>,
}

/// By its name.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = file_name(path);
    [".whl", ".tgz", ".tar.gz"].iter().any(|end| name.ends_with(end))
}

fn file_name(path: &Path) -> String {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase()
}

/// Reads an archive whose name says what it holds.
pub(super) fn read(path: &Path) -> Result<Held, BuildError> {
    // 1. What is in it.
    let io = |source| InputError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut first = [0; 2];
    file.read(&mut first).and_then(|_| file.rewind()).map_err(io)?;
    let (found, form) = match first {
        [b'P', b'K'] => (of_zip(file, path)?, Form::Wheel),
        [0x1f, 0x8b] => {
            let found = of_tar(file, path)?;
            // A source distribution may bring a `package.json` of its own.
            let form = if found.headers.is_some() { Form::Source } else { Form::Npm };
            (found, form)
        }
        _ => return Err(unfit(path, "it is neither a wheel nor a compressed tar")),
    };
    // 2. What it calls itself, which is its own word: the file's name was given by whoever hands it out.
    let about = if form == Form::Npm { found.json } else { found.headers };
    let (package, version) = about.ok_or_else(|| unfit(path, "it says no name and version"))?;
    if !is_named(&file_name(path), form, &package, &version) {
        return Err(unfit(path, "its file is named after another package or version than it says"));
    }
    // 3. Where its files are installed.
    let place = |(inside, sha256): &(String, Sha256)| form.installed(inside).map(|inside| id(inside, sha256));
    let files = found.files.iter().filter_map(place).collect();
    Ok(Held { form, about: (package, version), files })
}

/// Whether the name of a file says the same as what is in it: `NAME-VERSION…`, of npm with or without the scope.
fn is_named(file: &str, form: Form, package: &str, version: &str) -> bool {
    let stem = [".whl", ".tgz", ".tar.gz"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
    let normal = |text: &str| name::normal(Ecosystem::Pypi, text);
    let whole = normal(&package.trim_start_matches('@').replace('/', "-"));
    let last = normal(package.rsplit('/').next().unwrap_or_default());
    let is_package = |text: &str| text == whole || form == Form::Npm && text == last;
    let scheme = name::scheme(form.ecosystem());
    let is_version = |text: &str| {
        let key = scheme.key(text);
        text == version.to_ascii_lowercase() || key.is_some() && key == scheme.key(version)
    };
    stem.match_indices('-').filter(|(at, _)| is_package(&normal(&stem[..*at]))).any(|(at, _)| {
        let rest = &stem[at + 1..];
        match form {
            // The tags of what it runs on stand behind the version.
            Form::Wheel => rest.split_once('-').is_some_and(|(version, _)| is_version(version)),
            Form::Source | Form::Npm => is_version(rest),
        }
    })
}

/// What was read of an archive.
#[derive(Default)]
struct Content {
    /// Name and version by `package.json`, and by core metadata.
    json: Option<(String, String)>,
    headers: Option<(String, String)>,
    /// Paths in the package, and digests.
    files: Vec<(String, Sha256)>,
}

impl Content {
    /// Takes a file; `inside` is its path in the package.
    fn file(&mut self, inside: &str, bytes: &[u8]) {
        self.files.push((inside.to_owned(), Sha256::of(bytes)));
        let is_metadata = inside == "PKG-INFO"
            || inside
                .split_once('/')
                .is_some_and(|(folder, name)| folder.ends_with(".dist-info") && name == "METADATA");
        if bytes.len() as u64 > ABOUT_BYTES_MAX {
            return;
        }
        if inside == "package.json" {
            self.json = self.json.take().or_else(|| of_json(bytes));
        } else if is_metadata {
            self.headers = self.headers.take().or_else(|| of_headers(bytes));
        }
    }
}

fn of_zip(file: File, path: &Path) -> Result<Content, BuildError> {
    let error = |source| InputError::Zip { path: path.to_owned(), source };
    let limits = Limits {
        archive_bytes_max: PACKAGE_BYTES_MAX,
        unpacked_bytes_max: PACKAGE_BYTES_MAX,
        entry_bytes_max: FILE_BYTES_MAX,
        entries_count_max: FILES_COUNT_MAX,
        ..Limits::default()
    };
    let archive = Archive::open(file, &limits).map_err(error)?;
    let mut content = Content::default();
    for entry in archive.entries() {
        let bytes = archive.read(entry, FILE_BYTES_MAX).map_err(error)?;
        content.file(entry.path.as_str(), &bytes);
    }
    Ok(content)
}

fn of_tar(file: File, path: &Path) -> Result<Content, BuildError> {
    let io = |source: io::Error| InputError::Io { path: path.to_owned(), source };
    let text = MultiGzDecoder::new(BufReader::new(file)).take(PACKAGE_BYTES_MAX);
    let left = Rc::new(Cell::new(BETWEEN_BYTES_MAX));
    let mut archive = tar::Archive::new(Metered { text, left: Rc::clone(&left) });
    let mut content = Content::default();
    let mut entries = archive.entries().map_err(io)?;
    for count in 0.. {
        // Long names and attributes are read into memory before anything of an entry is known.
        left.set(BETWEEN_BYTES_MAX);
        let Some(entry) = entries.next() else { break };
        let entry = entry.map_err(io)?;
        if count >= FILES_COUNT_MAX || entry.size() > FILE_BYTES_MAX {
            return Err(unfit(path, "it has more files, or larger ones, than a package has"));
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let whole = entry.path_bytes().into_owned();
        let mut bytes = Vec::new();
        left.set(FILE_BYTES_MAX);
        entry.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
        // Everything lies in one folder, whatever its name.
        let inside = String::from_utf8_lossy(&whole);
        let inside = inside.trim_start_matches("./").split_once('/').map_or("", |(_, inside)| inside);
        content.file(inside, &bytes);
    }
    Ok(content)
}

/// A reader that gives no more bytes than it was allowed last.
struct Metered<R> {
    text: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        let left = left.ok_or_else(|| {
            io::Error::other(format!("more than {BETWEEN_BYTES_MAX} bytes stand between two files of the archive"))
        })?;
        self.left.set(left);
        Ok(read)
    }
}

fn of_json(text: &[u8]) -> Option<(String, String)> {
    let about: Value = serde_json::from_slice(text).ok()?;
    told(about.get("name")?.as_str()?, about.get("version")?.as_str()?)
}

/// Core metadata: headers like those of a mail. Spec: PyPA, core metadata.
fn of_headers(text: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(text);
    let value = |wanted: &str| {
        let mut headers = text.lines().take_while(|line| !line.trim().is_empty());
        headers.find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    told(value("Name")?, value("Version")?)
}

fn told(name: &str, version: &str) -> Option<(String, String)> {
    let fits = |word: &str| (1..=WORD_BYTES_MAX).contains(&word.len()) && !word.contains(char::is_control);
    (fits(name) && fits(version)).then(|| (name.to_owned(), version.to_owned()))
}
