//! Paths of the API, built in one place so that client and registry cannot differ.

use mpak_bundle::name::PackageName;
use mpak_bundle::platform::Platform;

/// `/v1/bundles/search`
pub const SEARCH: &str = "/v1/bundles/search";

/// The registry's newest snapshot of advisories.
pub const ADVISORIES: &str = "/advisories/v1/latest";

/// `/v1/bundles/@scope/name`; `@` and `/` stay as they are.
pub fn bundle(name: &PackageName) -> String {
    format!("/v1/bundles/{name}")
}

/// All versions.
pub fn versions(name: &PackageName) -> String {
    format!("/v1/bundles/{name}/versions")
}

/// One version.
pub fn version(name: &PackageName, version: &str) -> String {
    format!("/v1/bundles/{name}/versions/{}", encode(version))
}

/// Where to get the artifact that fits a platform; `latest` is a version here.
pub fn download(name: &PackageName, version: &str, platform: Option<Platform>) -> String {
    let query = platform.map_or(String::new(), |p| format!("?os={}&arch={}", p.os.as_str(), p.arch.as_str()));
    format!("/v1/bundles/{name}/versions/{}/download{query}", encode(version))
}

/// The upload door.
pub fn upload(name: &PackageName, version: &str, platform: Platform) -> String {
    format!("/api/v1/packages/{name}/versions/{}/artifacts/{platform}", encode(version))
}

/// The repositories that may publish a package.
pub fn trusted_publishers(name: &PackageName) -> String {
    format!("/api/v1/packages/{name}/trusted-publishers")
}

/// Whether the asker's identity may publish a version.
pub fn publisher(name: &PackageName, version: &str) -> String {
    format!("/api/v1/packages/{name}/versions/{}/publisher", encode(version))
}

/// What owners manage of a package.
pub fn package(name: &PackageName) -> String {
    format!("/api/v1/packages/{name}")
}

/// One version of it.
pub fn package_version(name: &PackageName, version: &str) -> String {
    format!("/api/v1/packages/{name}/versions/{}", encode(version))
}

/// The bytes of an artifact: `/blobs/sha256/ab/cdef…`.
pub fn blob(sha256: &mpak_bundle::digest::Sha256) -> String {
    let hex = sha256.to_string();
    format!("/blobs/sha256/{}/{}", &hex[..2], &hex[2..])
}

/// Percent-encodes everything that is not unreserved (RFC 3986 §2.3).
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                (b as char).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
