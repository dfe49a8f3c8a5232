//! Stage 6, admit: is this a sound bundle, and is it what it is published as?
//!
//! In: [`Received`] bytes from a publisher, hostile. Out: [`Admitted`]. Nothing is kept yet. Blocks.
//! Spec: MTF 0.1 AI-01, RG-01; the container and manifest rules of `mpak-bundle`.

use mpak_bundle::archive::{Archive, ArchiveError, Bundle, OpenError};
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::Manifest;
use mpak_bundle::name::{NameError, PackageName};
use mpak_bundle::native::NativeCode;
use mpak_bundle::platform::Platform;
use serde_json::Value;
use thiserror::Error;

use super::receive::{Received, Upload};

/// Longest README that pages show.
pub(crate) const README_BYTES_MAX: u64 = 512 << 10;
/// Native files that a refusal names.
const NATIVE_FILES_TOLD_MAX: usize = 5;

/// A bundle that may be published.
#[derive(Debug)]
pub(crate) struct Admitted {
    received: Received,
    server_type: &'static str,
    /// The document as the bundle has it, compacted.
    manifest_json: String,
    readme: Option<String>,
}

impl Admitted {
    /// What came.
    pub(crate) fn received(&self) -> &Received {
        &self.received
    }

    /// What no two publishes may decide about at the same time.
    pub(crate) fn identity(&self) -> (String, String, Platform) {
        let upload = self.received.upload();
        (upload.publisher.package().to_string(), upload.version.to_string(), upload.platform)
    }

    /// What was claimed, when the file is not needed any more.
    pub(crate) fn into_upload(self) -> Upload {
        self.received.into_parts().0
    }

    /// The parts, for the stage that keeps the file.
    pub(crate) fn into_parts(self) -> (Received, Texts) {
        let texts = Texts { server_type: self.server_type, manifest_json: self.manifest_json, readme: self.readme };
        (self.received, texts)
    }
}

/// What is recorded of a bundle's texts.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) server_type: &'static str,
    pub(crate) manifest_json: String,
    pub(crate) readme: Option<String>,
}

