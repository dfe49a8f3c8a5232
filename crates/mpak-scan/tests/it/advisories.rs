//! Snapshots of advisories: built from feeds in every form, looked up in, refused when damaged; compared
//! with an oracle that knows nothing of our code over the real records of `../shared/dev-data`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use mpak_bundle::dependencies::{Component, Ecosystem};
use mpak_scan::advisories::{Builder, Built, Found, SigningKey, Snapshot};
use mpak_testkit::zip::ZipBuilder;
use pep440_rs::Version;
use serde_json::{Value, json};

/// RFC 8032 §7.1, test 1.
const SEED: &[u8] = b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

/// A record of a package in which versions below 2.0.0 are affected.
pub(crate) fn record(id: &str, ecosystem: &str, name: &str) -> Value {
    json!({"id": id, "modified": "2024-01-31T12:00:00Z", "summary": "something bad", "affected": [{
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": if ecosystem == "PyPI" { "ECOSYSTEM" } else { "SEMVER" },
            "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]})
}

/// Feeds in a folder.
pub(crate) struct Feeds {
    folder: tempfile::TempDir,
    builder: Builder,
}

impl Feeds {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("what the test made itself"), builder: Builder::new() }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("what the test made itself")).expect("what the test made itself");
        fs::write(&path, content).expect("what the test made itself");
        path
    }

    pub(crate) fn osv(mut self, records: &[Value]) -> Self {
        let path = self.file("osv.json", &serde_json::to_vec(records).expect("what the test made itself"));
        self.builder.osv(&path).expect("what the test made itself");
        self
    }

    pub(crate) fn kev(mut self, ids: &[&str]) -> Self {
        let entries: Vec<Value> = ids.iter().map(|id| json!({"cveID": id})).collect();
        let json = json!({"dateReleased": "2024-02-01T00:00:00Z", "vulnerabilities": entries});
        let path = self.file("kev.json", json.to_string().as_bytes());
        self.builder.kev(&path).expect("what the test made itself");
        self
    }

    pub(crate) fn epss(mut self, rows: &str) -> Self {
        let text = format!("#model_version:v1,score_date:2024-02-02T00:00:00+0000\ncve,epss,percentile\n{rows}");
        let path = self.file("epss.csv", text.as_bytes());
        self.builder.epss(&path).expect("what the test made itself");
        self
    }

    pub(crate) fn packages(mut self, archives: &[(&str, &[u8])]) -> Self {
        for (name, bytes) in archives {
            self.file(&format!("packages/deep/{name}"), bytes);
        }
        self.file("packages/README", b"no package");
        self.builder.packages(&self.folder.path().join("packages")).expect("what the test made itself");
        self
    }

    pub(crate) fn build(self, key: Option<&SigningKey>) -> Built {
        self.builder.finish(None, key).expect("what the test made itself")
    }

    pub(crate) fn snapshot(self) -> Snapshot {
        let snapshot = Snapshot::from_bytes(self.build(None).bytes).expect("what the test made itself");
        snapshot.verify().expect("what the test made itself");
        snapshot
    }
}

fn component(ecosystem: Ecosystem, name: &str, version: &str) -> Component {
    Component { ecosystem, name: name.into(), version: version.into(), license: None, found_in: "x".into() }
}

fn look_up(snapshot: &Snapshot, ecosystem: Ecosystem, name: &str, version: &str) -> Found {
    snapshot.find(&[component(ecosystem, name, version)]).expect("what the test made itself")
}

/// A record of a package in which versions from one on are affected, below another.
fn between(id: &str, ecosystem: &str, name: &str, introduced: &str, fixed: &str) -> Value {
    let mut record = record(id, ecosystem, name);
    record["affected"][0]["ranges"][0]["events"] = json!([{"introduced": introduced}, {"fixed": fixed}]);
    record
}

#[test]
fn modules_of_go_are_looked_up_by_its_rules() {
    let snapshot = Feeds::new()
        .osv(&[
            between("GO-2024-1", "Go", "example.com/Acme/mod", "1.2.0", "1.4.1"),
            between("GO-2024-2", "Go", "example.com/Acme/mod/v2", "0", "2.0.0-20240101000000-abcdefabcdef"),
            between("GO-2024-3", "Go", "stdlib", "1.21.0-0", "1.21.8"),
        ])
        .snapshot();
    for (name, version, expected) in [
        ("example.com/Acme/mod", "v1.2.0", Some(("GO-2024-1", "1.4.1"))),
        ("example.com/Acme/mod", "v1.4.0", Some(("GO-2024-1", "1.4.1"))),
        // A pseudo-version and a pre-release stand before their release; build metadata does not count.
        ("example.com/Acme/mod", "v1.4.1-0.20240102030405-abcdefabcdef", Some(("GO-2024-1", "1.4.1"))),
        ("example.com/Acme/mod", "v1.4.1-rc.1", Some(("GO-2024-1", "1.4.1"))),
        ("example.com/Acme/mod", "v1.4.1+incompatible", None),
        ("example.com/Acme/mod", "v1.4.1", None),
        ("example.com/Acme/mod", "v1.1.9", None),
        // Paths are exact, and each major version has its own.
        ("example.com/acme/mod", "v1.3.0", None),
        (
            "example.com/Acme/mod/v2",
            "v2.0.0-20231231235959-abcdefabcdef",
            Some(("GO-2024-2", "2.0.0-20240101000000-abcdefabcdef")),
        ),
        ("example.com/Acme/mod/v2", "v2.0.0-20240101000001-000000000000", None),
        ("stdlib", "1.21.7", Some(("GO-2024-3", "1.21.8"))),
        ("stdlib", "1.21.8", None),
        ("stdlib", "1.20.14", None),
    ] {
        let found = look_up(&snapshot, Ecosystem::Golang, name, version);
        let seen = found.matches.first().map(|m| (m.vulnerability.id(), m.fixed.as_deref().unwrap_or_default()));
        assert_eq!(seen, expected, "{name} {version}");
        assert!(found.matches.len() <= 1 && found.matches.iter().all(|m| m.doubt.is_none()), "{name} {version}");
    }
}

#[test]
fn crates_are_looked_up_by_their_rules() {
    let mut two = between("RUSTSEC-2024-1", "crates.io", "acme-core", "0.0.0-0", "0.3.5");
    two["affected"][0]["ranges"][0]["events"] = json!([{"introduced": "0.0.0-0"}, {"fixed": "0.3.5"},
        {"introduced": "0.4.0"}, {"fixed": "0.4.2"}]);
    let mut listed = record("RUSTSEC-2024-2", "crates.io", "acme-net");
    listed["affected"][0]["ranges"] = json!([]);
    listed["affected"][0]["versions"] = json!(["1.0.0", "1.0.1"]);
    let snapshot = Feeds::new().osv(&[two, listed]).snapshot();
    for (name, version, expected) in [
        ("acme-core", "0.3.4", Some("RUSTSEC-2024-1")),
        ("acme-core", "0.0.1-alpha.1", Some("RUSTSEC-2024-1")),
        ("acme-core", "0.3.5", None),
        ("acme-core", "0.4.0", Some("RUSTSEC-2024-1")),
        ("acme-core", "0.4.2-rc.1", Some("RUSTSEC-2024-1")),
        ("acme-core", "0.4.2", None),
        ("acme-core", "0.4.1+build.7", Some("RUSTSEC-2024-1")),
        // Crates do not tell `-` from `_`, nor case.
        ("acme_core", "0.4.1", Some("RUSTSEC-2024-1")),
        ("Acme_Core", "0.4.1", Some("RUSTSEC-2024-1")),
        ("acmecore", "0.4.1", None),
        ("acme-net", "1.0.1", Some("RUSTSEC-2024-2")),
        ("acme-net", "1.0.2", None),
    ] {
        let found = look_up(&snapshot, Ecosystem::Cargo, name, version);
        assert_eq!(found.matches.first().map(|m| m.vulnerability.id()), expected, "{name} {version}");
    }
}

#[test]
fn a_name_is_looked_up_in_its_own_ecosystem_only() {
    let all = [
        ("npm", Ecosystem::Npm, "1.0.0"),
        ("PyPI", Ecosystem::Pypi, "1.0"),
        ("Go", Ecosystem::Golang, "v1.0.0"),
        ("crates.io", Ecosystem::Cargo, "1.0.0"),
    ];
    for (osv, _, _) in all {
        let snapshot = Feeds::new().osv(&[record("GHSA-1", osv, "same")]).snapshot();
        let hit: Vec<&str> = all
            .into_iter()
            .filter(|(_, ecosystem, version)| !look_up(&snapshot, *ecosystem, "same", version).matches.is_empty())
            .map(|(name, _, _)| name)
            .collect();
        assert_eq!(hit, [osv]);
    }
}

#[test]
fn all_forms_and_orders_of_equal_feeds_give_equal_bytes() {
    let feeds = Feeds::new();
    let records: Vec<Value> = (0..40)
        .map(|i| record(&format!("GHSA-{i:02}"), ["npm", "PyPI", "Go", "crates.io"][i % 4], &format!("p{}", i / 3)))
        .collect();
    let lines = |records: &mut dyn Iterator<Item = &Value>| -> Vec<u8> {
        records.flat_map(|r| format!("{r}\n").into_bytes()).collect()
    };
    let forward = lines(&mut records.iter());
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&forward).expect("what the test made itself");
    let mut zip = ZipBuilder::default();
    for record in &records {
        zip.file(
            format!("{}.json", record["id"].as_str().expect("what the test made itself")),
            serde_json::to_vec_pretty(record).expect("what the test made itself"),
        );
    }
    let pretty: Vec<u8> =
        records.iter().flat_map(|r| serde_json::to_vec_pretty(r).expect("what the test made itself")).collect();
    let mut forms = vec![
        feeds.file("a.jsonl", &forward),
        feeds.file("b.jsonl", &lines(&mut records.iter().rev())),
        feeds.file("c", &packed.finish().expect("what the test made itself")),
        feeds.file("d.zip", &zip.build()),
        feeds.file("e.json", &serde_json::to_vec_pretty(&records).expect("what the test made itself")),
        feeds.file("f.json", &pretty),
    ];
    for record in &records {
        feeds.file(
            &format!("folder/in/{}.json", record["id"].as_str().expect("what the test made itself")),
            record.to_string().as_bytes(),
        );
    }
    feeds.file("folder/README.md", b"not a feed");
    forms.push(feeds.folder.path().join("folder"));
    let build = |path: &Path| {
        let mut builder = Builder::new();
        builder.osv(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        builder.finish(None, None).expect("what the test made itself").bytes
    };
    let expected = build(&forms[0]);
    for form in &forms {
        assert!(build(form) == expected, "{}", form.display());
    }
}

#[test]
fn feeds_that_are_broken_are_refused_and_named() {
    let feeds = Feeds::new();
    let good = record("GHSA-1", "npm", "a").to_string();
    for (content, expected) in [
        (b"{".to_vec(), "is not JSON"),
        (b"[{}]".to_vec(), "record 1"),
        (format!("{good}\n{{\"id\":1}}\n").into_bytes(), "record 2"),
        (format!("{good}\nnonsense\n").into_bytes(), "record 2"),
        (b"PK\x03\x04nonsense".to_vec(), "zip"),
        (b"\x1f\x8bnonsense".to_vec(), "cannot read"),
        (vec![0xff; 100], "is not JSON"),
    ] {
        let path = feeds.file("bad", &content);
        let error = Builder::new().strict(true).osv(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let path = feeds.file("bad", format!("{good}\n{{\"id\":1}}\n").as_bytes());
    let mut tolerant = Builder::new();
    tolerant.osv(&path).expect("what the test made itself");
    let built = tolerant.finish(None, None).expect("what the test made itself");
    assert_eq!((built.head.records_count, built.head.unreadable_count, built.unreadable.len()), (1, 1, 1));
    assert!(Builder::new().osv(Path::new("/does/not/exist")).is_err());
    assert!(Builder::new().finish(None, None).is_err());
}

#[test]
fn a_damaged_snapshot_is_refused_wherever_the_damage_is() {
    for key in [None, Some(SigningKey::read(SEED).expect("what the test made itself"))] {
        let built =
            Feeds::new().osv(&[record("GHSA-1", "npm", "a"), record("GHSA-2", "PyPI", "b")]).build(key.as_ref());
        let open = |bytes: Vec<u8>| Snapshot::from_bytes(bytes).and_then(|snapshot| snapshot.verify());
        open(built.bytes.clone()).expect("what the test made itself");
        for at in 0..built.bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = built.bytes.clone();
                bytes[at] ^= flip;
                assert!(open(bytes).is_err(), "byte {at} ^ {flip}");
            }
            assert!(open(built.bytes[..at].to_vec()).is_err(), "cut at {at}");
        }
        assert!(open([built.bytes.as_slice(), b"x"].concat()).is_err());
    }
}

#[test]
fn a_look_up_in_a_damaged_block_says_so_and_others_do_not_care() {
    let records: Vec<Value> =
        (0..2_000).map(|i| record(&format!("GHSA-{i:04}"), "npm", &format!("package-{i:04}"))).collect();
    let bytes = Feeds::new().osv(&records).build(None).bytes;
    let at = bytes.windows(12).position(|w| w == b"package-0000").expect("the first name is whole in the index");
    let data = bytes[at + 12..].windows(12).position(|w| w == b"package-0000").expect("and in its block") + at + 12;
    let mut damaged = bytes;
    damaged[data] ^= 1;
    let snapshot = Snapshot::from_bytes(damaged).expect("what the test made itself");
    assert!(snapshot.find(&[component(Ecosystem::Npm, "package-0001", "1.0.0")]).is_err());
    assert_eq!(look_up(&snapshot, Ecosystem::Npm, "package-1999", "1.0.0").matches.len(), 1);
}

#[test]
fn the_signature_names_its_key_and_the_date_is_of_the_data() {
    let key = SigningKey::read(SEED).expect("what the test made itself");
    let feeds = || Feeds::new().osv(&[record("GHSA-1", "npm", "a")]).kev(&["CVE-2024-1"]).epss("CVE-2024-1,0.5,0.9\n");
    let snapshot = Snapshot::from_bytes(feeds().build(Some(&key)).bytes).expect("what the test made itself");
    assert_eq!(snapshot.signer(), Some(key.public()));
    assert_eq!(snapshot.head().date, "2024-02-02");
    assert!(feeds().build(Some(&key)).bytes == feeds().build(Some(&key)).bytes);
    let older = feeds().builder.finish(Some("2023-12-31"), None).expect("what the test made itself");
    let older = Snapshot::from_bytes(older.bytes).expect("what the test made itself");
    assert!(older.is_older_than(&snapshot) && !snapshot.is_older_than(&older) && !older.is_older_than(&older));
    assert!(older.signer().is_none());
    for bad in ["2024-02-30", "today", "2024-1-1", ""] {
        assert!(feeds().builder.finish(Some(bad), None).is_err(), "{bad}");
    }
}

#[test]
fn aliases_lead_to_one_vulnerability_with_everything_that_is_known_of_it() {
    let vector = json!([{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]);
    let mut ghsa = record("GHSA-1", "PyPI", "Some.Package");
    ghsa["aliases"] = json!(["CVE-2024-1"]);
    ghsa["severity"] = vector;
    let mut pysec = record("PYSEC-2024-1", "PyPI", "some-package");
    pysec["aliases"] = json!(["GHSA-1"]);
    pysec["affected"][0]["ranges"][0]["events"][1]["fixed"] = json!("2.0.1");
    let mut withdrawn = record("GHSA-2", "PyPI", "some-package");
    withdrawn["withdrawn"] = json!("2024-01-01T00:00:00Z");
    let snapshot =
        Feeds::new().osv(&[ghsa, pysec, withdrawn]).kev(&["CVE-2024-1"]).epss("CVE-2024-1,0.25,0.9\n").snapshot();
    assert_eq!((snapshot.head().withdrawn_count, snapshot.head().vulnerabilities_count), (1, 1));
    let found = look_up(&snapshot, Ecosystem::Pypi, "some_package", "1.0");
    assert_eq!(found.matches.len(), 1);
    let vulnerability = &found.matches[0].vulnerability;
    assert_eq!(vulnerability.ids, ["CVE-2024-1", "GHSA-1", "PYSEC-2024-1"]);
    assert_eq!(
        (vulnerability.score.expect("what the test made itself").tenths, vulnerability.epss(), vulnerability.kev),
        (75, Some(0.25), true)
    );
    assert_eq!(found.matches[0].fixed.as_deref(), Some("2.0.1"), "good by all records");
    assert_eq!(
        look_up(&snapshot, Ecosystem::Pypi, "some-package", "2.0.0").matches.len(),
        1,
        "one record still counts it"
    );
    assert_eq!(look_up(&snapshot, Ecosystem::Pypi, "some-package", "2.0.1").matches.len(), 0);
    assert_eq!(look_up(&snapshot, Ecosystem::Npm, "some-package", "1.0").matches.len(), 0);
}

#[test]
fn of_two_records_with_one_id_the_later_counts() {
    let old = record("GHSA-1", "npm", "a");
    let mut new = record("GHSA-1", "npm", "a");
    new["modified"] = json!("2024-06-01T00:00:00Z");
    new["affected"][0]["ranges"][0]["events"][1]["fixed"] = json!("3.0.0");
    for records in [[old.clone(), new.clone()], [new, old]] {
        let snapshot = Feeds::new().osv(&records).snapshot();
        assert_eq!(look_up(&snapshot, Ecosystem::Npm, "a", "2.5.0").matches.len(), 1);
    }
}

/// Real records, or nothing if this machine has none.
fn real(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/dev-data")).join(name);
    if path.exists() {
        return Some(path);
    }
    let _ = writeln!(std::io::stderr(), "{} is absent: what is compared with it was not", path.display());
    None
}

fn lines(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::GzDecoder::new(fs::File::open(path).expect("what the test made itself")),
        &mut text,
    )
    .expect("what the test made itself");
    text.lines().map(|line| serde_json::from_str(line).expect("what the test made itself")).collect()
}

/// One package of one record, as the oracle sees it.
struct Block {
    id: String,
    versions: BTreeSet<Version>,
    /// Events of each range, sorted.
    ranges: Vec<Vec<(Version, String)>>,
}

impl Block {
    fn read(id: &str, affected: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let parse = |value: &Value| Version::from_str(value.as_str().expect("what the test made itself")).ok();
        let ecosystem = list(&affected["ranges"]).into_iter().filter(|range| range["type"] == "ECOSYSTEM");
        let events = |range: Value| {
            let mut events: Vec<(Version, String)> = Vec::new();
            for event in range["events"].as_array().expect("what the test made itself") {
                let (kind, bound) = event
                    .as_object()
                    .expect("what the test made itself")
                    .iter()
                    .next()
                    .expect("what the test made itself");
                let version = parse(bound)?;
                let below_all = kind == "introduced" && bound == "0";
                events.push((if below_all { version.with_dev(Some(0)) } else { version }, kind.clone()));
            }
            // Of two events of one version `fixed` comes first: what is fixed there may be introduced again there.
            let rank = |kind: &str| ["fixed", "introduced", "last_affected"].iter().position(|k| *k == kind);
            events.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| rank(&a.1).cmp(&rank(&b.1))));
            Some(events)
        };
        Self {
            id: id.to_owned(),
            versions: list(&affected["versions"]).iter().filter_map(parse).collect(),
            ranges: ecosystem.filter_map(events).collect(),
        }
    }

    /// OSV's evaluation in its own words.
    fn affects(&self, version: &Version) -> bool {
        self.versions.contains(version)
            || self.ranges.iter().any(|events| {
                events.iter().fold(false, |vulnerable, (bound, kind)| match kind.as_str() {
                    "introduced" if version >= bound => true,
                    "fixed" if version >= bound => false,
                    "last_affected" if version > bound => false,
                    _ => vulnerable,
                })
            })
    }
}

