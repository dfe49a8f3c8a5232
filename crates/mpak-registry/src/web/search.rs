//! Results of a search, or the whole catalogue, page by page.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use url::form_urlencoded;

use super::catalogue;
use super::entry::Entry;
use super::figures::counted;
use super::lost::Fault;
use super::shell::{Shell, page};
use super::text::Shown;
use crate::search::Sort;
use crate::state::AppState;

/// Results on a page.
const RESULTS_COUNT: usize = 20;
/// Packages that are suggested when there are no results.
const SUGGESTIONS_COUNT: usize = 4;
/// Last page that is shown.
const PAGES_MAX: usize = 500;
/// Longest text that is searched for, as in the API.
const TEXT_CHARS_MAX: usize = 200;
/// Kinds of servers, with their names.
const TYPES: [(&str, &str); 4] = [("node", "Node.js"), ("python", "Python"), ("binary", "Binary"), ("uv", "uv")];
/// Orders: word, name, meaning.
const SORTS: [(&str, &str, Sort); 4] = [
    ("relevance", "Best match", Sort::Relevance),
    ("downloads", "Downloads", Sort::Downloads),
    ("recent", "Newest", Sort::Published),
    ("name", "Name", Sort::Name),
];

/// What was asked for; anything unreadable is the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Words.
    text: String,
    /// One of [`TYPES`].
    server_type: Option<&'static str>,
    /// One of [`SORTS`]; `None` for the usual one.
    sort: Option<&'static str>,
    /// From 1.
    page: usize,
}

impl Asked {
    /// Reads a query string.
    pub(crate) fn read(query: Option<&str>) -> Self {
        let mut asked = Self { text: String::new(), server_type: None, sort: None, page: 1 };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "q" => asked.text = value.trim().chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect(),
                "type" => asked.server_type = TYPES.iter().map(|t| t.0).find(|word| *word == value),
                "sort" => asked.sort = SORTS.iter().map(|s| s.0).find(|word| *word == value),
                "page" => asked.page = value.parse().unwrap_or(1).clamp(1, PAGES_MAX),
                _ => {}
            }
        }
        asked
    }

    /// Words have a best match; without words, what is used most comes first.
    fn order(&self) -> &'static str {
        let usual = if self.text.is_empty() { "downloads" } else { "relevance" };
        self.sort.filter(|sort| *sort != "relevance" || !self.text.is_empty()).unwrap_or(usual)
    }

    fn sort(&self) -> Sort {
        SORTS.iter().find(|s| s.0 == self.order()).map_or(Sort::Downloads, |s| s.2)
    }

    fn offset(&self) -> usize {
        (self.page - 1) * RESULTS_COUNT
    }

    fn href(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if let Some(server_type) = self.server_type {
            query.append_pair("type", server_type);
        }
        if let Some(sort) = self.sort {
            query.append_pair("sort", sort);
        }
        if self.page > 1 {
            query.append_pair("page", &self.page.to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/search".to_owned(),
            query => format!("/search?{query}"),
        }
    }
}

/// A choice among several.
struct Choice {
    name: &'static str,
    href: String,
    chosen: bool,
}

/// The page.
#[derive(Template)]
#[template(path = "search.html")]
pub(crate) struct Results {
    shell: Shell,
    text: Shown,
    server_type: Option<&'static str>,
    sort: Option<&'static str>,
    headline: String,
    types: Vec<Choice>,
    sorts: Vec<Choice>,
    entries: Vec<Entry>,
    page: usize,
    pages: usize,
    previous: Option<String>,
    next: Option<String>,
    without_type: Option<String>,
    suggestions: Vec<Entry>,
}

