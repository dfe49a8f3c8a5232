//! The full-text index: which packages hold the words of a query, and how well.
//!
//! BM25 over fields of different weight. A fuzzy match scores a constant, so each word is asked exactly,
//! as a prefix and with typos, as clauses of falling weight. All words must match; where a query of
//! several words finds nothing that way, some of them suffice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, BoostQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, TextAnalyzer,
};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};

use super::Entry;

/// Memory of the writer; the least that it takes.
const WRITER_BYTES: usize = 15_000_000;
/// Words of a query that are looked at.
const WORDS_MAX: usize = 12;
/// Longest word, in bytes.
const WORD_BYTES_MAX: usize = 64;
/// Most packages that a query ranks by words.
const HITS_MAX: usize = 10_000;

/// A field and what a match in it weighs.
#[derive(Clone, Copy)]
struct Weighted {
    field: Field,
    weight: f32,
    /// Prose is stemmed and not searched with typos.
    prose: bool,
}

/// The index of one registry, in memory.
pub(super) struct TextIndex {
    writer: Mutex<IndexWriter>,
    reader: IndexReader,
    id: Field,
    fields: [Weighted; 7],
    plain: TextAnalyzer,
    prose: TextAnalyzer,
}

/// What is to be indexed of a package, in the order of the fields.
pub(super) struct Update {
    id: u64,
    texts: [String; 7],
}

impl Update {
    /// From a catalogue entry.
    pub(super) fn new(entry: &Entry) -> Self {
        let summary = &entry.summary;
        let tools = summary.tools.as_array().map(Vec::as_slice).unwrap_or_default();
        let of_tools = |member: &str| tools.iter().filter_map(|t| t[member].as_str()).collect::<Vec<_>>().join(" ");
        let texts = [
            summary.name.clone(),
            summary.display_name.clone().unwrap_or_default(),
            entry.keywords.join(" "),
            split_camel(&of_tools("name")),
            summary.author.as_ref().map(|a| a.name.clone()).unwrap_or_default(),
            summary.description.clone().unwrap_or_default(),
            of_tools("description"),
        ];
        Self { id: id_of(entry.package_id), texts }
    }
}

fn id_of(package_id: i64) -> u64 {
    u64::try_from(package_id).unwrap_or(0)
}

/// `getCurrentTime` is also found by `current`.
fn split_camel(text: &str) -> String {
    let mut split = String::with_capacity(text.len() * 2);
    let mut before = ' ';
    for c in text.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            split.push(' ');
        }
        split.push(c);
        before = c;
    }
    if split == text { split } else { format!("{text} {split}") }
}

impl TextIndex {
    /// An empty index.
    pub(super) fn new() -> tantivy::Result<Self> {
        let mut schema = Schema::builder();
        let id = schema.add_u64_field("id", INDEXED | FAST);
        let mut field = |name: &str, weight: f32, prose: bool| {
            let tokenizer = if prose { "prose" } else { "plain" };
            let indexing =
                TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(IndexRecordOption::WithFreqs);
            let field = schema.add_text_field(name, TextOptions::default().set_indexing_options(indexing));
            Weighted { field, weight, prose }
        };
        let fields = [
            field("name", 6.0, false),
            field("display_name", 5.0, false),
            field("keywords", 3.0, false),
            field("tools", 3.0, false),
            field("author", 2.0, false),
            field("description", 1.5, true),
            field("tool_descriptions", 0.7, true),
        ];
        let index = Index::create_in_ram(schema.build());
        let plain = TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(RemoveLongFilter::limit(WORD_BYTES_MAX))
            .filter(LowerCaser)
            .filter(AsciiFoldingFilter);
        let plain = plain.build();
        let prose = TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(RemoveLongFilter::limit(WORD_BYTES_MAX))
            .filter(LowerCaser)
            .filter(AsciiFoldingFilter)
            .filter(Stemmer::new(Language::English));
        let prose = prose.build();
        index.tokenizers().register("plain", plain.clone());
        index.tokenizers().register("prose", prose.clone());
        let writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { writer: Mutex::new(writer), reader, id, fields, plain, prose })
    }

    /// Replaces packages; searches see them when this returns. Blocks.
    pub(super) fn update(&self, updates: Vec<Update>) -> tantivy::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for update in updates {
            writer.delete_term(Term::from_field_u64(self.id, update.id));
            let mut document = TantivyDocument::default();
            document.add_u64(self.id, update.id);
            for (field, text) in self.fields.iter().zip(update.texts) {
                document.add_text(field.field, text);
            }
            writer.add_document(document)?;
        }
        writer.commit()?;
        self.reader.reload()
    }

    /// Packages that match a query by words, with their scores.
    pub(super) fn matches(&self, query: &str) -> tantivy::Result<HashMap<i64, f32>> {
        let (plain, prose) = (words(&self.plain, query), words(&self.prose, query));
        let clauses: Vec<Box<dyn Query>> = plain.iter().zip(&prose).map(|(w, s)| self.clause(w, s)).collect();
        if clauses.is_empty() {
            return Ok(HashMap::new());
        }
        let all = clauses.iter().map(|c| (Occur::Must, c.box_clone())).collect();
        let found = self.collect(&BooleanQuery::new(all))?;
        if !found.is_empty() || query.split_whitespace().count() < 2 {
            return Ok(found);
        }
        self.collect(&BooleanQuery::new(clauses.into_iter().map(|c| (Occur::Should, c)).collect()))
    }

    /// One word in any field: exact, as a prefix, with typos.
    fn clause(&self, plain: &str, prose: &str) -> Box<dyn Query> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let mut add = |query: Box<dyn Query>, weight: f32| {
            clauses.push((Occur::Should, Box::new(BoostQuery::new(query, weight))));
        };
        let typos = match plain.chars().count() {
            0..=3 => 0,
            4..=7 => 1,
            _ => 2,
        };
        for Weighted { field, weight, prose: is_prose } in self.fields {
            let term = Term::from_field_text(field, if is_prose { prose } else { plain });
            add(Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs)), weight);
            if plain.len() >= 2 {
                add(Box::new(FuzzyTermQuery::new_prefix(term.clone(), 0, true)), weight * 0.5);
            }
            if typos > 0 && !is_prose {
                add(Box::new(FuzzyTermQuery::new(term, typos, true)), weight * 0.2);
            }
        }
        Box::new(BooleanQuery::new(clauses))
    }

    fn collect(&self, query: &dyn Query) -> tantivy::Result<HashMap<i64, f32>> {
        let searcher = self.reader.searcher();
        let most = usize::try_from(searcher.num_docs()).unwrap_or(HITS_MAX).clamp(1, HITS_MAX);
        let mut found = HashMap::new();
        for (score, address) in searcher.search(query, &TopDocs::with_limit(most).order_by_score())? {
            let ids = searcher.segment_reader(address.segment_ord).fast_fields().u64("id")?;
            if let Some(id) = ids.first(address.doc_id).and_then(|id| i64::try_from(id).ok()) {
                found.insert(id, score);
            }
        }
        Ok(found)
    }
}

fn words(analyzer: &TextAnalyzer, text: &str) -> Vec<String> {
    let mut analyzer = analyzer.clone();
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    while words.len() < WORDS_MAX && stream.advance() {
        words.push(stream.token().text.clone());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camel_case_is_split_and_kept() {
        assert_eq!(split_camel("getCurrentTime read_file"), "getCurrentTime read_file get Current Time read_file");
        assert_eq!(split_camel("echo"), "echo");
    }
}
