//! Signature markers inside stored files of an unsigned bundle: existing readers look for them anywhere
//! in the file and cut the bundle there.

use super::Entry;
use super::end::SIGNATURE_FOOTER;
use super::error::ArchiveError;
use super::finding::{Findings, code};
use super::source::Source;

const CHUNK_BYTES: u64 = 256 << 10;

/// Looks through stored entries only: deflate does not keep a text in its bytes.
pub(super) fn remark(source: &Source, entries: &[Entry], findings: &mut Findings) -> Result<(), ArchiveError> {
    for entry in entries.iter().filter(|e| e.stored) {
        if holds_footer(source, entry)? {
            findings.add(code::SIGNATURE_MARKERS, entry.path.as_str(), || {
                "a stored file holds the markers of a signature; some readers cut the bundle there".into()
            });
        }
    }
    Ok(())
}

fn holds_footer(source: &Source, entry: &Entry) -> Result<bool, ArchiveError> {
    let overlap = SIGNATURE_FOOTER.len() as u64 - 1;
    let mut at = 0;
    while at < entry.bytes {
        let wanted = (CHUNK_BYTES + overlap).min(entry.bytes - at);
        let chunk = source.read_up_to(entry.data_at + at, wanted as usize)?;
        if holds(&chunk) {
            return Ok(true);
        }
        at += CHUNK_BYTES;
    }
    Ok(false)
}

/// Looks for the rarest byte first, so that most windows cost one comparison.
fn holds(chunk: &[u8]) -> bool {
    let mut rest = chunk;
    while let Some(at) = rest.iter().position(|&b| b == b'M') {
        if rest[at..].starts_with(SIGNATURE_FOOTER) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}
