//! Search: an index of all packages in memory, from which every list and every search is answered, and all
//! that is often asked of one package.
//!
//! Kept as a file when the server stops, read at start and brought up to date with the events since; after
//! a change of a package the package is read again. A search does not ask the database. A query
//! finds packages by words (exact, prefix, with a typo; see `plan`) or as a case-insensitive piece of name,
//! display name or description, which is what existing clients expect.
//!
//! `document` is a package to be indexed, `segment` some of them with their words, `index` all segments,
//! `plan` what a query asks of them, `scratch` and `dense` what matches, `rank` the answer, `kept` where the texts of
//! answers are, `snapshot` the file.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering as Atomic};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use thiserror::Error;

use crate::answers::gather::{Gathered, gather};
use crate::auth::access::Reader;
use crate::counts::Counts;
use crate::db::{Db, DbError, catalogue, events, reindexes};
use crate::state::AppState;

mod dense;
mod document;
#[cfg(test)]
mod exhaustive;
mod found;
mod index;
mod kept;
mod lexicon;
mod plan;
mod rank;
mod scratch;
mod segment;
mod snapshot;
mod words;

use document::Document;
pub(crate) use found::{Found, texts};
use index::Index;
pub(crate) use kept::Read;
use kept::{Damage, Tray};
use plan::Plan;
use scratch::Scratches;
use snapshot::Mark;

/// Packages that are indexed in one go at start.
const BATCH: usize = 5_000;
/// Postings that are read at once; a search that needs more goes where it holds nobody up.
const POSTINGS_AT_ONCE_MAX: u64 = 200_000;
/// The index as a file, in the data folder.
const FILE: &str = "search.index";
/// Texts of changed packages that are on disk beside the file; with more, the file is written anew.
const TRAY_BYTES_MAX: u64 = 256 << 20;

/// The order of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Best match first, then downloads.
    Relevance,
    /// Most downloads first.
    Downloads,
    /// Newest package first.
    Recent,
    /// Newest publish of a latest version first.
    Published,
    /// By name.
    Name,
}

/// What is searched for.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// Words; empty for everything.
    pub(crate) text: String,
    /// `node`, `python`, `binary`, `uv`.
    pub(crate) server_type: Option<String>,
    /// Order.
    pub(crate) sort: Sort,
    /// Most results.
    pub(crate) limit: usize,
    /// Results left out before.
    pub(crate) offset: usize,
    /// Who asks: only what may be read is found and counted.
    pub(crate) reader: Reader,
}

/// A page of results.
#[derive(Debug)]
pub(crate) struct Page {
    /// In order.
    pub(crate) entries: Vec<Found>,
    /// All that match.
    pub(crate) total: usize,
}

