//! The answer of a search as it is defined, by looking at every package, and the proof that `rank` gives the
//! same: neither what it jumps over nor what it does not look up may change a page or a total.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::document::{Document, kind, weight_of};
use super::index::Index;
use super::kept::{Damage, Tray};
use super::plan::Plan;
use super::segment::IMPACT;
use super::tests::{gathered, search};
use super::{Query, Sort};
use crate::answers::gather::Gathered;
use crate::auth::access::Reader;
use crate::bench::words::Random;
use crate::config::Access;
use crate::counts::{Counted, Counts};

/// A package, alive or not, with what every word of its segment weighs in it.
struct Slot {
    part: usize,
    number: u32,
    words: HashMap<u32, u8>,
}

/// All packages of an index.
fn slots(index: &Index) -> Vec<Slot> {
    let mut all = Vec::new();
    for part in index.parts() {
        let mut own: Vec<Slot> = (0..part.segment.shelf.len())
            .map(|number| Slot { part: part.number, number, words: HashMap::new() })
            .collect();
        for word in 0..part.segment.lexicon.len() {
            part.segment.postings.each(word, |package, posting| {
                own[package as usize].words.insert(word, posting);
            });
        }
        all.extend(own);
    }
    all
}

/// What each word of the query weighs, where a package holds it.
fn weights(plan: &Plan, slot: &Slot) -> Vec<Option<f32>> {
    let weigh = |meant: &super::plan::Meant| {
        let impact = slot.words.get(&meant.number)? & IMPACT;
        (impact != 0).then(|| meant.factor * weight_of(impact))
    };
    plan.words.iter().map(|word| word.meant[slot.part].iter().filter_map(weigh).reduce(f32::max)).collect()
}

fn piece_weight(text: &str, asked: &str) -> Option<f32> {
    let parts: Vec<&str> = text.split('\0').collect();
    let base = parts[0].rsplit('/').next().unwrap_or_default();
    Some(match parts.iter().take(3).position(|part| part.contains(asked))? {
        0 if parts[0] == asked => 1_000.0,
        0 if base == asked => 500.0,
        0 if base.starts_with(asked) => 40.0,
        0 => 20.0,
        1 => 10.0,
        _ => 2.0,
    })
}

/// The page and the total.
fn exhaustive(index: &Index, slots: &[Slot], counts: &Counts, query: &Query) -> (Vec<String>, usize) {
    let plan = Plan::new(&query.text.trim().to_lowercase(), index);
    let holds_all = |weights: &[Option<f32>]| !weights.is_empty() && weights.iter().all(Option::is_some);
    let weighed: Vec<Vec<Option<f32>>> = slots.iter().map(|slot| weights(&plan, slot)).collect();
    let some = plan.some_suffice && plan.words.len() > 1 && !weighed.iter().any(|weights| holds_all(weights));
    let mut found = Vec::new();
    for (slot, weights) in slots.iter().zip(weighed) {
        let part = &index.parts()[slot.part];
        let shelf = &part.segment.shelf;
        let (text, place) = (std::str::from_utf8(shelf.text(slot.number)).unwrap(), slot.number as usize);
        let name = text.split('\0').next().unwrap().to_owned();
        let is_kind = query.server_type.as_deref().is_none_or(|wanted| shelf.kinds[place] == kind(wanted));
        if !part.alive.is_alive(slot.number) || !is_kind || !query.reader.may_read(&name) {
            continue;
        }
        let by_words = holds_all(&weights) || (some && weights.iter().any(Option::is_some));
        let by_piece = piece_weight(text, &plan.text).filter(|_| !plan.text.is_empty());
        if !plan.text.is_empty() && !by_words && by_piece.is_none() {
            continue;
        }
        let weight = if by_words { weights.into_iter().flatten().fold(0.0, |sum, weight| sum + weight) } else { 0.0 };
        let downloads = counts.package(shelf.package_ids[place]);
        let time = |ms: &[i64]| ms[place].cast_unsigned() ^ 1 << 63;
        let key = match query.sort {
            Sort::Relevance => (u64::from((weight + by_piece.unwrap_or(0.0)).to_bits()), downloads),
            Sort::Downloads => (downloads, 0),
            Sort::Recent => (time(&shelf.created_at_ms), 0),
            Sort::Published => (time(&shelf.published_at_ms), 0),
            Sort::Name => (0, 0),
        };
        found.push((Reverse(key), name));
    }
    found.sort();
    let total = found.len();
    (found.into_iter().skip(query.offset).take(query.limit).map(|(_, name)| name).collect(), total)
}

