//! One OSV record: read, bounded, reduced to what matching needs.
//!
//! In: JSON of one record, from a feed that may be broken or hostile. Out: [`Record`].
//! Spec: Open Source Vulnerability format 1.7.

use mpak_bundle::dependencies::Ecosystem;
use serde::Deserialize;
use serde_json::Value;

use super::interval::{Event, Interval, intervals};
use super::score::{self, Score};
use super::version::Scheme;
use super::{FieldError, date, name};

/// Longest id.
const ID_BYTES_MAX: usize = 128;
/// Longest name of a package.
const NAME_BYTES_MAX: usize = 512;
/// Longest version or bound.
const VERSION_BYTES_MAX: usize = 512;
/// Longest summary that is kept, in characters.
const SUMMARY_CHARS_MAX: usize = 120;
/// Most aliases of one record.
const ALIASES_COUNT_MAX: usize = 1_000;
/// Most packages that one record affects.
const AFFECTED_COUNT_MAX: usize = 20_000;
/// Most events of one range.
const EVENTS_COUNT_MAX: usize = 20_000;
/// Most versions listed for one package.
const VERSIONS_COUNT_MAX: usize = 100_000;

/// What matching needs of one record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) id: String,
    /// RFC 3339, in UTC, as the feed writes it: equal forms compare as texts.
    pub(super) modified: String,
    pub(super) withdrawn: bool,
    pub(super) aliases: Vec<String>,
    pub(super) summary: String,
    pub(super) score: Option<Score>,
    pub(super) malicious: bool,
    pub(super) affected: Vec<Affected>,
    /// Ranges of commits, which say nothing about versions.
    pub(super) git_ranges_count: u64,
    /// Bounds that are no versions of their ecosystem; their ranges are not kept.
    pub(super) bad_bounds_count: u64,
    /// Blocks of other ecosystems.
    pub(super) foreign_count: u64,
}

/// One package of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Affected {
    pub(super) ecosystem: Ecosystem,
    pub(super) name: String,
    pub(super) intervals: Vec<Interval>,
    /// Versions listed one by one that no interval holds.
    pub(super) versions: Vec<String>,
}

#[derive(Deserialize)]
struct Wire {
    id: String,
    modified: Option<String>,
    withdrawn: Option<String>,
    aliases: Option<Vec<String>>,
    summary: Option<String>,
    severity: Option<Vec<WireSeverity>>,
    affected: Option<Vec<WireAffected>>,
    database_specific: Option<Value>,
}

#[derive(Deserialize)]
struct WireSeverity {
    #[serde(rename = "type")]
    kind: String,
    score: Value,
}

#[derive(Deserialize)]
struct WireAffected {
    package: Option<WirePackage>,
    ranges: Option<Vec<WireRange>>,
    versions: Option<Vec<String>>,
    severity: Option<Vec<WireSeverity>>,
    ecosystem_specific: Option<Value>,
    database_specific: Option<Value>,
}

