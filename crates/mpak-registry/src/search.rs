//! Search: an in-process full-text index and, beside it, the catalogue that every result is shown from.
//!
//! Made from the database at start and brought up to date after each publish; a search asks neither
//! database nor disk. A query matches by words (exact, prefix, with a typo; see `text`) or as a
//! case-insensitive piece of name, display name or description, which is what existing clients expect.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering as Atomic};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use futures_util::TryStreamExt as _;
use thiserror::Error;

use crate::auth::access::Reader;
use crate::counts::Counts;
use crate::db::{Db, DbError, packages};

mod entry;
mod text;

pub(crate) use entry::{Entry, summary};
use text::{TextIndex, Update};

/// Packages that are indexed in one go at start.
const BATCH: usize = 2_000;

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
    pub(crate) entries: Vec<Arc<Entry>>,
    /// All that match.
    pub(crate) total: usize,
}

/// Why the index failed.
#[derive(Debug, Error)]
pub(crate) enum SearchError {
    #[error("the full-text index failed")]
    Text(#[from] tantivy::TantivyError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the indexing task died")]
    Died(#[from] tokio::task::JoinError),
}

/// The search of one registry.
pub(crate) struct Search {
    /// By name.
    catalogue: RwLock<BTreeMap<String, Arc<Entry>>>,
    text: Arc<TextIndex>,
    /// Packages that wait to be indexed; the number of all that ever did.
    waiting: Mutex<(Vec<String>, u64)>,
    /// How many of them are indexed. Held while a batch is, so that publishes share a commit.
    indexing: tokio::sync::Mutex<()>,
    indexed: AtomicU64,
}

impl Search {
    /// Indexes the whole catalogue.
    pub(crate) async fn load(db: &Db) -> Result<Self, SearchError> {
        let search = Self {
            catalogue: RwLock::default(),
            text: Arc::new(TextIndex::new()?),
            waiting: Mutex::default(),
            indexing: tokio::sync::Mutex::default(),
            indexed: AtomicU64::new(0),
        };
        let mut read = db.read().await?;
        let mut rows = std::pin::pin!(packages::catalogue(&mut read).try_chunks(BATCH));
        while let Some(rows) = rows.try_next().await.map_err(|e| e.1)? {
            search.apply(rows.iter().map(Entry::new).map(Arc::new).collect()).await?;
        }
        Ok(search)
    }

    /// Brings a package up to date with the database; returns when searches see it.
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
        if let Err(error) = self.index(db, &names).await {
            // The next publish tries them again.
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).0.extend(names);
            return Err(error);
        }
        self.indexed.store(last, Atomic::Release);
        Ok(())
    }

    async fn index(&self, db: &Db, names: &[String]) -> Result<(), SearchError> {
        let mut entries = BTreeMap::new();
        let mut read = db.read().await?;
        for name in names {
            if let Some(row) = packages::catalogue_row(&mut read, name).await? {
                entries.insert(name, Arc::new(Entry::new(&row)));
            }
        }
        drop(read);
        self.apply(entries.into_values().collect()).await
    }

    async fn apply(&self, entries: Vec<Arc<Entry>>) -> Result<(), SearchError> {
        let updates: Vec<Update> = entries.iter().map(|e| Update::new(e)).collect();
        let text = Arc::clone(&self.text);
        tokio::task::spawn_blocking(move || text.update(updates)).await??;
        let mut catalogue = self.catalogue.write().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            catalogue.insert(entry.summary.name.clone(), entry);
        }
        Ok(())
    }

    fn catalogue(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Entry>>> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of packages that may be read.
    pub(crate) fn len(&self, reader: &Reader) -> usize {
        let catalogue = self.catalogue();
        if reader.reads_everything() {
            return catalogue.len();
        }
        catalogue.keys().filter(|name| reader.may_read(name)).count()
    }

    /// A package by its name, if it may be read.
    pub(crate) fn entry(&self, reader: &Reader, name: &str) -> Option<Arc<Entry>> {
        self.catalogue().get(name).filter(|_| reader.may_read(name)).cloned()
    }

    /// Packages in the order of their names, from an offset on.
    pub(crate) fn page_by_name(&self, reader: &Reader, offset: usize, limit: usize) -> Page {
        let catalogue = self.catalogue();
        if reader.reads_everything() {
            let entries = catalogue.values().skip(offset).take(limit).cloned().collect();
            return Page { entries, total: catalogue.len() };
        }
        let readable: Vec<&Arc<Entry>> = catalogue.values().filter(|e| reader.may_read(&e.summary.name)).collect();
        let entries = readable.iter().skip(offset).take(limit).map(|entry| Arc::clone(entry)).collect();
        Page { entries, total: readable.len() }
    }

    /// Packages in the order of their names, from a name on.
    pub(crate) fn from_name(&self, reader: &Reader, name: &str, count: usize) -> Vec<Arc<Entry>> {
        let catalogue = self.catalogue();
        let readable = catalogue.range(name.to_owned()..).filter(|(name, _)| reader.may_read(name));
        readable.take(count).map(|(_, entry)| Arc::clone(entry)).collect()
    }

    /// Searches. Blocks for as long as it computes.
    pub(crate) fn search(&self, query: &Query, counts: &Counts) -> Result<Page, SearchError> {
        let piece = query.text.trim().to_lowercase();
        let words: HashMap<i64, f32> = if piece.is_empty() { HashMap::new() } else { self.text.matches(&piece)? };
        let catalogue = self.catalogue();
        let counts = counts.lookup();
        let mut found: Vec<Hit<'_>> = Vec::new();
        let filtered = !query.reader.reads_everything();
        for entry in catalogue.values() {
            if filtered && !query.reader.may_read(&entry.summary.name) {
                continue;
            }
            if query.server_type.as_ref().is_some_and(|t| *t != entry.summary.server_type) {
                continue;
            }
            let by_word = words.get(&entry.package_id).copied();
            let by_piece = entry.contains(&piece);
            if piece.is_empty() || by_word.is_some() || by_piece.is_some() {
                let score = by_word.unwrap_or(0.0) + by_piece.unwrap_or(0.0);
                found.push(Hit { entry, score, downloads: counts.package(entry.package_id) });
            }
        }
        let total = found.len();
        // By name already; a stable sort keeps that for ties.
        found.sort_by(|a, b| a.compare(b, query.sort));
        let page = found.into_iter().skip(query.offset).take(query.limit);
        Ok(Page { entries: page.map(|hit| Arc::clone(hit.entry)).collect(), total })
    }
}

struct Hit<'a> {
    entry: &'a Arc<Entry>,
    score: f32,
    downloads: u64,
}

impl Hit<'_> {
    fn compare(&self, other: &Self, sort: Sort) -> Ordering {
        match sort {
            Sort::Relevance => other.score.total_cmp(&self.score).then(other.downloads.cmp(&self.downloads)),
            Sort::Downloads => other.downloads.cmp(&self.downloads),
            Sort::Recent => other.entry.created_at_ms.cmp(&self.entry.created_at_ms),
            // RFC 3339 in UTC with a fixed number of digits sorts as text.
            Sort::Published => other.entry.summary.published_at.cmp(&self.entry.summary.published_at),
            Sort::Name => Ordering::Equal,
        }
    }
}
