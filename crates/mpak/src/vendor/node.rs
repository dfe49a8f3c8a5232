//! Node: `npm ci` where there is a lock file, `npm install` where there is none; no scripts are run.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use mpak_bundle::platform::{Arch, Os, Platform};
use serde_json::Value;

use super::tool::Tool;
use super::{Installed, Request, Skipped, VendorError};

const RECORD: &str = "node_modules/.package-lock.json";

/// Installs what `package.json` names.
pub(super) fn install(request: &Request<'_>, copy: &Path) -> Result<Installed, VendorError> {
    // 1. What names the dependencies.
    if !copy.join("package.json").is_file() {
        return Err(VendorError::NoSource { kind: "node", expected: "package.json" });
    }
    let lock = ["npm-shrinkwrap.json", "package-lock.json"].into_iter().find(|name| copy.join(name).is_file());
    // 2. npm, without running anybody's scripts.
    let npm = Tool::find(&["npm"], request.settings).ok_or(VendorError::MissingTool {
        tool: "npm",
        kind: "node",
        hint: "install Node.js, which brings npm",
    })?;
    let way = if lock.is_some() { "ci" } else { "install" };
    let args = arguments(way, request.platform)?;
    npm.run(&args, copy, &format!("vendoring with npm {way}"), request.quiet, None)?;
    // 3. What it did, from its own record.
    let (components_count, skipped) = record(&copy.join(RECORD))?;
    Ok(Installed {
        tool: format!("npm {way}"),
        source: lock.unwrap_or("package.json").to_owned(),
        into: "node_modules".to_owned(),
        components_count,
        skipped,
    })
}

fn arguments(way: &str, platform: Option<Platform>) -> Result<Vec<OsString>, VendorError> {
    let mut args = vec![way, "--omit=dev", "--ignore-scripts", "--no-bin-links", "--no-audit", "--no-fund"];
    // Which mirror this machine uses is no property of the bundle.
    args.extend(["--omit-lockfile-registry-resolved", "--no-update-notifier", "--loglevel=error"]);
    let mut args: Vec<OsString> = args.into_iter().map(OsString::from).collect();
    if let Some(platform) = platform {
        if platform.os == Os::Any || platform.arch == Arch::Any {
            return Err(VendorError::Flags(format!("--platform {platform}: name one system and one processor")));
        }
        args.push(format!("--os={}", platform.os.as_str()).into());
        args.push(format!("--cpu={}", platform.arch.as_str()).into());
        if platform.os == Os::Linux {
            args.push("--libc=glibc".into());
        }
    }
    Ok(args)
}

/// Number of packages, and those whose install scripts were not run. No record means no packages.
fn record(path: &Path) -> Result<(usize, Vec<Skipped>), VendorError> {
    let unreadable = |reason: String| VendorError::Record { file: RECORD.to_owned(), reason };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((0, Vec::new())),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let document: Value = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
    let packages = document["packages"].as_object().ok_or_else(|| unreadable("it has no `packages`".to_owned()))?;
    let installed = packages.iter().filter(|(place, entry)| !place.is_empty() && entry["link"] != true);
    let skipped = packages
        .iter()
        .filter(|(_, entry)| entry["hasInstallScript"] == true)
        .map(|(place, entry)| {
            let name = place.rsplit_once("node_modules/").map_or(place.as_str(), |(_, name)| name);
            Skipped {
                code: "install-script",
                name: format!("{name}@{}", entry["version"].as_str().unwrap_or("?")),
                message: "its install script was not run; a build or download that it does is missing".to_owned(),
            }
        })
        .collect();
    Ok((installed.count(), skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_tells_what_was_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        let text = r#"{"packages":{"node_modules/a":{"version":"1.0.0"},
            "node_modules/a/node_modules/@x/b":{"version":"2.0.0","hasInstallScript":true},
            "node_modules/c":{"link":true,"resolved":"c"}}}"#;
        fs::write(&path, text).unwrap();
        let (count, skipped) = record(&path).unwrap();
        assert_eq!((count, skipped.len(), skipped[0].name.as_str()), (2, 1, "@x/b@2.0.0"));
        fs::write(&path, "{").unwrap();
        assert!(record(&path).is_err());
        assert_eq!(record(&dir.path().join("none")).unwrap(), (0, Vec::new()));
    }

    #[test]
    fn another_platform_is_named_to_npm() {
        let args = arguments("ci", Some("linux-arm64".parse().unwrap())).unwrap();
        assert!(args.ends_with(&["--os=linux".into(), "--cpu=arm64".into(), "--libc=glibc".into()]), "{args:?}");
        assert!(arguments("ci", Some("linux-any".parse().unwrap())).is_err());
    }
}
