//! What a first publish under a name looks like: whether people must look at it before others see it.
//!
//! Part of stage 6. In: a name under which nothing was published. Out: why it is held, if it is. Popular
//! names are those that were downloaded often, so that a small registry holds next to nothing.
//! Spec: MTF 0.1 §3.7 RG-01, RG-02.

use mpak_bundle::name::PackageName;
use mpak_scan::names;

use crate::auth::access::Reader;
use crate::db::{DbResult, packages};
use crate::search::{self, Query, SearchError, Sort};
use crate::state::AppState;

/// Downloads that make a name worth mimicking.
const POPULAR_DOWNLOADS_MIN: u64 = 100;
/// Popular names that a new one is compared with.
const POPULAR_COUNT_MAX: usize = 500;

/// Why the package is held; nothing for an ordinary name or a package that is there.
pub(crate) async fn review(state: &AppState, package: &PackageName) -> DbResult<Option<String>> {
    if packages::find_any(&mut *state.db.read().await?, package.as_str()).await?.is_some() {
        return Ok(None);
    }
    match reasons(state, package).await {
        Ok(reasons) => Ok((!reasons.is_empty()).then(|| reasons.join("; "))),
        // What cannot be compared is looked at by people.
        Err(error) => {
            tracing::error!(%package, %error, "the name could not be reviewed");
            Ok(Some("the name could not be compared with others".to_owned()))
        }
    }
}

async fn reasons(state: &AppState, name: &PackageName) -> Result<Vec<String>, SearchError> {
    let most = Query {
        text: String::new(),
        server_type: None,
        sort: Sort::Downloads,
        limit: POPULAR_COUNT_MAX,
        offset: 0,
        reader: Reader::everything(),
    };
    let page = search::find(state, most).await?;
    let popular = page.entries.iter().filter(|e| state.counts.package(e.package_id()) >= POPULAR_DOWNLOADS_MIN);
    let popular: Vec<PackageName> = popular.filter_map(|e| PackageName::lookup(e.name()).ok()).collect();
    Ok(names::review(name, &popular).into_iter().map(|s| s.reason).collect())
}
