//! What the static index answers to a request: the same as the API would, and where else the bytes are.

use mpak_api::bundle::{Download, DownloadBundle, WirePlatform};
use mpak_api::index::{Package, PackageArtifact, PackageVersion, WellKnown};
use mpak_api::path;
use mpak_bundle::digest::Sha256;
use mpak_bundle::platform::Os;

use crate::home::record::{bare, fits};
use crate::install::Request;

/// What to tell the person who asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Warnings(pub(super) Vec<String>);

/// The version and artifact that a request means, with a second address of its bytes.
///
/// The first address is the API's, where a download is counted; the second is the blob, which any file
/// server can hold. Nothing where the package has no such version or no artifact that fits.
pub(super) fn answer(root: &WellKnown, package: &Package, request: &Request) -> Option<(Download, String, Warnings)> {
    let wanted = request.version.as_deref().filter(|version| *version != "latest");
    let wanted = wanted.or(package.latest.as_deref())?;
    let version = package.versions.iter().find(|v| bare(&v.version) == bare(wanted))?;
    let artifact = best(version, request)?;
    let platform = Some(request.platform).filter(|p| p.os != Os::Any);
    let counted = path::download(&request.name, &version.version, platform);
    let url = format!("{}{}", root.api.trim_end_matches('/'), counted.strip_prefix("/v1").unwrap_or(&counted));
    let sha256: Option<Sha256> = artifact.sha256.parse().ok();
    let blob = sha256.map(|sha256| path::blob(&sha256)).unwrap_or_default();
    let blob = format!("{}{}", root.blobs.trim_end_matches('/'), blob.strip_prefix("/blobs").unwrap_or(&blob));
    let bundle = DownloadBundle {
        name: package.name.clone(),
        version: version.version.clone(),
        platform: WirePlatform { os: artifact.os.clone(), arch: artifact.arch.clone() },
        sha256: artifact.sha256.clone(),
        size: artifact.size,
    };
    Some((Download { url, bundle, expires_at: None }, blob, warnings(package, version)))
}

/// The artifact for exactly the machine, else for its system, else for any.
fn best<'a>(version: &'a PackageVersion, request: &Request) -> Option<&'a PackageArtifact> {
    let platform = |a: &PackageArtifact| WirePlatform { os: a.os.clone(), arch: a.arch.clone() };
    let fitting = version.artifacts.iter().filter(|a| fits(&platform(a), request.platform));
    fitting.min_by_key(|a| (a.os == "any", a.arch == "any"))
}

fn warnings(package: &Package, version: &PackageVersion) -> Warnings {
    let mut warnings = Vec::new();
    if version.yanked {
        warnings.push(format!("{}@{} was withdrawn by its publisher", package.name, version.version));
    }
    if let Some(now) = &package.renamed_to {
        warnings.push(format!("{} is called {now} now", package.name));
    }
    if let Some(deprecated) = &package.deprecated {
        let instead = deprecated.replacement.as_ref().map(|r| format!("; use {r} instead")).unwrap_or_default();
        warnings.push(format!("{} is deprecated: {}{instead}", package.name, deprecated.message));
    }
    Warnings(warnings)
}

#[cfg(test)]
mod tests {
    use mpak_bundle::name::PackageName;
    use serde_json::json;

    use super::*;

    fn root() -> WellKnown {
        serde_json::from_value(json!({
            "version": 1, "registry": "https://r.example", "api": "https://r.example/v1",
            "index": "https://r.example/index/v1", "blobs": "https://cdn.example/blobs",
            "log": null, "revocations": null, "key": null,
        }))
        .unwrap()
    }

    fn package() -> Package {
        let artifact =
            |os: &str, arch: &str, byte: &str| json!({"os": os, "arch": arch, "sha256": byte.repeat(32), "size": 1});
        let version = |version: &str, yanked: bool, artifacts: serde_json::Value| {
            json!({
                "version": version, "published_at": "2026-11-20T09:00:00.000Z", "yanked": yanked, "level": null,
                "score": null, "artifacts": artifacts, "event": 1,
            })
        };
        serde_json::from_value(json!({
            "name": "@acme/widget", "latest": "1.0.0",
            "deprecated": {"message": "old", "replacement": "@acme/gadget"},
            "versions": [
                version("1.0.0", false, json!([artifact("any", "any", "aa"), artifact("linux", "any", "bb"), artifact("linux", "x64", "cc")])),
                version("1.1.0", true, json!([artifact("linux", "any", "dd")])),
            ],
        }))
        .unwrap()
    }

    fn ask(version: Option<&str>, platform: &str) -> Option<(Download, String, Warnings)> {
        let request = Request {
            name: PackageName::lookup("@acme/widget").unwrap(),
            version: version.map(str::to_owned),
            platform: platform.parse().unwrap(),
        };
        answer(&root(), &package(), &request)
    }

    #[test]
    fn the_closest_artifact_of_the_right_version_is_meant() {
        for (version, platform, expect) in [
            (None, "linux-x64", Some("cc")),
            (Some("latest"), "linux-arm64", Some("bb")),
            (Some("v1.0.0"), "darwin-arm64", Some("aa")),
            (Some("1.1.0"), "linux-x64", Some("dd")),
            (Some("1.1.0"), "darwin-arm64", None),
            (Some("9.9.9"), "linux-x64", None),
        ] {
            let found = ask(version, platform).map(|(download, ..)| download.bundle.sha256);
            assert_eq!(found, expect.map(|byte| byte.repeat(32)), "{version:?} {platform}");
        }
    }

    #[test]
    fn bytes_come_from_where_they_are_counted_first() {
        let (download, blob, _) = ask(None, "linux-x64").unwrap();
        assert_eq!(download.url, "https://r.example/v1/bundles/@acme/widget/versions/1.0.0/download?os=linux&arch=x64");
        assert_eq!(blob, format!("https://cdn.example/blobs/sha256/cc/{}", "cc".repeat(31)));
    }

    #[test]
    fn a_bare_name_means_nothing_while_every_version_is_withdrawn() {
        let package = Package { latest: None, ..package() };
        let request = |version: Option<&str>| Request {
            name: PackageName::lookup("@acme/widget").unwrap(),
            version: version.map(str::to_owned),
            platform: "linux-x64".parse().unwrap(),
        };
        assert!(answer(&root(), &package, &request(None)).is_none());
        assert!(answer(&root(), &package, &request(Some("1.1.0"))).is_some());
    }

    #[test]
    fn a_former_name_tells_the_new_one() {
        let package = Package { renamed_to: Some("@acme/gizmo".to_owned()), deprecated: None, ..package() };
        let found = answer(
            &root(),
            &package,
            &Request {
                name: PackageName::lookup("@acme/widget").unwrap(),
                version: None,
                platform: "linux-x64".parse().unwrap(),
            },
        );
        assert_eq!(found.unwrap().2, Warnings(vec!["@acme/widget is called @acme/gizmo now".to_owned()]));
    }

    #[test]
    fn withdrawn_and_deprecated_is_told() {
        let deprecated = "@acme/widget is deprecated: old; use @acme/gadget instead".to_owned();
        assert_eq!(ask(None, "linux-x64").unwrap().2, Warnings(vec![deprecated.clone()]));
        let (_, _, warnings) = ask(Some("1.1.0"), "linux-x64").unwrap();
        assert_eq!(warnings.0, ["@acme/widget@1.1.0 was withdrawn by its publisher".to_owned(), deprecated]);
    }
}
