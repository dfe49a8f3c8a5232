//! The first page: what this is, the search field, what is new and what is used.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use url::form_urlencoded;

use super::catalogue;
use super::entry::Entry;
use super::figures::grouped;
use super::lost::Fault;
use super::shell::{Shell, page};
use super::snippet::Target;
use super::text::Shown;
use crate::search::Sort;
use crate::state::AppState;

/// Packages in each list.
const LIST_COUNT: usize = 6;

/// The page.
#[derive(Template)]
#[template(path = "home.html")]
pub(crate) struct Home {
    shell: Shell,
    packages: String,
    packages_count: usize,
    recent: Vec<Entry>,
    popular: Vec<Entry>,
    base_url: String,
    try_it: String,
}

impl Home {
    /// From lists of the catalogue.
    pub(crate) fn new(packages_count: usize, recent: Vec<Entry>, popular: Vec<Entry>, base_url: &str) -> Self {
        let description = Shown::line("A registry of MCP servers that you can check before you run them.", 200);
        Self {
            try_it: popular.first().map_or_else(String::new, |e| Target::new(&e.full_name, None, base_url).run()),
            shell: Shell::new("mpak – MCP servers you can check before you run them", description).without_search(),
            packages: grouped(packages_count as u64),
            packages_count,
            recent,
            popular,
            base_url: base_url.to_owned(),
        }
    }
}

/// `GET /`; with `?q=` or, as existing links have it, `?search=`, leads to the search.
pub(crate) async fn home(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    if let Some(words) = searched(query.as_deref()) {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", &words).finish();
        return Ok(Redirect::to(&format!("/search?{query}")).into_response());
    }
    let recent = catalogue::list(&state, String::new(), None, Sort::Published, LIST_COUNT, 0).await?;
    let popular = catalogue::list(&state, String::new(), None, Sort::Downloads, LIST_COUNT, 0).await?;
    let view = Home::new(recent.total, recent.entries, popular.entries, &state.base_url(&headers));
    Ok(page(StatusCode::OK, &view))
}

fn searched(query: Option<&str>) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(name, _)| name == "q" || name == "search").map(|(_, words)| words.chars().take(200).collect())
}
