//! Lists of packages, asked of the search index and counted from memory.

use super::entry::{Entry, Facts};
use super::lost::Fault;
use crate::answers::Part;
use crate::answers::offers::Offers;
use crate::auth::asker;
use crate::search::{self, Query, SearchError, Sort};
use crate::state::AppState;

/// A page of a list.
pub(crate) struct List {
    /// In order.
    pub(crate) entries: Vec<Entry>,
    /// All that match.
    pub(crate) total: usize,
}

/// Asks for a page of packages; without words, of all.
pub(crate) async fn list(
    state: &AppState,
    text: String,
    server_type: Option<&str>,
    sort: Sort,
    limit: usize,
    offset: usize,
) -> Result<List, Fault> {
    let query = Query {
        text,
        server_type: server_type.map(str::to_owned),
        sort,
        limit,
        offset,
        reader: asker::current().reader,
    };
    let found = search::find(state, query).await?;
    let entries = found.entries.iter().map(|e| entry(state, e)).collect::<Result<_, _>>()?;
    Ok(List { entries, total: found.total })
}

fn entry(state: &AppState, found: &search::Found) -> Result<Entry, SearchError> {
    let summary = found.summary()?;
    let read = found.texts(&[Part::Offers])?;
    let offers = Offers::new(read.get(0));
    let fate = offers.fate().map_err(SearchError::Kept)?;
    let latest = offers.find(&fate.latest).map_err(SearchError::Kept)?;
    Ok(Entry::new(Facts {
        name: &summary.name,
        display_name: summary.display_name.as_deref(),
        description: summary.description.as_deref(),
        version: &summary.latest_version,
        server_type: &summary.server_type,
        downloads: state.counts.package(found.package_id()),
        tools_count: summary.tools.as_array().map_or(0, Vec::len),
        published_at: &summary.published_at,
        deprecated: fate.deprecated.is_some(),
        level: latest.as_ref().and_then(|offer| offer.level),
        score: latest.as_ref().and_then(|offer| offer.score),
    }))
}