#[test]
fn look_ups_in_real_records_agree_with_brute_force() {
    let Some(path) = real("pysec-2024-10.jsonl.gz") else { return };
    let mut builder = Builder::new();
    builder.osv(&path).expect("what the test made itself");
    let built = builder.finish(None, None).expect("what the test made itself");
    assert_eq!((built.head.records_count, built.head.withdrawn_count), (2_651, 10));
    let snapshot = Snapshot::from_bytes(built.bytes).expect("what the test made itself");
    snapshot.verify().expect("what the test made itself");
    // 1. All packages, with their listed versions, all bounds, and versions beside the bounds.
    let records: Vec<Value> = lines(&path).into_iter().filter(|r| r.get("withdrawn").is_none()).collect();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut blocks: BTreeMap<String, Vec<Block>> = BTreeMap::new();
    for record in &records {
        for affected in record["affected"].as_array().expect("what the test made itself") {
            let name = affected["package"]["name"]
                .as_str()
                .expect("what the test made itself")
                .to_lowercase()
                .replace(['_', '.'], "-");
            let known = versions.entry(name.clone()).or_default();
            blocks
                .entry(name)
                .or_default()
                .push(Block::read(record["id"].as_str().expect("what the test made itself"), affected));
            let listed = affected["versions"].as_array().into_iter().flatten();
            known.extend(listed.step_by(7).map(|v| v.as_str().expect("what the test made itself").to_owned()));
            for event in affected["ranges"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|r| r["type"] == "ECOSYSTEM")
                .flat_map(|r| r["events"].as_array().expect("what the test made itself"))
            {
                let bound = event
                    .as_object()
                    .expect("what the test made itself")
                    .values()
                    .next()
                    .expect("what the test made itself")
                    .as_str()
                    .expect("what the test made itself");
                for suffix in ["", ".0", ".dev1", "rc1", ".post1", "+local.1"] {
                    known.insert(format!("{bound}{suffix}"));
                }
            }
        }
    }
    // 2. Each against the oracle.
    let (mut compared, mut hits) = (0, 0);
    let components: Vec<Component> = versions
        .iter()
        .flat_map(|(name, versions)| versions.iter().map(move |version| component(Ecosystem::Pypi, name, version)))
        .filter(|c| Version::from_str(&c.version).is_ok())
        .collect();
    let found = snapshot.find(&components).expect("what the test made itself");
    let mut matches: BTreeMap<usize, Vec<&[String]>> = BTreeMap::new();
    for one in found.matches.iter().filter(|one| one.doubt.is_none()) {
        matches.entry(one.component).or_default().push(&one.vulnerability.ids);
    }
    for (at, component) in components.iter().enumerate() {
        let version = Version::from_str(&component.version).expect("what the test made itself");
        let affecting = blocks[&component.name].iter().filter(|block| block.affects(&version));
        let of_oracle: Vec<&str> = affecting.map(|block| block.id.as_str()).collect();
        let ours = matches.get(&at).map_or(&[][..], Vec::as_slice);
        for id in &of_oracle {
            assert!(ours.iter().any(|ids| ids.iter().any(|i| i == id)), "{} {version} lacks {id}", component.name);
        }
        for ids in ours {
            assert!(
                ids.iter().any(|id| of_oracle.contains(&id.as_str())),
                "{} {version} is not affected by {ids:?}",
                component.name
            );
        }
        compared += 1;
        hits += of_oracle.len();
    }
    assert!(compared > 10_000 && hits > 10_000, "{compared} versions, {hits} hits");
}

