//! The texts of a file with tools.

use std::io::Read as _;
use std::path::Path;

use mpak_scan::texts::Texts;

use crate::bundle_file::open_file;
use crate::error::{CommandError, Kind};

/// Largest file with tools.
const TOOLS_BYTES_MAX: u64 = 64 << 20;

/// Reads them.
///
/// # Errors
/// Not found, not readable, or no list of tools.
pub(super) fn texts(path: &Path) -> Result<Texts, CommandError> {
    let refused = |message: String| {
        CommandError::new(Kind::NotABundle, message)
            .hint("give the JSON of a `tools/list` result, or an array of tools")
    };
    let mut text = Vec::new();
    open_file(path)?
        .take(TOOLS_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| refused(format!("`{}` cannot be read: {error}", path.display())))?;
    if text.len() as u64 > TOOLS_BYTES_MAX {
        return Err(refused(format!("`{}` has more than {TOOLS_BYTES_MAX} bytes", path.display())));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let document =
        serde_json::from_slice(text).map_err(|error| refused(format!("`{}` is not JSON: {error}", path.display())))?;
    Texts::from_tools(&document, &path.display().to_string())
        .ok_or_else(|| refused(format!("`{}` holds no list of tools", path.display())))
}
