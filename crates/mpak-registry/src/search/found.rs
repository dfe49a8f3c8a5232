//! A package that was found: what lists and answers show of it.

use std::sync::Arc;

use memchr::memmem;
use mpak_api::bundle::Summary;

use super::SearchError;
use super::kept::{self, Read};
use super::segment::Segment;
use crate::answers::Part;
use crate::answers::template::Fill;

/// A package that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(super) segment: Arc<Segment>,
    pub(super) number: u32,
}

impl Found {
    /// Key.
    pub(crate) fn package_id(&self) -> i64 {
        self.segment.shelf.package_ids[self.number as usize]
    }

    /// `@scope/name`
    pub(crate) fn name(&self) -> &str {
        std::str::from_utf8(self.segment.shelf.name(self.number)).unwrap_or_default()
    }

    /// Whether name, display name or description hold a lower-case text.
    pub(crate) fn contains(&self, piece: &str) -> bool {
        !piece.contains('\0') && memmem::find(self.segment.shelf.text(self.number), piece.as_bytes()).is_some()
    }

    /// The template of its summary, if it is in memory, and where the count of downloads stands, if that is known.
    pub(crate) fn held_summary(&self) -> Option<(&[u8], Option<u32>)> {
        let kept = &self.segment.shelf.kept[self.number as usize];
        let summary = kept.held(Part::Summary as usize)?;
        Some((summary, kept.summary.as_ref().and_then(|held| held.count_at)))
    }

    /// Some of its texts.
    pub(crate) fn texts(&self, parts: &[Part]) -> Result<Read, SearchError> {
        texts(std::slice::from_ref(self), parts)
    }

    /// The wire's summary; its downloads are 0, since counts are added when it is shown.
    pub(crate) fn summary(&self) -> Result<Summary, SearchError> {
        let read = self.texts(&[Part::Summary])?;
        let mut json = Vec::with_capacity(read.get(0).len());
        Fill { base: "", package: self.package_id(), summary: b"", counts: None }.write(read.get(0), &mut json);
        serde_json::from_slice(&json).map_err(|e| SearchError::Kept(e.into()))
    }
}

/// Some texts of each of some packages.
pub(crate) fn texts(packages: &[Found], parts: &[Part]) -> Result<Read, SearchError> {
    let kept = packages.iter().map(|found| &found.segment.shelf.kept[found.number as usize]);
    kept::read(kept, parts).map_err(SearchError::Kept)
}