/// Why a bundle may not be published.
#[derive(Debug, Error)]
pub(crate) enum AdmitError {
    /// The name can be looked up but not published.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Container or manifest is refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The data of an entry is damaged.
    #[error(transparent)]
    Damaged(#[from] ArchiveError),
    /// The bundle calls itself something else.
    #[error("the bundle's manifest is named `{found}`, which is not `{expected}`")]
    NameMismatch {
        /// As published.
        expected: PackageName,
        /// In the manifest.
        found: String,
    },
    /// The bundle has another version.
    #[error("the bundle's manifest has version `{found}`, not `{expected}`")]
    VersionMismatch {
        /// As published.
        expected: String,
        /// In the manifest.
        found: String,
    },
    /// The announced manifest is not the bundle's.
    #[error("the announced manifest is not the bundle's: they differ at `{pointer}`")]
    Announced {
        /// Where, as a JSON pointer.
        pointer: String,
    },
    /// Native code that does not run there.
    #[error("the bundle holds native code that does not fit platform `{expected}`")]
    Platform {
        /// As published.
        expected: Platform,
        /// Some native files, with what they were built for.
        found: Vec<(String, String)>,
        /// What it could be published for.
        fits: Option<Platform>,
    },
    /// Our disk.
    #[error("cannot read the upload back")]
    Io(#[from] std::io::Error),
}

/// Admits a bundle.
pub(crate) fn admit(received: Received, limits: &Limits) -> Result<Admitted, AdmitError> {
    let upload = received.upload();
    let package = upload.publisher.package();
    // 1. The name may be published.
    PackageName::publishable(package.as_str())?;
    // 2. Container and manifest are sound.
    let Bundle { archive, manifest, .. } = Bundle::open(received.file().reopen()?, limits)?;
    // 3. The bundle is what it is published as.
    if !names(&manifest.name, package) {
        return Err(AdmitError::NameMismatch { expected: package.clone(), found: manifest.name });
    }
    let version = upload.version.to_string();
    if manifest.version != version {
        return Err(AdmitError::VersionMismatch { expected: version, found: manifest.version });
    }
    let announced = upload.release.as_ref().and_then(|release| difference(&release.manifest, &manifest.raw));
    if let Some(pointer) = announced {
        return Err(AdmitError::Announced { pointer });
    }
    // 4. Its native code runs on the platform.
    let native = NativeCode::of(&archive);
    if !native.allows(upload.platform) {
        let fits = native.platform();
        let known = native.files.into_iter().map(|(path, platform)| (path, platform.to_string()));
        let found = known.chain(native.others).take(NATIVE_FILES_TOLD_MAX).collect();
        return Err(AdmitError::Platform { expected: upload.platform, found, fits });
    }
    // 5. Every byte of it is sound.
    archive.check_all()?;
    let readme = readme(&archive);
    let Manifest { server, raw, .. } = manifest;
    Ok(Admitted { server_type: server.kind.as_str(), manifest_json: raw.to_string(), readme, received })
}

/// A manifest's name is the package's, or unscoped and its last part.
fn names(manifest_name: &str, package: &PackageName) -> bool {
    manifest_name == package.as_str() || manifest_name == package.base()
}

/// Where two documents differ, if they do. Order of members and spelling of numbers do not matter, since
/// an announcement went through other programs.
fn difference(announced: &Value, found: &Value) -> Option<String> {
    let below = |part: &str, rest: String| format!("/{}{rest}", part.replace('~', "~0").replace('/', "~1"));
    match (announced, found) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = a.keys().find(|k| !b.contains_key(*k)).or_else(|| b.keys().find(|k| !a.contains_key(*k)));
            match missing {
                Some(name) => Some(below(name, String::new())),
                None => a.iter().find_map(|(k, v)| difference(v, &b[k]).map(|rest| below(k, rest))),
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.into_iter().find_map(|(i, (a, b))| difference(a, b).map(|rest| below(&i.to_string(), rest)))
        }
        (Value::Number(a), Value::Number(b)) if a == b || a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        _ => Some(String::new()),
    }
}

/// The README at the bundle's root, whatever its case; none when it is too long or unreadable.
fn readme(archive: &Archive) -> Option<String> {
    let entry = archive.entries().iter().find(|e| e.path.as_str().eq_ignore_ascii_case("README.md"))?;
    let bytes = archive.read(entry, README_BYTES_MAX).ok()?;
    // PostgreSQL keeps no NUL in a text.
    Some(String::from_utf8_lossy(&bytes).replace('\0', "\u{FFFD}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_its_package_whole_or_unscoped() {
        let package = PackageName::publishable("@acme/widget").unwrap();
        for (name, expect) in [
            ("@acme/widget", true),
            ("widget", true),
            ("acme/widget", false),
            ("@other/widget", false),
            ("@acme/widge", false),
            ("Widget", false),
            ("", false),
        ] {
            assert_eq!(names(name, &package), expect, "{name}");
        }
    }

    #[test]
    fn documents_are_compared_by_what_they_say() {
        use serde_json::json;
        for (a, b, expect) in [
            (json!({"a": 1, "b": [1, {"c": null}]}), json!({"b": [1.0, {"c": null}], "a": 1}), None),
            (json!({"a": 1}), json!({"a": 2}), Some("/a")),
            (json!({"a": 1}), json!({"a": "1"}), Some("/a")),
            (json!({"a": 1}), json!({}), Some("/a")),
            (json!({}), json!({"x/y~z": 1}), Some("/x~1y~0z")),
            (json!({"t": [{"n": "a"}, {"n": "b"}]}), json!({"t": [{"n": "a"}, {"n": "c"}]}), Some("/t/1/n")),
            (json!({"t": [1]}), json!({"t": [1, 2]}), Some("/t")),
            (json!([]), json!({}), Some("")),
        ] {
            assert_eq!(difference(&a, &b).as_deref(), expect, "{a} {b}");
        }
    }
}
