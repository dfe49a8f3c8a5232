//! Programs: built elsewhere, copied to where the manifest starts them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use mpak_bundle::manifest::Manifest;
use mpak_bundle::native::{self, BuiltFor};
use mpak_bundle::platform::{Os, Platform};

use super::{Installed, Request, VendorError, in_bundle};

/// `--binary PATH` or `--binary OS-ARCH=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Platform in front of `=`.
    pub platform: Option<Platform>,
    /// The program.
    pub path: PathBuf,
}

impl FromStr for Source {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            // What stands before `=` is a platform only if it looks like one; paths may hold `=` too.
            Some((platform, path)) if !platform.contains(['/', '\\', '.']) => {
                let platform = platform.parse::<Platform>().map_err(|e| e.to_string())?;
                Ok(Self { platform: Some(platform), path: path.into() })
            }
            _ => Ok(Self { platform: None, path: text.into() }),
        }
    }
}

/// Copies the programs.
pub(super) fn install(request: &Request<'_>, copy: &Path) -> Result<Installed, VendorError> {
    if request.binaries.is_empty() {
        return Err(VendorError::NoSource { kind: "binary", expected: "--binary PATH" });
    }
    // 1. Where each goes; two in one place would lose one.
    let mut places = BTreeMap::new();
    for source in request.binaries {
        let place = place(request.manifest, source)?;
        if let Some(first) = places.insert(place.clone(), source) {
            let shown = |source: &Source| source.path.display().to_string();
            return Err(VendorError::SamePlace { place, first: shown(first), second: shown(source) });
        }
    }
    // 2. Copied, and executable.
    for (place, source) in &places {
        check_platform(source)?;
        let target = copy.join(place);
        super::copy_file(&source.path, &target)?;
        make_executable(&target)?;
    }
    Ok(Installed {
        tool: "copy".to_owned(),
        source: request.binaries.iter().map(|s| s.path.display().to_string()).collect::<Vec<_>>().join(", "),
        into: places.keys().cloned().collect::<Vec<_>>().join(", "),
        components_count: places.len(),
        skipped: Vec::new(),
    })
}

/// The command of the platform's system, else the entry point; on Windows with `.exe`.
fn place(manifest: &Manifest, source: &Source) -> Result<String, VendorError> {
    let os = source.platform.map(|platform| platform.os);
    let config = manifest.server.mcp_config.as_ref();
    let command = os.and_then(|os| {
        let overridden = config?.platform_overrides.get(os.as_str()).and_then(|part| part.command.as_deref());
        overridden.or(config.map(|config| config.command.as_str()))
    });
    let named = command.and_then(in_bundle).filter(|path| path.contains('/') || command != Some(*path));
    let place = named.or_else(|| in_bundle(&manifest.server.entry_point)).ok_or_else(|| {
        VendorError::Flags(format!("the entry point `{}` is no place for a program", manifest.server.entry_point))
    })?;
    let ends_with_exe = |path: &Path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("exe"));
    if (os == Some(Os::Win32) || ends_with_exe(&source.path)) && !ends_with_exe(Path::new(place)) {
        return Ok(format!("{place}.exe"));
    }
    Ok(place.to_owned())
}

fn check_platform(source: &Source) -> Result<(), VendorError> {
    let mut head = Vec::new();
    let file = File::open(&source.path).map_err(VendorError::io(&source.path))?;
    file.take(native::HEAD_BYTES as u64).read_to_end(&mut head).map_err(VendorError::io(&source.path))?;
    let Some(named) = source.platform else { return Ok(()) };
    let found = match native::built_for(&head) {
        Some(BuiltFor::Platform(platform)) if platform.fits(named) => return Ok(()),
        Some(BuiltFor::Platform(platform)) => platform.to_string(),
        Some(BuiltFor::Other(words)) => words,
        // A script fits wherever its interpreter is.
        None if head.starts_with(b"#!") => return Ok(()),
        None => "no platform: it is not native code".to_owned(),
    };
    Err(VendorError::OtherPlatform { path: source.path.clone(), named, found })
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), VendorError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(VendorError::io(path))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<(), VendorError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_may_name_its_platform() {
        let cases = [
            ("target/release/x", None, "target/release/x"),
            ("linux-x64=bin/x", Some("linux-x64"), "bin/x"),
            ("./a=b", None, "./a=b"),
            ("out/a=b", None, "out/a=b"),
        ];
        for (text, platform, path) in cases {
            let source = text.parse::<Source>().unwrap();
            assert_eq!(source.platform.map(|p| p.to_string()).as_deref(), platform, "{text}");
            assert_eq!(source.path, Path::new(path));
        }
        assert!("plan9-x64=x".parse::<Source>().is_err());
    }
}
