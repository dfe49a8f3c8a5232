//! Building a snapshot: records in, equal bytes out whatever their order.
//!
//! First, records are read and reduced; of two with one id the later one counts. Then those whose ids are
//! aliases of each other become one vulnerability, so that EPSS and KEV, which know CVE ids only, reach all
//! of them. Last, packages and vulnerabilities are written in order.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use super::feeds::{self, Epss, Kev};
use super::find::{Listed, Vulnerability, write_entry};
use super::input::{self, InputError};
use super::osv::{self, Affected, Record};
use super::published::Packages;
use super::score::{Basis, Score};
use super::sign::SigningKey;
use super::snapshot::{self, BLOCK_BYTES, BLOCK_BYTES_MAX, Feed, Head};
use super::wire::Writer;
use super::{FieldError, date, name};

/// Most records of all feeds together.
const RECORDS_COUNT_MAX: usize = 4_000_000;
/// Most ids that one vulnerability may have: more means that a feed calls everything by one name.
const IDS_COUNT_MAX: usize = 10_000;

/// A snapshot that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A record is not what the format describes.
    #[error("record {number} of `{}` cannot be taken", origin.display())]
    Record {
        /// The file.
        origin: PathBuf,
        /// From 1.
        number: u64,
        /// Why.
        source: FieldError,
    },
    /// One of the other feeds is not what its publisher describes.
    #[error("`{}` is not {expected}", origin.display())]
    Feed {
        /// The file.
        origin: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// Why.
        source: FieldError,
    },
    /// More records than a snapshot may hold.
    #[error("there are more than {RECORDS_COUNT_MAX} records")]
    TooManyRecords,
    /// A package or vulnerability does not fit into a block.
    #[error("the entry of `{name}` has {bytes} bytes, expected at most {BLOCK_BYTES_MAX}")]
    TooLarge {
        /// Of the package or vulnerability.
        name: String,
        /// How large it is.
        bytes: usize,
    },
    /// Feeds whose aliases lead from everything to everything.
    #[error("{count} ids are aliases of `{id}`, expected at most {IDS_COUNT_MAX}")]
    Aliases {
        /// One of them.
        id: String,
        /// How many.
        count: usize,
    },
    /// Not `YYYY-MM-DD`.
    #[error("the date `{found}` is not a day like `2024-01-31`")]
    Date {
        /// What was given.
        found: String,
    },
    /// An archive that is no package.
    #[error("`{}` is no package: {reason}", path.display())]
    Package {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// More archives of packages than a snapshot may be made of.
    #[error("there are more than 1,000,000 archives of packages: build from fewer of them")]
    TooManyPackages,
    /// Nothing to build from.
    #[error("no record was found")]
    Empty,
}

/// What a build gives.
#[derive(Clone, Debug)]
pub struct Built {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub head: Head,
    /// Records that were left out because they could not be read: which, and why. The first of them.
    pub unreadable: Vec<String>,
}

/// Takes feeds and gives a snapshot.
#[derive(Debug, Default)]
pub struct Builder {
    records: HashMap<String, Record>,
    kev: Option<Kev>,
    epss: Option<Epss>,
    published: Packages,
    strict: bool,
    unreadable: Vec<String>,
    unreadable_count: u64,
}

/// Most unreadable records that are told one by one.
const UNREADABLE_TOLD_MAX: usize = 20;

