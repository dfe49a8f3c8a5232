//! What a package's answers are made from, written whenever it changes, so that answering asks no database:
//! its summary in lists, its detail, its entries in server lists, what it offers for download.
//!
//! `gather` reads what the database knows of some packages, [`Texts`] are written from it, `template` fills
//! in what differs between two answers, `offers` finds what to download. The search index keeps the texts
//! in its file.

use std::collections::HashMap;

use mpak_api::bundle::{Detail, DetailVersion, Summary};
use mpak_scan::level;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::compat::provenance;
use crate::db::scans::Certified;

pub(crate) mod gather;
pub(crate) mod offers;
pub(crate) mod template;

use gather::Gathered;
use offers::{Fate, Offer, Offered};

/// A text of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The template of its summary.
    Summary,
    /// The template of its detail, beside the summary.
    Detail,
    /// The template of its entry in the server list of existing clients; empty where that depends on others.
    Flat,
    /// The same in the official registry's shape.
    Official,
    /// See [`offers`].
    Offers,
}

/// Number of [`Part`]s.
pub(crate) const PARTS: usize = 5;

/// The texts of one package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts(pub(crate) [Vec<u8>; PARTS]);

impl Texts {
    /// Writes them. The summary in lists may be shorter than the whole one.
    pub(crate) fn new(gathered: &Gathered, manifest: &Value, listed: &Summary, whole: Summary) -> Self {
        let counted = Summary { downloads: template::package_downloads(), ..listed.clone() };
        let summary = template::of(&serde_json::to_vec(&counted).unwrap_or_default(), &[]);
        let detail = template::beside(&summary, detail(gathered, manifest, whole));
        Self([summary, detail, gathered.flat.clone(), gathered.official.clone(), offered(gathered)])
    }
}

fn detail(gathered: &Gathered, manifest: &Value, whole: Summary) -> Vec<u8> {
    let text = |member: &str| manifest[member].as_str().map(str::to_owned);
    let version = |(place, v): (usize, &crate::db::catalogue::Versioned)| DetailVersion {
        version: v.version.clone(),
        published_at: rfc3339(v.published_at_ms),
        downloads: template::version_downloads(place),
    };
    let summary = Summary {
        downloads: template::package_downloads(),
        provenance: provenance::full(gathered.row.provenance_json.as_deref()),
        // The detail gives the package's first publish here; search gives the latest version's.
        published_at: rfc3339(gathered.row.created_at_ms),
        ..whole
    };
    let detail = Detail {
        summary,
        homepage: text("homepage"),
        license: text("license"),
        certification: gathered.latest_reached().map(certification),
        versions: gathered.versions.iter().enumerate().map(version).collect(),
    };
    let ids: Vec<i64> = gathered.versions.iter().map(|v| v.id).collect();
    template::of(&serde_json::to_vec(&detail).unwrap_or_default(), &ids)
}

/// As existing clients read it.
fn certification(reached: &Certified) -> Value {
    json!({
        "level": reached.level, "level_name": reached.level.and_then(wire_level_name),
        "controls_passed": reached.passed_count, "controls_failed": reached.failed_count,
        "controls_total": reached.controls_count,
    })
}

/// As badges and pages name levels, too.
fn wire_level_name(level: i64) -> Option<String> {
    let number = u8::try_from(level).ok().filter(|level| *level > 0)?;
    level::name(number).map(|name| format!("L{level} {name}"))
}

fn offered(gathered: &Gathered) -> Vec<u8> {
    let row = &gathered.row;
    let fate = Fate {
        latest: row.latest_version.as_str().into(),
        deprecated: row.deprecated_message.as_deref().map(Into::into),
        replacement: row.deprecated_replacement.as_deref().map(Into::into),
    };
    let hex: HashMap<i64, String> = gathered.artifacts.iter().map(|a| (a.id, a.sha256.to_string())).collect();
    let offers = gathered.versions.iter().map(|v| {
        let own = || gathered.artifacts.iter().filter(|a| a.version_id == v.id);
        let artifact = |a: &'_ crate::db::artifacts::Artifact| Offered {
            id: a.id,
            platform: a.platform,
            sha256: &hex[&a.id],
            size: a.size_bytes,
        };
        let reached = gathered.reached(v.id);
        let offer = Offer {
            id: v.id,
            at_ms: v.published_at_ms,
            method: v.publish_method.as_str().into(),
            provenance: provenance::summary(v.provenance_json.as_deref()),
            yanked: v.yanked_at_ms.map(|_| v.yank_reason.as_deref().unwrap_or_default().into()),
            event: own().map(|a| a.event_seq).min(),
            level: reached.and_then(|r| r.level),
            score: reached.and_then(|r| r.score),
            artifacts: own().map(artifact).collect(),
        };
        (v.version.as_str(), offer)
    });
    offers::write(&fate, offers)
}

#[cfg(test)]
mod tests {
    use mpak_bundle::digest::Sha256;
    use mpak_bundle::platform::Platform;
    use serde_json::json;

    use super::offers::Offers;
    use super::template::Fill;
    use super::*;
    use crate::bench::words::Random;
    use crate::counts::{Counted, Counts};
    use crate::db::artifacts::Artifact;
    use crate::db::catalogue::{Row, Versioned};

    fn some(random: &mut Random, text: &str) -> Option<String> {
        (random.below(2) == 0).then(|| text.to_owned())
    }