#[test]
fn known_truths_of_real_packages_hold() {
    let (Some(pysec), Some(kev)) = (real("pysec-2024-10.jsonl.gz"), real("kev-2025-08.json.gz")) else { return };
    let mut builder = Builder::new();
    builder.osv(&pysec).expect("what the test made itself");
    builder.kev(&kev).expect("what the test made itself");
    let built = builder.finish(None, None).expect("what the test made itself");
    assert_eq!(built.head.kev.as_ref().map(|kev| kev.count), Some(1_404));
    let snapshot = Snapshot::from_bytes(built.bytes).expect("what the test made itself");
    for (name, version, id, affected) in [
        ("requests", "2.19.1", "CVE-2018-18074", true),
        ("requests", "2.20.0", "CVE-2018-18074", false),
        ("Pillow", "9.0.0", "CVE-2022-22817", false),
        ("pillow", "8.4.0", "CVE-2022-22817", true),
        ("jinja2", "2.10", "CVE-2019-10906", true),
        ("Jinja2", "2.10.1", "CVE-2019-10906", false),
        ("PyYAML", "5.3.1", "CVE-2020-14343", true),
        ("pyyaml", "5.4", "CVE-2020-14343", false),
        ("django", "1.11.18", "CVE-2019-6975", true),
        ("Django", "1.11.19", "CVE-2019-6975", false),
        ("django", "2.0.9", "CVE-2019-6975", true),
        ("django", "2.0.0.dev1", "CVE-2019-6975", false),
    ] {
        let found = look_up(&snapshot, Ecosystem::Pypi, name, version);
        let known = found.matches.iter().any(|m| m.vulnerability.ids.iter().any(|i| i == id));
        assert_eq!(known, affected, "{name} {version} {id}");
    }
    // Salt's authentication bypass is one of the few of PyPI that are in the catalogue.
    let salt = look_up(&snapshot, Ecosystem::Pypi, "salt", "2019.2.3");
    let exploited: Vec<&str> =
        salt.matches.iter().filter(|m| m.vulnerability.kev).map(|m| m.vulnerability.id()).collect();
    assert!(exploited.contains(&"CVE-2020-11651"), "{exploited:?}");
}