impl Builder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the build at a record that cannot be read, in place of leaving it out and counting it.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Takes OSV records: a file (JSON, JSON lines, zip, gz), or a folder of such files.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn osv(&mut self, path: &Path) -> Result<(), BuildError> {
        let mut number = 0;
        input::records(path, &mut |origin, json| {
            number += 1;
            self.record(json).or_else(|source| {
                if self.strict {
                    return Err(BuildError::Record { origin: origin.to_owned(), number, source });
                }
                self.unreadable_count += 1;
                if self.unreadable.len() < UNREADABLE_TOLD_MAX {
                    self.unreadable.push(format!("record {number} of `{}`: {source}", origin.display()));
                }
                Ok(())
            })?;
            if self.records.len() > RECORDS_COUNT_MAX { Err(BuildError::TooManyRecords) } else { Ok(()) }
        })
    }

    /// Takes one OSV record.
    pub(super) fn record(&mut self, json: &[u8]) -> Result<(), FieldError> {
        let record = osv::read(json)?;
        let rank = |record: &Record| (record.modified.clone(), format!("{record:?}"));
        match self.records.get(&record.id) {
            Some(known) if rank(known) >= rank(&record) => {}
            _ => {
                self.records.insert(record.id.clone(), record);
            }
        }
        Ok(())
    }

    /// Takes the list of known exploited vulnerabilities, as JSON (also gz).
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn kev(&mut self, path: &Path) -> Result<(), BuildError> {
        let json = input::whole(path)?;
        let error = |source| BuildError::Feed {
            origin: path.to_owned(),
            expected: "a list of known exploited vulnerabilities",
            source,
        };
        self.kev = Some(feeds::kev(&json).map_err(error)?);
        Ok(())
    }

    /// Takes probabilities of exploitation, as CSV (also gz).
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn epss(&mut self, path: &Path) -> Result<(), BuildError> {
        let file = File::open(path).map_err(|source| InputError::Io { path: path.to_owned(), source })?;
        let error = |source| BuildError::Feed { origin: path.to_owned(), expected: "a table of EPSS", source };
        self.epss = Some(feeds::epss(input::unpacked(file, path)?).map_err(error)?);
        Ok(())
    }

    /// Takes published packages, whose files are known from then on: a wheel, a source distribution or an npm package,
    /// or a folder of such archives.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn packages(&mut self, path: &Path) -> Result<(), BuildError> {
        self.published.take(path)
    }

    /// Builds; `day` overrides the newest day of the data, `key` signs.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn finish(self, day: Option<&str>, key: Option<&SigningKey>) -> Result<Built, BuildError> {
        if let Some(day) = day.filter(|day| date::day(day) != Some(day)) {
            return Err(BuildError::Date { found: super::clip(day) });
        }
        // 1. In order; withdrawn records say nothing any more.
        let mut records: Vec<Record> = self.records.into_values().collect();
        records.sort_by(|a, b| a.id.cmp(&b.id));
        if records.is_empty() {
            return Err(BuildError::Empty);
        }
        let (kev, epss) = (self.kev, self.epss);
        let released = kev.as_ref().and_then(|kev| kev.released.clone());
        let scored = epss.as_ref().and_then(|epss| epss.scored.as_ref()).map(|day| format!("{day}T00:00:00Z"));
        let newest =
            records.iter().map(|r| r.modified.clone()).chain(released.clone()).chain(scored).max().unwrap_or_default();
        let mut head = Head {
            date: day.map_or_else(|| newest[..10].to_owned(), str::to_owned),
            newest,
            unreadable_count: self.unreadable_count,
            published_count: self.published.count(),
            withdrawn_count: records.iter().filter(|r| r.withdrawn).count() as u64,
            ..Head::default()
        };
        records.retain(|record| !record.withdrawn);
        head.records_count = records.len() as u64;
        for record in &records {
            head.git_ranges_count += record.git_ranges_count;
            head.bad_ranges_count += record.bad_bounds_count;
            head.foreign_count += record.foreign_count;
        }
        head.kev =
            kev.as_ref().map(|kev| Feed { date: released.map(|r| r[..10].to_owned()), count: kev.ids.len() as u64 });
        head.epss = epss.as_ref().map(|epss| Feed { date: epss.scored.clone(), count: epss.scores.len() as u64 });
        // 2. One vulnerability for all names of one; only those that concern a package that bundles have.
        let groups = groups(records)?;
        let (kev, epss) = (kev.unwrap_or_default(), epss.unwrap_or_default());
        let mut packages: BTreeMap<Vec<u8>, Vec<Listed>> = BTreeMap::new();
        let mut vulnerabilities = Vec::with_capacity(groups.len());
        for group in groups {
            let (vulnerability, affected) = one(group, &kev, &epss);
            for (package, block) in affected {
                let listed = Listed {
                    vulnerability: vulnerabilities.len() as u64,
                    intervals: block.intervals,
                    versions: block.versions,
                };
                packages.entry(package).or_default().push(listed);
            }
            head.malicious_count += u64::from(vulnerability.malicious);
            head.unscored_count += u64::from(vulnerability.score.is_none() && !vulnerability.malicious);
            vulnerabilities.push(vulnerability);
        }
        head.vulnerabilities_count = vulnerabilities.len() as u64;
        for package in packages.keys() {
            *head.packages.entry(name::of_number(package[0]).to_owned()).or_default() += 1;
        }
        // 3. Blocks.
        let packages = package_blocks(&packages)?;
        let vulnerabilities = vulnerability_blocks(&vulnerabilities)?;
        let bytes = snapshot::write(&head, &packages, &vulnerabilities, &self.published.blocks(), key);
        Ok(Built { bytes, head, unreadable: self.unreadable })
    }
}

/// Ids that mean one vulnerability, and the records about it.
type Group = (Vec<String>, Vec<Record>);
/// A first key, and the bytes of a block.
type Block = (Vec<u8>, Vec<u8>);