impl Results {
    /// From a page of results; suggestions are shown when there are none.
    pub(crate) fn new(asked: &Asked, entries: Vec<Entry>, total: usize, suggestions: Vec<Entry>) -> Self {
        let pages = total.div_ceil(RESULTS_COUNT).clamp(1, PAGES_MAX);
        let at_page = |page: usize| Asked { page, ..asked.clone() }.href();
        let text = Shown::line(&asked.text, TEXT_CHARS_MAX);
        let title =
            if text.is_empty() { "All packages – mpak".to_owned() } else { format!("{text} – search – mpak") };
        Self {
            shell: Shell::new(&title, Shown::default()).without_search().unlisted(),
            text,
            server_type: asked.server_type,
            sort: asked.sort,
            headline: counted(total as u64, "package", "packages"),
            types: types(asked),
            sorts: sorts(asked),
            page: asked.page,
            pages,
            previous: (asked.page > 1).then(|| at_page(asked.page.min(pages + 1) - 1)),
            next: (asked.page < pages).then(|| at_page(asked.page + 1)),
            without_type: asked.server_type.map(|_| Asked { server_type: None, page: 1, ..asked.clone() }.href()),
            entries,
            suggestions,
        }
    }
}

fn types(asked: &Asked) -> Vec<Choice> {
    let choice = |name, server_type: Option<&'static str>| Choice {
        name,
        href: Asked { server_type, page: 1, ..asked.clone() }.href(),
        chosen: asked.server_type == server_type,
    };
    let each = TYPES.iter().map(|(word, name)| choice(name, Some(word)));
    std::iter::once(choice("All", None)).chain(each).collect()
}

/// Without words there is nothing to match best.
fn sorts(asked: &Asked) -> Vec<Choice> {
    let offered = SORTS.iter().filter(|(word, ..)| *word != "relevance" || !asked.text.is_empty());
    let choice = |(sort, name, _): &(&'static str, &'static str, Sort)| Choice {
        name,
        href: Asked { sort: Some(sort), page: 1, ..asked.clone() }.href(),
        chosen: asked.order() == *sort,
    };
    offered.map(choice).collect()
}

/// `GET /search?q=&type=&sort=&page=`
pub(crate) async fn search(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Fault> {
    let asked = Asked::read(query.as_deref());
    let sort = asked.sort();
    let found = catalogue::list(&state, asked.text.clone(), asked.server_type, sort, RESULTS_COUNT, asked.offset());
    let found = found.await?;
    let suggestions = if found.entries.is_empty() {
        catalogue::list(&state, String::new(), None, Sort::Downloads, SUGGESTIONS_COUNT, 0).await?.entries
    } else {
        Vec::new()
    };
    Ok(page(StatusCode::OK, &Results::new(&asked, found.entries, found.total, suggestions)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_leniently() {
        let asked = Asked::read(Some("q=+time+zone&type=python&sort=recent&page=3&x=y"));
        let expect = Asked { text: "time zone".to_owned(), server_type: Some("python"), sort: Some("recent"), page: 3 };
        assert_eq!(asked, expect);
        assert_eq!((asked.offset(), asked.sort()), (40, Sort::Published));
        assert_eq!(Asked::read(None).sort(), Sort::Downloads);
        assert_eq!(Asked::read(Some("q=x")).sort(), Sort::Relevance);
        assert_eq!(Asked::read(Some("sort=relevance")).sort(), Sort::Downloads);
        for odd in ["page=0", "page=-1", "page=x", "page=99999999999999999999", "type=<script>", "sort=%00"] {
            let asked = Asked::read(Some(odd));
            assert!(asked.page >= 1 && asked.page <= PAGES_MAX && asked.server_type.is_none(), "{odd}");
        }
        assert_eq!(Asked::read(Some(&format!("q={}", "x".repeat(10_000)))).text.len(), TEXT_CHARS_MAX);
    }

    #[test]
    fn links_keep_what_was_asked_and_encode_it() {
        let asked = Asked::read(Some("q=%22%3E%3Cscript%3E%26type%3Dnode&type=uv"));
        let page = Results::new(&asked, Vec::new(), 100, Vec::new());
        assert_eq!(page.next.as_deref(), Some("/search?q=%22%3E%3Cscript%3E%26type%3Dnode&type=uv&page=2"));
        assert_eq!(page.previous, None);
        assert!(!page.without_type.unwrap().contains("type=uv"));
    }

    #[test]
    fn a_page_behind_the_last_leads_back() {
        let asked = Asked::read(Some("q=x&page=400"));
        let page = Results::new(&asked, Vec::new(), 30, Vec::new());
        assert_eq!(page.previous.as_deref(), Some("/search?q=x&page=2"));
        assert_eq!(page.next, None);
    }
}
