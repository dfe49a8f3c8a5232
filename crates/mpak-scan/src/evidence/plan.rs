//! What each file is wanted for, decided from the list of files and the manifest before the files are read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Mutex;

use mpak_bundle::dependencies;
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, Contents, FileKind, ManifestRead};
use serde_json::Value;

use super::cache::{Cache, Key};
use super::source::{Item, Source};
use super::sources::Sources;
use super::{SBOM_BYTES_MAX, SBOMS, texts};
use crate::completeness::{self, Mentions};
use crate::content::ContentKind;
use crate::{signatures, vex};

/// Largest file that is held whole by every thread.
const WHOLE_BYTES_MAX: u64 = 8 << 20;
/// Most bytes of files that are kept until all are read: installers' records, localisations, first bytes.
const KEPT_BYTES_MAX: u64 = 24 << 20;
/// Most files with statements about vulnerabilities.
const STATEMENTS_COUNT_MAX: usize = 64;

/// What is known before the files are read.
pub(super) struct Plan<'a> {
    pub(super) items: &'a [Item],
    pub(super) sources: Sources,
    /// The manifest, which was read first.
    pub(super) given: Option<(usize, Vec<u8>)>,
    programs: HashSet<usize>,
    statements: HashSet<usize>,
    /// First bytes to keep, by number.
    heads: HashMap<usize, usize>,
    mentions: Mentions,
    own: HashSet<usize>,
    /// Whose turn it is to hold a large file.
    pub(super) large: Mutex<()>,
    /// What earlier scans know.
    pub(super) cache: Option<&'a Cache>,
}

/// What one file is wanted for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) record: bool,
    pub(super) program: bool,
    pub(super) sbom: bool,
    pub(super) statements: bool,
    pub(super) package: bool,
    /// So many first bytes are kept.
    pub(super) head: Option<usize>,
    /// It is held in memory; else it passes through in pieces.
    pub(super) whole: bool,
    /// It is larger than what every thread may hold.
    pub(super) large: bool,
}

