//! Looking components up: what a snapshot says about each of them.

use mpak_bundle::dependencies::{Component, Ecosystem};

use super::feeds::EPSS_PARTS;
use super::interval::{Interval, Upper};
use super::name;
use super::score::{Basis, Score};
use super::snapshot::{Snapshot, SnapshotError};
use super::version::{Key, Scheme};
use super::wire::{Reader, Writer};

/// One vulnerability under all its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vulnerability {
    /// Ids of all databases; the first is the one to call it by.
    pub ids: Vec<String>,
    /// How bad it is.
    pub score: Option<Score>,
    /// Probability of exploitation in hundred-thousandths; `None` where nobody computed one.
    pub epss_parts: Option<u32>,
    /// Whether it is known to be exploited.
    pub kev: bool,
    /// Whether the package was made to do harm.
    pub malicious: bool,
    /// One line.
    pub summary: String,
}

impl Vulnerability {
    /// The id to call it by.
    pub fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// Probability of exploitation, 0 to 1.
    pub fn epss(&self) -> Option<f64> {
        self.epss_parts.map(|parts| f64::from(parts) / EPSS_PARTS)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(self.ids.len() as u64);
        self.ids.iter().for_each(|id| writer.text(id));
        let basis = self.score.map_or(0, |s| 1 + Basis::ALL.iter().position(|b| *b == s.basis).expect("it is listed"));
        writer.number(basis as u64);
        writer.number(u64::from(self.score.map_or(0, |s| s.tenths)));
        writer.number(u64::from(self.kev) | u64::from(self.malicious) << 1 | u64::from(self.epss_parts.is_some()) << 2);
        if let Some(parts) = self.epss_parts {
            writer.number(u64::from(parts));
        }
        writer.text(&self.summary);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.count()?;
        let ids = (0..count).map(|_| reader.text().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
        let basis = usize::try_from(reader.number()?).ok()?;
        let tenths = u8::try_from(reader.number()?).ok().filter(|tenths| *tenths <= 100)?;
        let score = match basis.checked_sub(1) {
            None => None,
            Some(at) => Some(Score { tenths, basis: *Basis::ALL.get(at)? }),
        };
        let flags = reader.number().filter(|flags| *flags < 8)?;
        let epss_parts =
            if flags & 4 == 0 { None } else { Some(u32::try_from(reader.number()?).ok().filter(|p| *p <= 100_000)?) };
        let summary = reader.text()?.to_owned();
        (!ids.is_empty()).then_some(Self {
            ids,
            score,
            epss_parts,
            kev: flags & 1 != 0,
            malicious: flags & 2 != 0,
            summary,
        })
    }
}

/// Why it cannot be said whether a version is affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// The advisory names commits only, or nothing.
    NoVersions,
    /// The component's version is no version of its ecosystem.
    NotAVersion,
}

/// One vulnerability of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which of the components that were asked for.
    pub component: usize,
    /// What is published.
    pub vulnerability: Vulnerability,
    /// The lowest version above the component's that is good by every advisory that counts it among the affected.
    pub fixed: Option<String>,
    /// `None`: the version is affected.
    pub doubt: Option<Doubt>,
}

/// What a snapshot says about a bundle's components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The day of the snapshot.
    pub date: String,
    /// The day of the probabilities of exploitation.
    pub epss_date: Option<String>,
    /// The day of the list of known exploited vulnerabilities.
    pub kev_date: Option<String>,
    /// Whether somebody signed it.
    pub signed: bool,
    /// Everything that was looked up.
    pub components: Vec<Component>,
    /// By component, then by id.
    pub matches: Vec<Match>,
}

/// What a snapshot says about one package.
pub(super) struct Listed {
    pub(super) vulnerability: u64,
    pub(super) intervals: Vec<Interval>,
    pub(super) versions: Vec<String>,
}

