//! Pages for what did not work: nothing at this address, or our fault. Both offer a way on.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use super::entry::package_path;
use super::figures::Moment;
use super::shell::{Shell, page};
use super::text::Shown;
use crate::db::DbError;
use crate::db::tombstones::Tombstone;
use crate::search::SearchError;

/// What was looked for and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// No page has this address.
    Page,
    /// No package has this name.
    Package,
    /// The package has no such version.
    Version,
    /// No control has this id.
    Control,
}

/// Our fault: the cause goes to the log, the reader gets a page without it.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error("the page's task died")]
    Died(#[from] tokio::task::JoinError),
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        tracing::error!(error = %self, cause = ?std::error::Error::source(&self), "a page failed");
        match self {
            Self::Db(e) | Self::Search(SearchError::Db(e)) if e.is_unavailable() => not_now(),
            _ => our_fault(),
        }
    }
}

#[derive(Template)]
#[template(path = "lost.html")]
struct LostPage {
    shell: Shell,
    code: u16,
    headline: &'static str,
    text: &'static str,
    what: Shown,
    /// What became of it.
    more: Shown,
    words: String,
    back: Option<(String, &'static str)>,
}

/// 404, naming what was looked for and where to look instead.
pub(crate) fn not_found(lost: Lost, what: &str) -> Response {
    missing(lost, what, Shown::default())
}

/// The same for what was here once: since when it is gone, and why.
pub(crate) fn gone(lost: Lost, what: &str, tombstone: &Tombstone) -> Response {
    let day = Moment::at(tombstone.at_ms).day;
    let stays = if lost == Lost::Version { "Its number" } else { "Its name" };
    let reason = tombstone.reason.as_deref().map(|reason| format!(" The reason given: {reason}")).unwrap_or_default();
    missing(lost, what, Shown::line(&format!("It was taken away on {day}. {stays} is never used again.{reason}"), 800))
}

fn missing(lost: Lost, what: &str, more: Shown) -> Response {
    let (headline, text) = match lost {
        Lost::Package if !more.is_empty() => ("This package is gone", "There is nothing here any more under the name"),
        Lost::Version if !more.is_empty() => ("This version is gone", "There is nothing here any more as"),
        Lost::Page => ("There is no page here", "No page of this registry has the address"),
        Lost::Package => ("This package is not here", "This registry has no package with the name"),
        Lost::Version => ("This version is not here", "Nothing was published as"),
        Lost::Control => ("There is no such control", "No control has the id"),
    };
    let back = match lost {
        Lost::Version => what.rsplit_once('@').map(|(name, _)| (package_path(name), "Latest version")),
        Lost::Control => Some(("/controls".to_owned(), "All controls")),
        Lost::Page | Lost::Package => None,
    };
    let view = LostPage {
        shell: Shell::new(&format!("{headline} – mpak"), Shown::default()).without_search().unlisted(),
        code: 404,
        headline,
        text,
        what: Shown::word(what, 300),
        more,
        words: words(what),
        back,
    };
    page(StatusCode::NOT_FOUND, &view)
}

/// 500, with nothing of the cause.
pub(crate) fn our_fault() -> Response {
    let view = LostPage {
        shell: Shell::new("Something broke – mpak", Shown::default()).without_search().unlisted(),
        code: 500,
        headline: "Something broke on our side",
        text: "The registry could not answer. The cause is in its log; trying again in a moment may help.",
        what: Shown::default(),
        more: Shown::default(),
        words: String::new(),
        back: None,
    };
    page(StatusCode::INTERNAL_SERVER_ERROR, &view)
}

/// 503: the database does not answer.
fn not_now() -> Response {
    let view = LostPage {
        shell: Shell::new("Not now – mpak", Shown::default()).without_search().unlisted(),
        code: 503,
        headline: "The registry cannot answer now",
        text: "Its database does not answer. Nothing is lost; please try again in a moment.",
        what: Shown::default(),
        more: Shown::default(),
        words: String::new(),
        back: None,
    };
    page(StatusCode::SERVICE_UNAVAILABLE, &view)
}

/// What may be worth searching for.
fn words(what: &str) -> String {
    let last = what.trim_start_matches('@').rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
    let last = last.split('@').next().unwrap_or_default();
    let words: String = last.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).take(60).collect();
    words.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_for_becomes_words_to_search() {
        assert_eq!(words("@acme/time-zone"), "time zone");
        assert_eq!(words("@acme/widget@9.9.9"), "widget");
        assert_eq!(words("/packages/<script>"), "script");
        assert_eq!(words("/"), "");
    }

    #[test]
    fn answers_have_their_status() {
        assert_eq!(not_found(Lost::Page, "/x").status(), StatusCode::NOT_FOUND);
        assert_eq!(our_fault().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