/// Words that the manifest starts the server with, on whatever platform.
fn start_words(document: &Value) -> Vec<String> {
    let Some(config) = document.get("server").and_then(|server| server.get("mcp_config")) else { return Vec::new() };
    let overrides = config.get("platform_overrides").and_then(Value::as_object);
    let platforms = overrides.into_iter().flat_map(|platforms| platforms.values()).take(16);
    let lists = std::iter::once(config).chain(platforms).filter_map(|of| of.get("args")?.as_array());
    let words = lists.flatten().filter_map(Value::as_str);
    words.filter(|word| word.len() < 200).take(256).map(str::to_owned).collect()
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        items: &'a [Item],
        given: Option<(usize, Vec<u8>)>,
        document: Option<&Value>,
        cache: Option<&'a Cache>,
    ) -> Self {
        let entry = document.and_then(|document| document.get("server")?.get("entry_point")?.as_str());
        let sources = Sources::new(items, entry, document.map(start_words).unwrap_or_default());
        let programs: BTreeSet<String> =
            dependencies::programs(items.iter().map(|item| (item.path.as_str(), item.bytes))).into_iter().collect();
        let numbers = |fits: &dyn Fn(&Item) -> bool| -> HashSet<usize> {
            items.iter().enumerate().filter(|(_, item)| fits(item)).map(|(number, _)| number).collect()
        };
        let statements = items.iter().enumerate().filter(|(_, item)| vex::is_statements(&item.path));
        Self {
            items,
            sources,
            given,
            programs: numbers(&|item| programs.contains(&item.path)),
            statements: statements.take(STATEMENTS_COUNT_MAX).map(|(number, _)| number).collect(),
            heads: HashMap::new(),
            mentions: Mentions::default(),
            own: HashSet::new(),
            large: Mutex::new(()),
            cache,
        }
    }

    /// Keeps what the manifest is compared with, what localisations say, what installers recorded and what files beside the code may say, as far as the limit reaches.
    pub(super) fn keep(
        &mut self,
        source: &dyn Source,
        read: Option<&ManifestRead>,
        document: Option<&Value>,
        limits: &Limits,
    ) {
        let by_path: HashMap<&str, usize> =
            self.items.iter().enumerate().map(|(number, item)| (item.path.as_str(), number)).collect();
        let asked = read
            .and_then(|read| read.manifest.as_ref())
            .map(|manifest| manifest::heads_asked(manifest, source, limits));
        let asked = asked.into_iter().flatten().filter_map(|(path, bytes)| Some((*by_path.get(path.as_str())?, bytes)));
        let localised = document.map(|document| texts::localisations(self.items, document)).unwrap_or_default();
        let most = usize::try_from(limits.manifest_bytes_max).unwrap_or(usize::MAX);
        let localised = localised.into_iter().map(|number| (number, most));
        let beside = texts::beside(self.items, |path| self.sources.is_own(path)).into_iter();
        let beside = beside.map(|number| (number, usize::try_from(self.items[number].bytes).unwrap_or(0)));
        let records = self.items.iter().enumerate().filter(|(_, item)| completeness::is_record(&item.path));
        let records = records.map(|(number, _)| (number, usize::try_from(completeness::RECORD_BYTES_MAX).unwrap_or(0)));
        let signatures = self.signature_files().map(|number| (number, signatures::FILE_BYTES_MAX as usize));
        let signatures: Vec<(usize, usize)> = signatures.collect();
        let mut left = KEPT_BYTES_MAX;
        for (number, bytes) in asked.chain(signatures).chain(localised).chain(records).chain(beside) {
            let bytes = bytes.max(self.heads.get(&number).copied().unwrap_or(0));
            let cost = self.items[number].bytes.min(bytes as u64);
            if cost <= left {
                left -= cost;
                self.heads.insert(number, bytes);
            }
        }
    }

    /// Numbers of the files with signatures, as many as are read.
    pub(super) fn signature_files(&self) -> impl Iterator<Item = usize> + use<'_> {
        let is_one = |path: &str| signatures::is_file(path) || signatures::is_sigstore(path);
        let fits = move |item: &Item| is_one(&item.path) && item.bytes <= signatures::FILE_BYTES_MAX;
        let all = self.items.iter().enumerate().filter(move |(_, item)| fits(item));
        all.map(|(number, _)| number).take(signatures::FILES_COUNT_MAX)
    }

    /// Numbers of the files that tell why others are there, to be read before those.
    pub(super) fn first(&self) -> Vec<usize> {
        let is_first =
            |item: &Item| completeness::is_record(&item.path) || completeness::folder_of_package(&item.path).is_some();
        self.items.iter().enumerate().filter(|(_, item)| is_first(item)).map(|(number, _)| number).collect()
    }

    /// Searches files that are the server's own for names of others.
    pub(super) fn search_for(&mut self, mentions: Mentions, own: impl Fn(&str) -> bool) {
        self.own =
            self.items.iter().enumerate().filter(|(_, item)| own(&item.path)).map(|(number, _)| number).collect();
        self.mentions = mentions;
    }

    pub(super) fn wanted(&self, number: usize) -> Wanted {
        let Item { path, bytes, .. } = &self.items[number];
        let (program, sbom) = (self.programs.contains(&number), SBOMS.contains(&path.as_str()));
        let record = !program && dependencies::is_record(path);
        let most = match () {
            () if program => u64::MAX,
            () if record => dependencies::READ_BYTES_MAX,
            () if sbom => SBOM_BYTES_MAX,
            () => WHOLE_BYTES_MAX,
        };
        Wanted {
            record,
            program,
            sbom,
            statements: self.statements.contains(&number),
            package: *bytes <= completeness::PACKAGE_BYTES_MAX && completeness::folder_of_package(path).is_some(),
            head: self.heads.get(&number).copied(),
            whole: *bytes <= most.max(WHOLE_BYTES_MAX),
            large: *bytes > WHOLE_BYTES_MAX,
        }
    }

    /// The cache, if the file may be found in it: what is wanted for more than what is in it alone never is.
    pub(super) fn cache_of(&self, number: usize, wanted: &Wanted) -> Option<&Cache> {
        let Wanted { record, program, sbom, statements, package, head, whole: _, large: _ } = *wanted;
        let needed = record || program || sbom || statements || package || head.is_some();
        self.cache.filter(|_| !needed && !self.sources.is_open(number, &self.items[number]))
    }

    /// Where a file is found in the cache.
    pub(super) fn key(&self, cache: &Cache, number: usize, packed: bool, content: &Sha256) -> Key {
        let path = self.items[number].path.as_str();
        let name = path.rsplit('/').next().unwrap_or(path);
        Key::new(
            cache.identity(),
            packed,
            content,
            self.sources.is_own_at(number, path),
            crate::malware::role(path),
            name,
        )
    }

    /// Whether a file is searched for names of others.
    pub(super) fn speaks(&self, number: usize, kind: ContentKind) -> bool {
        let item = &self.items[number];
        !self.mentions.is_empty() && self.own.contains(&number) && Mentions::searches(&item.path, item.bytes, kind)
    }

    pub(super) fn mentioned(&self, path: &str, bytes: &[u8]) -> Vec<u32> {
        self.mentions.search(path, bytes).into_iter().collect()
    }

    /// Paths of numbers that [`Plan::mentioned`] gave.
    pub(super) fn mention(&self, number: u32) -> &str {
        self.mentions.path(number)
    }
}

/// The list of files with the first bytes that were kept, for what compares a manifest with contents.
pub(super) struct Kept<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) heads: BTreeMap<&'a str, &'a [u8]>,
}

impl Contents for Kept<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        self.source.kind(path)
    }
    fn paths(&self) -> Vec<String> {
        self.source.paths()
    }
    fn head(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        self.heads.get(path).map(|head| head[..head.len().min(bytes_max)].to_vec())
    }
}