    fn gathered(random: &mut Random) -> Gathered {
        let provenance = json!({"provider": "p", "repository": "r\u{1}", "sha": "s", "more": "\u{2}"}).to_string();
        let versions: Vec<Versioned> = (0..=random.below(6))
            .map(|n| Versioned {
                id: i64::try_from(n).unwrap() * 3 - 4,
                package_id: 7,
                version: format!("1.{n}.0"),
                publish_method: "upload".to_owned(),
                published_at_ms: i64::try_from(random.below(1 << 40)).unwrap(),
                provenance_json: some(random, &provenance),
                yanked_at_ms: some(random, "").map(|_| 5),
                yank_reason: some(random, "a \"reason\"\n\t\u{1}"),
            })
            .collect();
        let artifacts = versions.iter().flat_map(|v| {
            (0..random.below(4)).map(|n| Artifact {
                id: v.id * 10 + i64::try_from(n).unwrap(),
                version_id: v.id,
                platform: Platform::ANY,
                sha256: Sha256::of(&n.to_le_bytes()),
                size_bytes: n,
                event_seq: 1,
                source_url: None,
            })
        });
        let artifacts = artifacts.collect();
        let description =
            ["short", "\u{1}\u{2}\u{3}\u{4}", &"long ".repeat(2_000)][random.below(3) as usize].to_owned();
        let manifest =
            json!({"description": description, "homepage": 7, "license": "MIT \u{3}", "tools": [{"name": "t"}]});
        let row = Row {
            id: 7,
            name: "@acme/widget".to_owned(),
            latest_version: versions[0].version.clone(),
            created_at_ms: 1_000,
            deprecated_message: some(random, "gone\n"),
            deprecated_replacement: some(random, "@acme/other"),
            server_type: "node".to_owned(),
            manifest_json: manifest.to_string(),
            published_at_ms: 2_000,
            provenance_json: some(random, &provenance),
            claims_count: i64::from(random.below(2) == 0),
        };
        Gathered { row, versions, artifacts, certified: Vec::new(), flat: Vec::new(), official: Vec::new() }
    }

    #[test]
    fn levels_are_named_as_everywhere() {
        for (level, expect) in [
            (0, None),
            (1, Some("L1 Basic")),
            (2, Some("L2 Standard")),
            (3, Some("L3 Verified")),
            (4, Some("L4 Attested")),
            (5, None),
            (-1, None),
        ] {
            assert_eq!(wire_level_name(level).as_deref(), expect, "{level}");
        }
    }

    #[test]
    fn answers_are_what_the_database_says() {
        for seed in 0..200 {
            let mut random = Random::new(seed, 8);
            let gathered = gathered(&mut random);
            let (row, versions) = (&gathered.row, &gathered.versions);
            let counts = Counts::default();
            for version in versions {
                let counted = Counted { artifact: 1, version: version.id, package: row.id };
                (0..random.below(3)).for_each(|_| counts.add(counted));
            }
            let texts = crate::search::texts_of(&gathered);
            // The detail, made anew with the counts in it.
            let manifest: Value = serde_json::from_str(&row.manifest_json).unwrap();
            let version = |v: &Versioned| DetailVersion {
                version: v.version.clone(),
                published_at: rfc3339(v.published_at_ms),
                downloads: counts.version(v.id),
            };
            let expected = Detail {
                summary: Summary {
                    name: row.name.clone(),
                    display_name: None,
                    description: manifest["description"].as_str().map(str::to_owned),
                    author: None,
                    latest_version: row.latest_version.clone(),
                    icon: None,
                    server_type: "node".to_owned(),
                    tools: json!([{"name": "t"}]),
                    downloads: counts.package(row.id),
                    published_at: rfc3339(row.created_at_ms),
                    verified: row.provenance_json.is_some() || row.claims_count > 0,
                    provenance: provenance::full(row.provenance_json.as_deref()),
                    certification_level: None,
                },
                homepage: None,
                license: Some("MIT \u{3}".to_owned()),
                certification: None,
                versions: versions.iter().map(version).collect(),
            };
            let lookup = counts.lookup();
            let [summary, detail, .., offers] = &texts.0;
            let mut written = Vec::new();
            Fill { base: "", package: row.id, summary, counts: Some(&lookup) }.write(detail, &mut written);
            assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&expected).unwrap());
            // Every version with its artifacts and its yank, and nothing else.
            let offers = Offers::new(offers);
            let fate = offers.fate().unwrap();
            assert_eq!(fate.deprecated.as_deref(), row.deprecated_message.as_deref());
            assert_eq!(fate.replacement.as_deref(), row.deprecated_replacement.as_deref());
            assert_eq!((fate.latest.as_ref(), offers.all().unwrap().len()), (&*row.latest_version, versions.len()));
            for version in versions {
                let offer = offers.find(&version.version).unwrap().unwrap();
                let yanked = version.yanked_at_ms.map(|_| version.yank_reason.as_deref().unwrap_or_default());
                assert_eq!((offer.id, offer.yanked.as_deref()), (version.id, yanked));
                let own = gathered.artifacts.iter().filter(|a| a.version_id == version.id);
                let own: Vec<_> = own.map(|a| (a.id, a.sha256.to_string(), a.size_bytes)).collect();
                let found = offer.artifacts.iter().map(|a| (a.id, a.sha256.to_owned(), a.size));
                assert_eq!(found.collect::<Vec<_>>(), own);
            }
        }
    }
}