/// Why the index failed.
#[derive(Debug, Error)]
pub(crate) enum SearchError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("cannot read or write the texts of the search index")]
    Kept(#[source] io::Error),
    #[error("the indexing task died")]
    Died(#[from] tokio::task::JoinError),
}

/// The search of one registry.
pub(crate) struct Search {
    index: RwLock<Arc<Index>>,
    scratches: Scratches,
    /// Up to which event all is indexed; later ones may be, too.
    mark: Mutex<Option<Mark>>,
    /// For which request to make everything anew it was made.
    made_for: AtomicI64,
    file: PathBuf,
    tray: Arc<Tray>,
    damage: Damage,
    /// Packages that wait to be indexed; the number of all that ever did.
    waiting: Mutex<(Vec<String>, u64)>,
    /// How many of them are indexed. Held while a batch is, so that publishes share a change.
    indexing: tokio::sync::Mutex<()>,
    indexed: AtomicU64,
}

impl Search {
    /// Takes up the kept index, or makes it of the whole catalogue.
    pub(crate) async fn load(db: &Db, data: &Path) -> Result<Self, SearchError> {
        let made_for = reindexes::last(&mut *db.read().await?).await?;
        let search = Self::empty(data, made_for, Damage::default());
        if search.take_up(db).await? {
            search.catch_up(db).await?;
        } else {
            search.make(db).await?;
            search.save(db).await?;
            // From the file, most of it need not be in memory.
            search.take_up(db).await?;
        }
        Ok(search)
    }

    fn empty(data: &Path, made_for: i64, damage: Damage) -> Self {
        Self {
            index: RwLock::default(),
            scratches: Scratches::default(),
            mark: Mutex::default(),
            made_for: AtomicI64::new(made_for),
            file: data.join(FILE),
            tray: Arc::new(Tray::new(data, Arc::clone(&damage))),
            damage,
            waiting: Mutex::default(),
            indexing: tokio::sync::Mutex::default(),
            indexed: AtomicU64::new(0),
        }
    }

    /// For which request to make everything anew it was made.
    pub(crate) fn made_for(&self) -> i64 {
        self.made_for.load(Atomic::Acquire)
    }

    /// Whether a text was read that is not what was written.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damage.load(Atomic::Acquire)
    }

    /// Makes it anew of the whole catalogue, beside the one that answers meanwhile.
    pub(crate) async fn remake(&self, db: &Db, asked: i64) -> Result<(), SearchError> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let fresh = Self::empty(folder, asked, Arc::clone(&self.damage));
        fresh.make(db).await?;
        // What was published meanwhile; nothing is indexed until the new one takes its place.
        let _turn = self.indexing.lock().await;
        fresh.catch_up(db).await?;
        let mark = fresh.mark.lock().unwrap_or_else(PoisonError::into_inner).take();
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = mark;
        self.set(fresh.index());
        self.damage.store(false, Atomic::Release);
        self.made_for.store(asked, Atomic::Release);
        // From the file, most of it need not be in memory.
        if self.write().await? {
            self.take_up(db).await?;
        }
        Ok(())
    }

    /// Reads the file, if it is of this registry.
    async fn take_up(&self, db: &Db) -> Result<bool, SearchError> {
        let (file, damage) = (self.file.clone(), Arc::clone(&self.damage));
        let read = tokio::task::spawn_blocking(move || snapshot::read(&file, &damage)).await?;
        let (mark, index) = match read {
            Ok(Some(kept)) => kept,
            Ok(None) => return Ok(false),
            Err(error) => {
                tracing::warn!(path = %self.file.display(), error = %error, "the kept search index is made anew");
                self.damage.store(false, Atomic::Release);
                return Ok(false);
            }
        };
        let about = events::about(&mut *db.read().await?, mark.seq).await?.map(|about| self.marked(about));
        if about.as_ref() != Some(&mark.about) {
            tracing::warn!(path = %self.file.display(), "the kept search index is of other events; it is made anew");
            return Ok(false);
        }
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
        self.set(Arc::new(index));
        self.tray.renew();
        Ok(true)
    }

    async fn make(&self, db: &Db) -> Result<(), SearchError> {
        // Before the rows, so that what changes meanwhile is read again.
        let mark = self.last_mark(db).await?;
        let mut last = String::new();
        loop {
            let mut read = db.read().await?;
            let rows = catalogue::after(&mut read, &last, i64::try_from(BATCH).unwrap_or(i64::MAX)).await?;
            let Some(row) = rows.last() else { break };
            last.clone_from(&row.name);
            let gathered = gather(&mut read, rows).await?;
            drop(read);
            self.change(Vec::new(), gathered).await?;
        }
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = mark;
        Ok(())
    }

    /// Indexes what happened since the last event that is known to be indexed, also what other processes did.
    pub(crate) async fn catch_up(&self, db: &Db) -> Result<(), SearchError> {
        let after = self.mark.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |mark| mark.seq);
        let Some(last) = self.last_mark(db).await?.filter(|last| last.seq > after) else { return Ok(()) };
        let mut read = db.read().await?;
        let changed = events::packages_between(&mut read, after, last.seq).await?;
        drop(read);
        for names in changed.chunks(BATCH) {
            let _turn = self.indexing.lock().await;
            self.index_all(db, names).await?;
        }
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        Ok(())
    }

    /// Keeps the index for the next start. That it cannot be kept is only logged.
    pub(crate) async fn save(&self, db: &Db) -> Result<(), SearchError> {
        self.catch_up(db).await?;
        self.write().await?;
        Ok(())
    }

    /// Whether the file is written.
    async fn write(&self) -> Result<bool, SearchError> {
        let Some(mark) = self.mark.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return Ok(false) };
        let (index, file) = (self.index(), self.file.clone());
        let written = tokio::task::spawn_blocking(move || snapshot::write(&file, &index, &mark)).await?;
        if let Err(error) = written {
            tracing::warn!(path = %self.file.display(), error = %error, "the search index was not kept");
            return Ok(false);
        }
        Ok(true)
    }

    /// Brings a package up to date with the database; returns when searches see it. A package that is not
    /// there, or not for all to see, is no longer found.
    pub(crate) async fn refresh(&self, db: &Db, package: &str) -> Result<(), SearchError> {
        let ticket = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.0.push(package.to_owned());
            waiting.1 += 1;
            waiting.1
        };
        let _turn = self.indexing.lock().await;
        if self.indexed.load(Atomic::Acquire) >= ticket {
            return Ok(());
        }
        let (names, last) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut waiting.0), waiting.1)
        };
        if let Err(error) = self.index_all(db, &names).await {
            // The next publish tries them again.
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).0.extend(names);
            return Err(error);
        }
        self.indexed.store(last, Atomic::Release);
        Ok(())
    }

    /// The caller holds the turn to index.
    async fn index_all(&self, db: &Db, names: &[String]) -> Result<(), SearchError> {
        let names: Vec<String> = names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        for names in names.chunks(BATCH) {
            let mut read = db.read().await?;
            let rows = catalogue::of(&mut read, names).await?;
            let there: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
            let gone = names.iter().filter(|name| !there.contains(name.as_str())).cloned().collect();
            let gathered = gather(&mut read, rows).await?;
            drop(read);
            self.change(gone, gathered).await?;
        }
        Ok(())
    }

    async fn change(&self, gone: Vec<String>, gathered: Vec<Gathered>) -> Result<(), SearchError> {
        let (before, tray) = (self.index(), Arc::clone(&self.tray));
        let changed = tokio::task::spawn_blocking(move || {
            let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
            before.changed(&gone, gathered.iter().map(Document::new).collect(), &tray)
        });
        self.set(Arc::new(changed.await?.map_err(SearchError::Kept)?));
        Ok(())
    }

    /// Writes the file anew where many packages changed, so that what they said before goes from the disk.
    pub(crate) async fn tidy(&self, db: &Db) -> Result<(), SearchError> {
        if self.tray.bytes() <= TRAY_BYTES_MAX {
            return Ok(());
        }
        let _turn = self.indexing.lock().await;
        // Of whatever is known by now, as much as the mark says; what came later is read again.
        if self.write().await? {
            self.take_up(db).await?;
        }
        Ok(())
    }

    async fn last_mark(&self, db: &Db) -> Result<Option<Mark>, SearchError> {
        let mut read = db.read().await?;
        let Some(seq) = events::last_seq(&mut read).await? else { return Ok(None) };
        Ok(events::about(&mut read, seq).await?.map(|about| Mark { seq, about: self.marked(about) }))
    }

    /// What tells a kept index from those of other registries and of before a request to make it anew.
    fn marked(&self, about: String) -> String {
        match self.made_for() {
            0 => about,
            asked => format!("{about} #{asked}"),
        }
    }

    fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, index: Arc<Index>) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
    }

    /// Number of packages that may be read.
    pub(crate) fn len(&self, reader: &Reader) -> usize {
        let index = self.index();
        if reader.reads_everything() { index.len() } else { index.by_name(0, reader).count() }
    }

    /// A package by its name, if it may be read.
    pub(crate) fn entry(&self, reader: &Reader, name: &str) -> Option<Found> {
        if reader.may_read(name) { self.index().find(name) } else { None }
    }

    /// Packages in the order of their names, from an offset on.
    pub(crate) fn page_by_name(&self, reader: &Reader, offset: usize, limit: usize) -> Page {
        let index = self.index();
        if reader.reads_everything() {
            return Page { entries: index.by_name(offset, reader).take(limit).collect(), total: index.len() };
        }
        let readable: Vec<Found> = index.by_name(0, reader).collect();
        let total = readable.len();
        Page { entries: readable.into_iter().skip(offset).take(limit).collect(), total }
    }

    /// Packages in the order of their names, from a name on.
    #[expect(clippy::wrong_self_convention, reason = "a page from a name on, not a conversion")]
    pub(crate) fn from_name(&self, reader: &Reader, name: &str, count: usize) -> Vec<Found> {
        let index = self.index();
        index.by_name(index.rank(name), reader).take(count).collect()
    }

    /// Searches. Blocks for as long as it computes; see [`find`].
    fn search(&self, index: &Index, plan: &Plan, query: &Query, counts: &Counts) -> Page {
        let ranked = rank::rank(index, plan, query, &counts.lookup(), &self.scratches);
        let found = |(part, number): &rank::Place| index.parts()[*part].found(*number);
        Page { entries: ranked.places.iter().map(found).collect(), total: ranked.total }
    }
}

