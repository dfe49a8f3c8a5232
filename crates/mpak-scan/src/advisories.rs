//! Advisories as data: feeds of published vulnerabilities become one compact, dated, signed file, and
//! the components of a bundle are looked up in it.
//!
//! In: OSV records, CISA KEV and FIRST EPSS, archives of packages, all from outside; snapshots from anyone. Out: what
//! is published about each component, and which files it has. Nothing here opens a connection or asks for the time: equal feeds give
//! equal bytes (docs/formats/advisories.md).

use std::io;

mod build;
mod date;
mod feeds;
mod find;
mod input;
mod interval;
mod name;
mod osv;
mod package;
mod published;
mod score;
mod sign;
mod snapshot;
mod version;
mod wire;

pub use build::{BuildError, Builder, Built};
pub use find::{Doubt, Found, Match, Vulnerability};
pub use input::InputError;
pub use package::Package;
pub(crate) use published::{Id as PublishedId, id as published_id, key as published_key};
pub use score::{Basis, Score};
pub use sign::{KeyError, PublicKey, SigningKey};
pub use snapshot::{Feed, Head, Snapshot, SnapshotError};

/// Why something of a feed is not taken.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// It is not the JSON that the format describes.
    #[error("it is not well-formed: {0}")]
    Json(serde_json::Error),
    /// It cannot be read to its end.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// An id with characters that no id has.
    #[error("`{field}` is `{found}`, expected an id of letters, digits and `-`")]
    Identifier {
        /// Which.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// A text that is empty, too long, or holds control characters.
    #[error("`{field}` is `{found}`, expected 1 to {bytes_max} bytes without control characters")]
    Text {
        /// Which.
        field: &'static str,
        /// What stands there.
        found: String,
        /// The limit.
        bytes_max: usize,
    },
    /// A time in another form.
    #[error("`{field}` is `{found}`, expected a time in UTC like `2024-01-31T12:00:00Z`")]
    Moment {
        /// Which.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// More than any real record has.
    #[error("`{field}` has {count} members, expected at most {count_max}")]
    TooMany {
        /// Which.
        field: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// A row that is not `cve,epss,percentile`.
    #[error("the row `{found}` is not `CVE id,probability,percentile`")]
    Row {
        /// What stands there.
        found: String,
    },
}

/// The beginning of a text of others, for messages.
fn clip(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    text.chars().take(CHARS_MAX).map(|c| if c.is_control() { '?' } else { c }).collect()
}