/// Records whose ids are aliases of each other, directly or through others; groups in the order of the id
/// to call them by.
fn groups(records: Vec<Record>) -> Result<Vec<Group>, BuildError> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut parents: Vec<usize> = Vec::new();
    for record in &records {
        let first = number_of(&record.id, &mut numbers, &mut parents);
        for alias in &record.aliases {
            let other = number_of(alias, &mut numbers, &mut parents);
            let (a, b) = (root(&mut parents, first), root(&mut parents, other));
            parents[a.max(b)] = a.min(b);
        }
    }
    let mut ids: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (id, number) in &numbers {
        ids.entry(root(&mut parents, *number)).or_default().push((*id).to_owned());
    }
    let roots: Vec<usize> = records.iter().map(|r| root(&mut parents, numbers[r.id.as_str()])).collect();
    drop(numbers);
    let mut members: BTreeMap<usize, Vec<Record>> = BTreeMap::new();
    for (record, root) in records.into_iter().zip(roots) {
        members.entry(root).or_default().push(record);
    }
    let mut out = Vec::with_capacity(members.len());
    for (root, records) in members {
        let mut ids = ids.remove(&root).unwrap_or_default();
        if ids.len() > IDS_COUNT_MAX {
            return Err(BuildError::Aliases { id: records[0].id.clone(), count: ids.len() });
        }
        ids.sort_by(|a, b| (rank(a), a).cmp(&(rank(b), b)));
        if records.iter().any(|record| !record.affected.is_empty()) {
            out.push((ids, records));
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}

fn number_of<'a>(id: &'a str, numbers: &mut HashMap<&'a str, usize>, parents: &mut Vec<usize>) -> usize {
    *numbers.entry(id).or_insert_with(|| {
        parents.push(parents.len());
        parents.len() - 1
    })
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

/// By which id people call a vulnerability.
fn rank(id: &str) -> u8 {
    match id.split('-').next().unwrap_or_default() {
        "MAL" => 0,
        "CVE" => 1,
        "GHSA" => 2,
        "PYSEC" | "RUSTSEC" | "GO" => 3,
        _ => 4,
    }
}

/// The vulnerability of a group, and whom it concerns.
fn one(
    (ids, records): (Vec<String>, Vec<Record>),
    kev: &Kev,
    epss: &Epss,
) -> (Vulnerability, BTreeMap<Vec<u8>, Affected>) {
    let weight = |score: &Score| (score.basis != Basis::Word, score.basis != Basis::V2, score.tenths, score.basis);
    let mut summaries: Vec<(u8, &str)> =
        records.iter().filter(|r| !r.summary.is_empty()).map(|r| (rank(&r.id), r.summary.as_str())).collect();
    summaries.sort_unstable();
    let vulnerability = Vulnerability {
        score: records.iter().filter_map(|record| record.score).max_by_key(weight),
        epss_parts: ids.iter().filter_map(|id| epss.scores.get(id)).max().copied(),
        kev: ids.iter().any(|id| kev.ids.contains(id)),
        malicious: records.iter().any(|record| record.malicious),
        summary: summaries.first().map(|(_, summary)| (*summary).to_owned()).unwrap_or_default(),
        ids,
    };
    let mut affected: BTreeMap<Vec<u8>, Affected> = BTreeMap::new();
    for block in records.into_iter().flat_map(|record| record.affected) {
        match affected.entry(name::key(block.ecosystem, &block.name)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(block);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.intervals.extend(block.intervals);
                known.versions.extend(block.versions);
                known.tidy(name::scheme(known.ecosystem));
            }
        }
    }
    (vulnerability, affected)
}

fn package_blocks(packages: &BTreeMap<Vec<u8>, Vec<Listed>>) -> Result<Vec<Block>, BuildError> {
    let mut out: Vec<Block> = Vec::new();
    let mut writer = Writer::default();
    let mut last: &[u8] = &[];
    for (key, listed) in packages {
        if last.is_empty() {
            out.push((key.clone(), Vec::new()));
        }
        write_entry(&mut writer, last, key, listed);
        last = key;
        if writer.0.len() >= BLOCK_BYTES {
            fits(&writer.0, || String::from_utf8_lossy(&key[1..]).into_owned())?;
            out.last_mut().expect("pushed with its first key").1 = std::mem::take(&mut writer.0);
            last = &[];
        }
    }
    if let Some(block) = out.last_mut().filter(|_| !writer.0.is_empty()) {
        block.1 = writer.0;
    }
    Ok(out)
}

fn vulnerability_blocks(vulnerabilities: &[Vulnerability]) -> Result<Vec<(u64, Vec<u8>)>, BuildError> {
    let mut out: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut writer = Writer::default();
    let mut first = 0;
    for (number, vulnerability) in vulnerabilities.iter().enumerate() {
        vulnerability.write(&mut writer);
        if writer.0.len() >= BLOCK_BYTES || number + 1 == vulnerabilities.len() {
            fits(&writer.0, || vulnerability.id().to_owned())?;
            out.push((first, std::mem::take(&mut writer.0)));
            first = number as u64 + 1;
        }
    }
    Ok(out)
}

fn fits(block: &[u8], name: impl Fn() -> String) -> Result<(), BuildError> {
    if block.len() > BLOCK_BYTES_MAX { Err(BuildError::TooLarge { name: name(), bytes: block.len() }) } else { Ok(()) }
}