/// Searches: at once what is quick, on a thread of its own what would hold others up.
pub(crate) async fn find(state: &AppState, query: Query) -> Result<Page, SearchError> {
    let index = state.search.index();
    let plan = Plan::new(&query.text.trim().to_lowercase(), &index);
    // Without words, all packages are looked at.
    let cost = if plan.text.is_empty() { index.slots() as u64 } else { plan.postings_count };
    if cost <= POSTINGS_AT_ONCE_MAX {
        return Ok(state.search.search(&index, &plan, &query, &state.counts));
    }
    let state = state.clone();
    let searched = move || state.search.search(&index, &plan, &query, &state.counts);
    Ok(tokio::task::spawn_blocking(searched).await?)
}

/// What is kept of a package.
#[cfg(test)]
pub(crate) fn texts_of(gathered: &Gathered) -> crate::answers::Texts {
    Document::new(gathered).texts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::words::{Typed, fold, stems, words};
    use super::*;
    use crate::bench::words::Random;
    use crate::config::Access;
    use crate::counts::Counted;
    use crate::db::catalogue::Row;

    /// Texts of few letters, so that they share pieces, with what texts stumble over.
    fn text(random: &mut Random, words_max: u64) -> String {
        const PARTS: [&str; 20] = [
            "ab", "aba", "bc", "abc", "é", "x", "12", "ca", "server", "serve", "servers", "widget", "日本", "Ab", "-",
            "_", ".", "%", "  ", "ß",
        ];
        let parts = random.below(words_max * 2) + 1;
        (0..parts)
            .map(|_| PARTS[random.below(20) as usize])
            .collect::<Vec<_>>()
            .join(["", " "][random.below(2) as usize])
    }

    pub(super) fn gathered(random: &mut Random, id: i64, name: &str) -> Gathered {
        let manifest = json!({
            "display_name": text(random, 2), "description": text(random, 6), "keywords": [text(random, 1)],
            "tools": [{"name": text(random, 1), "description": text(random, 4)}], "author": {"name": text(random, 1)},
        });
        let row = Row {
            id,
            name: name.to_owned(),
            latest_version: "1.0.0".to_owned(),
            created_at_ms: i64::try_from(random.below(5)).unwrap(),
            server_type: ["node", "uv"][random.below(2) as usize].to_owned(),
            manifest_json: manifest.to_string(),
            published_at_ms: i64::try_from(random.below(5)).unwrap(),
            provenance_json: None,
            claims_count: 0,
            deprecated_message: None,
            deprecated_replacement: None,
        };
        let flat = text(random, 9).into_bytes();
        Gathered { row, flat, versions: Vec::new(), artifacts: Vec::new(), certified: Vec::new(), official: Vec::new() }
    }

    pub(super) fn search(index: &Index, counts: &Counts, query: &Query) -> (Vec<String>, usize) {
        let plan = Plan::new(&query.text.trim().to_lowercase(), index);
        let ranked = rank::rank(index, &plan, query, &counts.lookup(), &Scratches::default());
        let name = |(part, number): &rank::Place| index.parts()[*part].found(*number).name().to_owned();
        (ranked.places.iter().map(name).collect(), ranked.total)
    }

    pub(super) fn query(text: &str, sort: Sort) -> Query {
        Query { text: text.to_owned(), server_type: None, sort, limit: 1_000, offset: 0, reader: Reader::everything() }
    }

    /// An index after many changes, and what it should hold.
    pub(super) fn changed(random: &mut Random) -> (Index, BTreeMap<String, Document>) {
        let folder = tempfile::tempdir().unwrap();
        let tray = Tray::new(folder.path(), Damage::default());
        let (mut index, mut rows) = (Index::default(), BTreeMap::new());
        let mut id = 0;
        for _ in 0..random.below(30) {
            let name =
                |random: &mut Random| format!("@{}/{}", ["ab", "abc"][random.below(2) as usize], random.below(40));
            let gone: BTreeSet<String> = (0..random.below(4)).map(|_| name(random)).collect();
            let new: BTreeSet<String> = (0..random.below(12)).map(|_| name(random)).collect();
            let mut documents = Vec::new();
            for name in &gone {
                rows.remove(name);
            }
            for name in new {
                id += 1;
                let gathered = gathered(random, id, &name);
                documents.push(Document::new(&gathered));
                rows.insert(name, Document::new(&gathered));
            }
            let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
            index = index.changed(&gone, documents, &tray).unwrap();
        }
        (index, rows)
    }

    fn holds_word(document: &Document, word: &str) -> bool {
        let folded = fold(word);
        let word = folded.as_deref().unwrap_or(word);
        let typed = Typed::new(word);
        document.words.iter().any(|(held, _)| {
            (held.starts_with(word) && (word.len() > 1 || held == word))
                || stems(word).contains(held)
                || typed.as_ref().is_some_and(|typed| typed.is_near(held.as_bytes()))
        })
    }

    #[test]
    fn every_piece_is_found_and_nothing_that_has_neither_piece_nor_words() {
        let counts = Counts::default();
        for seed in 0..60 {
            let mut random = Random::new(seed, 1);
            let (index, documents) = changed(&mut random);
            assert_eq!(index.len(), documents.len());
            for _ in 0..60 {
                let asked = text(&mut random, 2);
                let lower = asked.trim().to_lowercase();
                let (found, total) = search(&index, &counts, &query(&asked, Sort::Name));
                assert_eq!(total, found.len());
                assert!(found.is_sorted(), "{found:?}");
                for (name, document) in &documents {
                    let piece = document.text.contains(&lower);
                    let some = words(&lower).any(|(_, word)| holds_word(document, word));
                    let is_found = found.contains(name);
                    assert!(!piece || is_found, "`{asked}` is in {name}: {:?}", document.text);
                    assert!(piece || some || !is_found, "`{asked}` is not in {name}: {:?}", document.words);
                    let all =
                        words(&lower).all(|(_, word)| document.words.iter().any(|(w, n)| w == word && n & 0x1f != 0));
                    assert!(!all || !some || is_found, "all words of `{asked}` are in {name}");
                }
            }
        }
    }

    #[test]
    fn lists_are_in_the_order_that_is_asked_for_page_by_page() {
        for seed in 0..40 {
            let mut random = Random::new(seed, 2);
            let (index, documents) = changed(&mut random);
            let counts = Counts::default();
            for _ in 0..random.below(60) {
                let package = i64::try_from(random.below(200)).unwrap();
                counts.add(Counted { artifact: 1, version: 1, package });
            }
            for sort in [Sort::Downloads, Sort::Recent, Sort::Published, Sort::Name] {
                let key = |d: &Document| match sort {
                    Sort::Downloads => -i64::try_from(counts.package(d.package_id)).unwrap(),
                    Sort::Recent => -d.created_at_ms,
                    Sort::Published => -d.published_at_ms,
                    Sort::Name | Sort::Relevance => 0,
                };
                let mut expected: Vec<(i64, &String)> = documents.iter().map(|(name, d)| (key(d), name)).collect();
                expected.sort();
                let expected: Vec<&String> = expected.into_iter().map(|(_, name)| name).collect();
                let mut read = Vec::new();
                for offset in (0..documents.len() + 7).step_by(7) {
                    let (page, total) = search(&index, &counts, &Query { limit: 7, offset, ..query("", sort) });
                    assert_eq!(total, documents.len());
                    read.extend(page);
                }
                assert_eq!(read.iter().collect::<Vec<_>>(), expected, "{sort:?}");
            }
            let by_name: Vec<_> =
                index.by_name(0, &Reader::everything()).map(|found| found.name().to_owned()).collect();
            assert_eq!(by_name, documents.keys().cloned().collect::<Vec<_>>());
        }
    }

    #[test]
    fn kinds_and_scopes_choose() {
        let mut random = Random::new(1, 3);
        let (index, documents) = std::iter::repeat_with(|| changed(&mut random)).find(|(_, d)| d.len() > 9).unwrap();
        let counts = Counts::default();
        let uv = Query { server_type: Some("uv".to_owned()), ..query("", Sort::Name) };
        let expected = documents.values().filter(|d| d.kind == document::kind("uv")).count();
        assert_eq!(search(&index, &counts, &uv).1, expected);
        let access = Access { private_scopes: vec!["ab".to_owned()], ..Access::default() };
        let reader = Reader::stranger(&access);
        let (found, total) = search(&index, &counts, &Query { reader: reader.clone(), ..query("", Sort::Name) });
        assert!(found.iter().all(|name| name.starts_with("@abc/")) && total < documents.len());
        let by_name: Vec<_> = index.by_name(0, &reader).map(|found| found.name().to_owned()).collect();
        assert_eq!(by_name, found);
    }

    #[test]
    fn a_summary_is_what_the_latest_version_says() {
        let mut gathered = gathered(&mut Random::new(5, 5), 1, "@a/b");
        let description = r#""downloads":0,"published_at":"#;
        gathered.row.manifest_json = json!({"description": description}).to_string();
        let folder = tempfile::tempdir().unwrap();
        let index = Index::default()
            .changed(&[], vec![Document::new(&gathered)], &Tray::new(folder.path(), Damage::default()))
            .unwrap();
        let shown = index.find("@a/b").unwrap().summary().unwrap();
        assert_eq!(
            (shown.downloads, shown.name.as_str(), shown.description.as_deref()),
            (0, "@a/b", Some(description))
        );
    }
}