impl Listed {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(self.vulnerability);
        writer.number(self.intervals.len() as u64);
        for Interval { lower, upper } in &self.intervals {
            let (kind, end) = match upper {
                Upper::None => (0, None),
                Upper::Fixed(end) => (1, Some(end)),
                Upper::LastAffected(end) => (2, Some(end)),
                Upper::Limit(end) => (3, Some(end)),
            };
            writer.number(kind << 1 | u64::from(lower.is_some()));
            lower.iter().chain(end).for_each(|bound| writer.text(bound));
        }
        writer.number(self.versions.len() as u64);
        self.versions.iter().for_each(|version| writer.text(version));
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let vulnerability = reader.number()?;
        let count = reader.count()?;
        let mut intervals = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let kind = reader.number()?;
            let lower = if kind & 1 == 0 { None } else { Some(reader.text()?.to_owned()) };
            let upper = match kind >> 1 {
                0 => Upper::None,
                1 => Upper::Fixed(reader.text()?.to_owned()),
                2 => Upper::LastAffected(reader.text()?.to_owned()),
                3 => Upper::Limit(reader.text()?.to_owned()),
                _ => return None,
            };
            intervals.push(Interval { lower, upper });
        }
        let count = reader.count()?;
        let versions = (0..count).map(|_| reader.text().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
        Some(Self { vulnerability, intervals, versions })
    }

    /// Whether a version is affected, and from which version on it is not; `None`: it is not.
    fn judge(&self, scheme: Scheme, version: &str, key: Option<&Key>) -> Option<(Option<String>, Option<Doubt>)> {
        let listed = |text: &String| text == version || (key.is_some() && scheme.key(text).as_ref() == key);
        if self.intervals.is_empty() && self.versions.is_empty() {
            return Some((None, Some(Doubt::NoVersions)));
        }
        let holding: Vec<&Interval> = match key {
            Some(key) => self.intervals.iter().filter(|i| i.contains(scheme, key)).collect(),
            None => self.intervals.iter().filter(|i| i.is_everything()).collect(),
        };
        if holding.is_empty() {
            return match key {
                _ if self.versions.iter().any(listed) => Some((None, None)),
                None if !self.intervals.is_empty() => Some((None, Some(Doubt::NotAVersion))),
                _ => None,
            };
        }
        Some((fixed(scheme, &holding), None))
    }
}

/// The highest of the ends; none where an interval has no version that is known to be good.
fn fixed(scheme: Scheme, holding: &[&Interval]) -> Option<String> {
    let ends = holding.iter().map(|interval| match &interval.upper {
        Upper::Fixed(end) => Some(end),
        Upper::None | Upper::LastAffected(_) | Upper::Limit(_) => None,
    });
    let ends = ends.collect::<Option<Vec<_>>>()?;
    ends.into_iter().max_by_key(|end| scheme.key(end)).cloned()
}

impl Snapshot {
    /// Looks components up.
    ///
    /// # Errors
    /// [`SnapshotError`] of a damaged block.
    pub fn find(&self, components: &[Component]) -> Result<Found, SnapshotError> {
        // 1. Packages in the order of the file, so that each block is read once.
        let mut wanted: Vec<(Vec<u8>, usize)> =
            components.iter().enumerate().map(|(i, c)| (name::key(c.ecosystem, &c.name), i)).collect();
        wanted.sort();
        let mut hits: Vec<(u64, usize, Option<String>, Option<Doubt>)> = Vec::new();
        let mut loaded: Option<(usize, Vec<u8>)> = None;
        for (key, component) in &wanted {
            let Some(number) = self.package_block_of(key) else { continue };
            if loaded.as_ref().is_none_or(|(at, _)| *at != number) {
                loaded = Some((number, self.package_block(number)?));
            }
            let block = loaded.as_ref().map_or(&[][..], |(_, block)| block);
            let listed = package(block, key).ok_or(SnapshotError::BlockForm { number })?;
            let Component { ecosystem, version, .. } = &components[*component];
            hits.extend(judged(*ecosystem, version, &listed).map(|(v, fixed, doubt)| (v, *component, fixed, doubt)));
        }
        // 2. What they lead to, likewise.
        hits.sort();
        let mut matches = Vec::with_capacity(hits.len());
        let mut loaded: Option<(usize, Vec<Vulnerability>)> = None;
        for (number, component, fixed, doubt) in hits {
            let missing = SnapshotError::BlockForm { number: self.package_blocks() };
            let block = self.vulnerability_block_of(number).ok_or(missing)?;
            if loaded.as_ref().is_none_or(|(at, _)| *at != block) {
                loaded = Some((block, self.vulnerabilities(block)?));
            }
            let at = usize::try_from(number - self.first_vulnerability(block)).unwrap_or(usize::MAX);
            let vulnerability = loaded.as_ref().and_then(|(_, known)| known.get(at)).cloned();
            let broken = SnapshotError::BlockForm { number: self.package_blocks() + block };
            matches.push(Match { component, vulnerability: vulnerability.ok_or(broken)?, fixed, doubt });
        }
        matches.sort_by(|a, b| (a.component, a.vulnerability.id()).cmp(&(b.component, b.vulnerability.id())));
        let head = self.head();
        let date = |feed: &Option<super::Feed>| feed.as_ref().and_then(|feed| feed.date.clone());
        Ok(Found {
            date: head.date.clone(),
            epss_date: date(&head.epss),
            kev_date: date(&head.kev),
            signed: self.signer().is_some(),
            components: components.to_vec(),
            matches,
        })
    }