/// Few words are in most texts and many in few.
fn word(random: &mut Random) -> String {
    const PARTS: [&str; 12] = ["ser", "ver", "wid", "get", "ab", "ca", "to", "ol", "ng", "é", "mi", "ra"];
    let rank = random.zipf(300);
    let mut letters = Random::new(3, rank);
    (0..2 + rank % 3).map(|_| PARTS[letters.below(12) as usize]).collect()
}

fn words(random: &mut Random, count: u64) -> String {
    (0..count).map(|_| word(random)).collect::<Vec<_>>().join([" ", " ", "-", "_"][random.below(4) as usize])
}

fn name(random: &mut Random) -> String {
    format!("@{}/{}-{}", ["ab", "server", "wid-1"][random.below(3) as usize], word(random), random.below(500))
}

fn package(random: &mut Random, id: i64, name: &str) -> Gathered {
    let mut package = gathered(random, id, name);
    package.row.manifest_json = json!({
        "display_name": words(random, 2), "description": words(random, 8) + ["", "", " @ab", " @server/", "@wid-1@"][random.below(5) as usize], "keywords": [word(random)],
        "tools": [{"name": words(random, 2), "description": words(random, 4)}],
    })
    .to_string();
    package
}

/// An index of some segments, some of whose packages are gone or changed.
fn catalogue(random: &mut Random) -> Index {
    let folder = tempfile::tempdir().unwrap();
    let (mut index, mut id) = (Index::default(), 0);
    for packages in [1_200, 200, 30, 4] {
        let names: BTreeSet<String> = (0..packages).map(|_| name(random)).collect();
        let mut documents = Vec::new();
        for name in &names {
            id += 1;
            documents.push(Document::new(&package(random, id, name)));
        }
        let gone: BTreeSet<String> =
            (0..packages / 8).map(|_| name(random)).filter(|name| !names.contains(name)).collect();
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        index = index.changed(&gone, documents, &Tray::new(folder.path(), Damage::default())).unwrap();
    }
    index
}

fn asked(random: &mut Random) -> String {
    match random.below(12) {
        0..=2 => word(random),
        3..=4 => words(random, 2),
        5 => words(random, 3),
        6 => word(random).chars().take(3).collect(),
        7 => word(random).chars().skip(1).collect(),
        8 => {
            let mut letters: Vec<char> = word(random).chars().collect();
            let at = random.below(letters.len() as u64 - 1) as usize;
            letters.swap(at, at + 1);
            letters.into_iter().collect()
        }
        9 => name(random),
        10 => name(random).split(['/', '-']).nth(random.below(2) as usize).unwrap_or_default().to_owned(),
        _ => ["", "-", "%", "e", "@", "server", "servers s", "é", "@a", "@server/", "@wid-1@"]
            [random.below(11) as usize]
            .to_owned(),
    }
}

#[test]
fn the_page_and_the_total_are_those_of_looking_at_everything() {
    let access = Access { private_scopes: vec!["ab".to_owned()], ..Access::default() };
    let (mut found, mut pages) = (0, 0);
    for seed in 0..6 {
        let mut random = Random::new(seed, 21);
        let index = catalogue(&mut random);
        let slots = slots(&index);
        let counts = Counts::default();
        for _ in 0..random.below(3_000) {
            let package = i64::try_from(random.zipf(1_400)).unwrap();
            counts.add(Counted { artifact: 1, version: 1, package });
        }
        for _ in 0..250 {
            let query = Query {
                text: asked(&mut random),
                server_type: [None, None, None, Some("uv".to_owned())][random.below(4) as usize].clone(),
                sort: match random.below(8) {
                    0 => Sort::Downloads,
                    1 => Sort::Recent,
                    2 => Sort::Published,
                    3 => Sort::Name,
                    _ => Sort::Relevance,
                },
                limit: [1, 20, 20, 100][random.below(4) as usize],
                offset: [0, 0, 7, 150, usize::MAX][random.below(5) as usize],
                reader: [Reader::everything(), Reader::stranger(&access)][random.below(2) as usize].clone(),
            };
            let expected = exhaustive(&index, &slots, &counts, &query);
            assert_eq!(search(&index, &counts, &query), expected, "{seed}: {query:?}");
            found += usize::from(expected.1 > 0);
            pages += usize::from(expected.0.len() > 19);
        }
    }
    // Most of it says something.
    assert!(found > 1_200 && pages > 300, "{found}, {pages}");
}
