//! What texts name: something on this machine, an address of another, the name of a model.

use crate::capabilities::values::{HERE, UNKNOWN};

/// Addresses that libraries for data open like files.
pub(super) fn is_remote(text: &str) -> bool {
    ["http://", "https://", "ftp://", "sftp://", "s3://", "gs://", "gcs://", "abfs://", "az://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

/// Whether a call takes the name of a model, which is fetched unless it is a folder.
pub(super) fn loads_models(path: &str) -> bool {
    [
        "transformers",
        "sentence_transformers",
        "datasets",
        "diffusers",
        "spacy",
        "faster_whisper",
        "whisper",
        "ultralytics",
    ]
    .iter()
    .any(|module| path.split('.').next() == Some(module))
}

/// Whether a text is a path, not the name of something to be fetched.
pub(super) fn is_local(text: &str) -> bool {
    text.starts_with(['.', '/', '~', HERE]) || text.starts_with("file:")
}

/// The host of a URL, if it is constant.
pub(super) fn host(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.is_empty() || scheme.len() > 12 {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty() && !host.contains(UNKNOWN)).then(|| host.to_lowercase())
}