    /// Reads every block to its end: proves that the whole file is sound.
    ///
    /// # Errors
    /// [`SnapshotError`] of the first damaged block.
    pub fn verify(&self) -> Result<(), SnapshotError> {
        let mut known = 0;
        for block in 0..self.vulnerability_blocks() {
            let number = self.package_blocks() + block;
            if self.first_vulnerability(block) != known {
                return Err(SnapshotError::BlockForm { number });
            }
            known += self.vulnerabilities(block)?.len() as u64;
        }
        for number in 0..self.package_blocks() {
            let block = self.package_block(number)?;
            let malformed = SnapshotError::BlockForm { number };
            let mut entries = Entries::new(&block);
            let mut last: Option<Vec<u8>> = None;
            while let Some(listed) = entries.next_entry(true) {
                let Some(listed) = listed else { return Err(malformed) };
                let rises = last.as_ref().is_none_or(|last| *last < entries.key);
                let first = last.is_some() || entries.key == self.first_package(number);
                if !rises || !first || listed.iter().any(|l| l.vulnerability >= known) {
                    return Err(malformed);
                }
                last = Some(entries.key.clone());
            }
        }
        let mut published = 0;
        for number in 0..self.published_blocks() {
            self.published_block(number, &|_, _| false, &mut |_, _| published += 1)?;
        }
        if published != self.head().published_count {
            return Err(SnapshotError::HeadForm { part: "the number of packages whose files are known" });
        }
        Ok(())
    }

    fn vulnerabilities(&self, block: usize) -> Result<Vec<Vulnerability>, SnapshotError> {
        let bytes = self.vulnerability_block(block)?;
        let mut reader = Reader::new(&bytes);
        let mut out = Vec::new();
        while !reader.is_empty() {
            let malformed = SnapshotError::BlockForm { number: self.package_blocks() + block };
            out.push(Vulnerability::read(&mut reader).ok_or(malformed)?);
        }
        Ok(out)
    }
}

/// What of a package's list applies to a version.
fn judged(
    ecosystem: Ecosystem,
    version: &str,
    listed: &[Listed],
) -> impl Iterator<Item = (u64, Option<String>, Option<Doubt>)> {
    let scheme = name::scheme(ecosystem);
    let key = if listed.is_empty() { None } else { scheme.key(version) };
    listed.iter().filter_map(move |one| {
        let (fixed, doubt) = one.judge(scheme, version, key.as_ref())?;
        Some((one.vulnerability, fixed, doubt))
    })
}

/// The list of one package in a block; empty if it is not there, `None` if the block is malformed.
fn package(block: &[u8], key: &[u8]) -> Option<Vec<Listed>> {
    let mut entries = Entries::new(block);
    loop {
        match entries.next_entry(false) {
            None => return Some(Vec::new()),
            Some(None) => return None,
            Some(Some(_)) if entries.key == key => return entries.body(),
            Some(Some(_)) if entries.key.as_slice() > key => return Some(Vec::new()),
            Some(Some(_)) => {}
        }
    }
}

/// Entries of a package block: the key without what it shares with the one before, then the list.
struct Entries<'a> {
    reader: Reader<'a>,
    key: Vec<u8>,
    body: &'a [u8],
}

impl<'a> Entries<'a> {
    fn new(block: &'a [u8]) -> Self {
        Self { reader: Reader::new(block), key: Vec::new(), body: &[] }
    }

    /// The next entry, with its list if that is wanted; `Some(None)` where the block is malformed.
    #[expect(clippy::option_option, reason = "no entry, and an entry that cannot be read, are two things")]
    fn next_entry(&mut self, with_list: bool) -> Option<Option<Vec<Listed>>> {
        (!self.reader.is_empty()).then(|| {
            self.advance()?;
            if with_list { self.body() } else { Some(Vec::new()) }
        })
    }

    fn advance(&mut self) -> Option<()> {
        let shared = usize::try_from(self.reader.number()?).ok().filter(|shared| *shared <= self.key.len())?;
        self.key.truncate(shared);
        self.key.extend_from_slice(self.reader.bytes()?);
        self.body = self.reader.bytes()?;
        Some(())
    }

    fn body(&self) -> Option<Vec<Listed>> {
        let mut reader = Reader::new(self.body);
        let mut out = Vec::new();
        while !reader.is_empty() {
            out.push(Listed::read(&mut reader)?);
        }
        Some(out)
    }
}