#[derive(Deserialize)]
struct WirePackage {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct WireRange {
    #[serde(rename = "type")]
    kind: String,
    events: Option<Vec<WireEvent>>,
}

#[derive(Deserialize)]
struct WireEvent {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

/// Reads one record.
pub(super) fn read(json: &[u8]) -> Result<Record, FieldError> {
    let wire: Wire = serde_json::from_slice(json).map_err(FieldError::Json)?;
    reduce(wire)
}

fn reduce(wire: Wire) -> Result<Record, FieldError> {
    // 1. Who it is.
    let id = identifier("id", &wire.id)?;
    let modified = match &wire.modified {
        Some(text) => moment("modified", text)?,
        None => date::EARLIEST.to_owned(),
    };
    let aliases = wire.aliases.unwrap_or_default();
    bounded("aliases", aliases.len(), ALIASES_COUNT_MAX)?;
    let aliases = aliases.iter().filter_map(|alias| identifier("aliases", alias).ok()).collect();
    // 2. How bad it is: vectors anywhere in it, else the database's own word.
    let affected = wire.affected.unwrap_or_default();
    bounded("affected", affected.len(), AFFECTED_COUNT_MAX)?;
    let score = severity(wire.severity.as_deref(), wire.database_specific.as_ref(), &affected);
    let malicious =
        id.starts_with("MAL-") || member(wire.database_specific.as_ref(), "malicious-packages-origins").is_some();
    let mut record = Record {
        id,
        modified,
        withdrawn: wire.withdrawn.is_some(),
        aliases,
        summary: summary(wire.summary.as_deref().unwrap_or_default()),
        score,
        malicious,
        affected: Vec::new(),
        git_ranges_count: 0,
        bad_bounds_count: 0,
        foreign_count: 0,
    };
    // 3. Whom it concerns.
    for block in affected {
        record.take(block)?;
    }
    Ok(record)
}

impl Record {
    fn take(&mut self, block: WireAffected) -> Result<(), FieldError> {
        let Some(package) = block.package else { return Ok(()) };
        // Releases of one ecosystem are told apart behind a colon.
        let family = package.ecosystem.split(':').next().unwrap_or_default();
        let Some((ecosystem, scheme)) = name::ecosystem(family) else {
            self.foreign_count += 1;
            return Ok(());
        };
        text("package.name", &package.name, NAME_BYTES_MAX)?;
        let mut affected = Affected {
            ecosystem,
            name: name::normal(ecosystem, &package.name),
            intervals: Vec::new(),
            versions: Vec::new(),
        };
        for range in block.ranges.unwrap_or_default() {
            if range.kind == "GIT" {
                self.git_ranges_count += 1;
                continue;
            }
            let events = range.events.unwrap_or_default();
            bounded("events", events.len(), EVENTS_COUNT_MAX)?;
            let events = events.into_iter().filter_map(event).collect::<Result<Vec<_>, _>>()?;
            match intervals(scheme, &events) {
                Some(found) => affected.intervals.extend(found),
                None => self.bad_bounds_count += 1,
            }
        }
        let versions = block.versions.unwrap_or_default();
        bounded("versions", versions.len(), VERSIONS_COUNT_MAX)?;
        for version in versions {
            // What no component can have matches nothing.
            if text("versions", &version, VERSION_BYTES_MAX).is_ok() {
                affected.versions.push(version);
            }
        }
        affected.tidy(scheme);
        self.affected.push(affected);
        Ok(())
    }
}

impl Affected {
    /// Leaves out what is said twice, and puts the rest in order.
    pub(super) fn tidy(&mut self, scheme: Scheme) {
        super::interval::union(scheme, &mut self.intervals);
        let covered = |version: &String| {
            scheme.key(version).is_some_and(|key| self.intervals.iter().any(|i| i.contains(scheme, &key)))
        };
        self.versions.retain(|version| !covered(version));
        self.versions.sort();
        self.versions.dedup();
    }
}

/// The first member that an event has; one without any says nothing.
fn event(wire: WireEvent) -> Option<Result<Event, FieldError>> {
    type Make = fn(String) -> Event;
    let kinds: [(Option<String>, Make); 4] = [
        (wire.introduced, Event::Introduced),
        (wire.fixed, Event::Fixed),
        (wire.last_affected, Event::LastAffected),
        (wire.limit, Event::Limit),
    ];
    let (version, kind) = kinds.into_iter().find_map(|(version, kind)| Some((version?, kind)))?;
    Some(text("events", &version, VERSION_BYTES_MAX).map(|()| kind(version)))
}

fn severity(own: Option<&[WireSeverity]>, specific: Option<&Value>, affected: &[WireAffected]) -> Option<Score> {
    let mut vectors: Vec<(&str, &str)> = Vec::new();
    let lists = affected.iter().map(|block| block.severity.as_deref());
    for severity in std::iter::once(own).chain(lists).flatten().flatten() {
        if let Some(vector) = severity.score.as_str() {
            vectors.push((&severity.kind, vector));
        }
    }
    score::of_vectors(&vectors).or_else(|| {
        let of_blocks = affected.iter().flat_map(|b| [b.database_specific.as_ref(), b.ecosystem_specific.as_ref()]);
        let words = std::iter::once(specific).chain(of_blocks).filter_map(|v| member(v, "severity")?.as_str());
        words.filter_map(score::of_word).max_by_key(|score| score.tenths)
    })
}

fn member<'a>(value: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    value?.as_object()?.get(name)
}

/// One line, without anything that could act on a terminal, cut to a readable length.
fn summary(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SUMMARY_CHARS_MAX) {
        None => line,
        Some((at, _)) => format!("{}…", &line[..at]),
    }
}

fn identifier(field: &'static str, id: &str) -> Result<String, FieldError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'+');
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(plain) {
        return Err(FieldError::Identifier { field, found: super::clip(id) });
    }
    Ok(id.to_owned())
}