/// Writes one entry behind `last`.
pub(super) fn write_entry(writer: &mut Writer, last: &[u8], key: &[u8], listed: &[Listed]) {
    let shared = last.iter().zip(key).take_while(|(a, b)| a == b).count();
    writer.number(shared as u64);
    writer.bytes(&key[shared..]);
    let mut body = Writer::default();
    listed.iter().for_each(|one| one.write(&mut body));
    writer.bytes(&body.0);
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{Head, write};
    use super::*;

    fn component(name: &str, version: &str) -> Component {
        Component {
            ecosystem: Ecosystem::Npm,
            name: name.to_owned(),
            version: version.to_owned(),
            license: None,
            found_in: String::new(),
        }
    }

    fn head() -> Head {
        Head { date: "2024-01-31".into(), newest: "2024-01-31T00:00:00Z".into(), ..Head::default() }
    }

    /// A package block of `a`, `ab` and `b`, and the vulnerabilities that it names.
    fn blocks() -> (Vec<u8>, Vec<u8>) {
        let mut packages = Writer::default();
        let mut last: Vec<u8> = Vec::new();
        for (number, name) in ["a", "ab", "b"].into_iter().enumerate() {
            let listed = Listed {
                vulnerability: number as u64,
                intervals: vec![
                    Interval { lower: None, upper: Upper::Fixed("1.0.0".into()) },
                    Interval { lower: Some("2.0.0".into()), upper: Upper::LastAffected("2.5.0".into()) },
                ],
                versions: vec!["3.0.0".into()],
            };
            let key = name::key(Ecosystem::Npm, name);
            write_entry(&mut packages, &last, &key, &[listed]);
            last = key;
        }
        let mut vulnerabilities = Writer::default();
        for number in 0..3 {
            let score = Some(Score { tenths: 98, basis: Basis::V31 });
            let ids = vec![format!("CVE-2024-{number}"), format!("GHSA-{number}")];
            let summary = "a summary".to_owned();
            Vulnerability { ids, score, epss_parts: Some(94_358), kev: true, malicious: false, summary }
                .write(&mut vulnerabilities);
        }
        (packages.0, vulnerabilities.0)
    }

    fn snapshot(packages: Vec<u8>, vulnerabilities: Vec<u8>) -> Snapshot {
        let first = name::key(Ecosystem::Npm, "a");
        Snapshot::from_bytes(write(&head(), &[(first, packages)], &[(0, vulnerabilities)], &[], None))
            .expect("a sound head")
    }

    #[test]
    fn components_are_found_with_what_repairs_them() {
        let (packages, vulnerabilities) = blocks();
        let snapshot = snapshot(packages, vulnerabilities);
        snapshot.verify().unwrap();
        for (name, version, expected) in [
            ("a", "0.5.0", Some((Some("1.0.0"), None))),
            ("ab", "2.5.0", Some((None, None))),
            ("b", "3.0.0", Some((None, None))),
            ("b", "latest", Some((None, Some(Doubt::NotAVersion)))),
            ("b", "1.5.0", None),
            ("aa", "0.5.0", None),
            ("0", "0.5.0", None),
            ("zzz", "0.5.0", None),
            ("", "", None),
        ] {
            let found = snapshot.find(&[component(name, version)]).unwrap();
            let found = found.matches.first().map(|m| (m.fixed.as_deref(), m.doubt));
            assert_eq!(found, expected, "{name} {version}");
        }
    }

    #[test]
    fn many_components_are_found_at_once() {
        let (packages, vulnerabilities) = blocks();
        let components: Vec<Component> = ["b", "x", "a", "ab", "a"].map(|name| component(name, "0.1.0")).into();
        let found = snapshot(packages, vulnerabilities).find(&components).unwrap();
        let ids: Vec<(usize, &str)> = found.matches.iter().map(|m| (m.component, m.vulnerability.id())).collect();
        assert_eq!(ids, [(0, "CVE-2024-2"), (2, "CVE-2024-0"), (3, "CVE-2024-1"), (4, "CVE-2024-0")]);
    }

    /// Digests only say that a file is what its maker wrote, and its maker may be hostile.
    #[test]
    fn malformed_blocks_with_right_digests_are_refused_or_harmless() {
        let (packages, vulnerabilities) = blocks();
        let components = ["a", "ab", "b"].map(|name| component(name, "0.5.0"));
        let mut refused = 0;
        for (which, length) in [(0, packages.len()), (1, vulnerabilities.len())] {
            for at in 0..length {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut blocks = [packages.clone(), vulnerabilities.clone()];
                    blocks[which][at] = value;
                    blocks[which].truncate(if value == 0xff { at + 1 } else { length });
                    let [packages, vulnerabilities] = blocks;
                    let snapshot = snapshot(packages, vulnerabilities);
                    refused +=
                        usize::from(snapshot.find(&components).is_err()) + usize::from(snapshot.verify().is_err());
                }
            }
        }
        assert!(refused > 500, "{refused}");
    }
}