fn text(field: &'static str, text: &str, bytes_max: usize) -> Result<(), FieldError> {
    if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
        return Err(FieldError::Text { field, found: super::clip(text), bytes_max });
    }
    Ok(())
}

fn bounded(field: &'static str, count: usize, count_max: usize) -> Result<(), FieldError> {
    if count > count_max { Err(FieldError::TooMany { field, count, count_max }) } else { Ok(()) }
}

/// A moment in UTC: `2024-01-31T12:00:00Z`, with or without a fraction; of other forms the day.
fn moment(field: &'static str, text: &str) -> Result<String, FieldError> {
    let day = || date::day(text).map(|day| format!("{day}T00:00:00Z"));
    date::moment(text).or_else(day).ok_or_else(|| FieldError::Moment { field, found: super::clip(text) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: &Value) -> Result<Record, FieldError> {
        read(value.to_string().as_bytes())
    }

    fn minimal() -> Value {
        json!({"id": "GHSA-1", "modified": "2024-01-31T12:00:00Z", "affected": [
            {"package": {"ecosystem": "npm", "name": "a"}, "ranges": [
                {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]})
    }

    #[test]
    fn what_matching_needs_is_kept() {
        let mut value = minimal();
        value["summary"] = json!("a\n\u{1b}[31m  b");
        value["aliases"] = json!(["CVE-2024-1"]);
        value["unknown"] = json!([1, {"x": null}]);
        value["affected"][0]["versions"] = json!(["1.0.0", "2.5.0", "2.5.0"]);
        value["affected"][0]["ranges"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}));
        value["affected"].as_array_mut().unwrap().push(json!({"package": {"ecosystem": "Debian:12", "name": "x"}}));
        let record = record(&value).unwrap();
        assert_eq!(record.summary, "a [31m b");
        assert_eq!((record.git_ranges_count, record.foreign_count, record.bad_bounds_count), (1, 1, 0));
        let affected = &record.affected[0];
        assert_eq!((affected.name.as_str(), affected.intervals.len()), ("a", 1));
        assert_eq!(affected.versions, ["2.5.0"], "what an interval holds is not listed again");
    }

    #[test]
    fn how_bad_comes_from_vectors_first() {
        let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        for (change, expected) in [
            (json!({}), None),
            (json!({"severity": [{"type": "CVSS_V3", "score": vector}]}), Some(98)),
            (json!({"severity": [{"type": "Ubuntu", "score": "high"}]}), None),
            (json!({"severity": [{"type": "CVSS_V3", "score": "nonsense"}]}), None),
            (json!({"database_specific": {"severity": "MODERATE"}}), Some(40)),
            (
                json!({"database_specific": {"severity": "CRITICAL"}, "severity": [{"type": "CVSS_V3", "score": vector}]}),
                Some(98),
            ),
            (json!({"database_specific": "odd"}), None),
        ] {
            let mut value = minimal();
            for (name, member) in change.as_object().unwrap() {
                value[name] = member.clone();
            }
            assert_eq!(record(&value).unwrap().score.map(|s| s.tenths), expected, "{change}");
        }
    }

    #[test]
    fn malicious_packages_are_known_by_id_or_origin() {
        let mut value = minimal();
        assert!(!record(&value).unwrap().malicious);
        value["database_specific"] = json!({"malicious-packages-origins": []});
        assert!(record(&value).unwrap().malicious);
        let mut value = minimal();
        value["id"] = json!("MAL-2024-1");
        assert!(record(&value).unwrap().malicious);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_and_named() {
        let with = |path: &str, value: Value| {
            let mut wire = minimal();
            *wire.pointer_mut(path).unwrap() = value;
            record(&wire).unwrap_err().to_string()
        };
        let many: Vec<String> = (0..=ALIASES_COUNT_MAX).map(|i| format!("CVE-{i}")).collect();
        assert!(with("/id", json!("")).contains("`id`"));
        assert!(with("/id", json!("a b")).contains("`id`"));
        assert!(with("/modified", json!("yesterday")).contains("`modified`"));
        assert!(with("/affected/0/package/name", json!("x".repeat(600))).contains("`package.name`"));
        assert!(with("/affected/0/package/name", json!("a\u{0}")).contains("`package.name`"));
        let mut wire = minimal();
        wire["aliases"] = json!(many);
        assert!(record(&wire).unwrap_err().to_string().contains("1001"));
        assert!(read(b"[]").is_err() && read(b"{").is_err() && read(b"\xff").is_err());
        let deep = format!("{{\"id\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(deep.as_bytes()).is_err());
    }
}
