//! `mpak pull`: download a bundle without running it. The file is verified before it gets its name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_bundle::durable;
use mpak_bundle::platform::{Arch, Os, Platform};

use crate::commands::{client, configured_registry, parse_spec};
use crate::error::{CommandError, CommandResult, Kind};
use crate::home::{Home, lock};
use crate::install::Request;
use crate::install::download::download;
use crate::install::resolve::{Resolved, resolve};
use crate::install::verify::verify;
use crate::settings::Settings;
use crate::ui::{self, safe};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package: @scope/name or @scope/name@version
    pub package: String,
    /// Where to write the bundle [default: SCOPE-NAME-VERSION-OS-ARCH.mcpb here; nowhere with --json]
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Operating system [default: this machine's]
    #[arg(long, value_parser = ["darwin", "linux", "win32"])]
    pub os: Option<String>,
    /// Processor [default: this machine's]
    #[arg(long, value_parser = ["x64", "arm64"])]
    pub arch: Option<String>,
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let spec = parse_spec(&args.package)?;
    let home = Home::new(settings);
    let client = client(configured_registry(args.registry.as_deref(), settings)?, settings)?;
    let platform = platform(args);

    // 1. which bytes
    let shown = if spec.version.is_some() { args.package.clone() } else { format!("{} (latest)", spec.name) };
    ui::note(&format!("=> Fetching {}...", safe(&shown)));
    ui::note(&format!("   Platform: {}-{}", platform.os.as_str(), platform.arch.as_str()));
    let version = spec.version.or_else(|| Some("latest".to_owned()));
    let resolved = resolve(&home, &client, &Request { name: spec.name, version, platform })?;
    let file = target(args, &resolved)?;
    ui::note(&format!("   Version: {}", resolved.version()));
    ui::note(&format!("   Artifact: {}-{}", resolved.platform().os, resolved.platform().arch));
    ui::note(&format!("   Size: {}", ui::bytes(resolved.size())));

    // 2. the bytes, verified
    let kept = args.output.is_some() || !args.json;
    if kept {
        ui::note(&format!("\n=> Downloading to {}...", file.display()));
    }
    let _held = lock::exclusive(&home, &format!("install-{}", resolved.sha256()))?;
    let mut answer = serde_json::json!({
        "name": resolved.name().as_str(), "version": resolved.version(), "platform": resolved.platform(),
        "sha256": resolved.sha256(), "size": resolved.size(),
    });
    let sha256 = resolved.sha256().to_string();
    let verified = verify(download(&home, &client, resolved)?)?;

    // 3. under their name; existing scripts use --json to learn what would come, and expect no file
    if !kept {
        let _gone = fs::remove_file(verified.path());
        ui::json(&answer);
        return Ok(ExitCode::SUCCESS);
    }
    place(verified.path(), &file).map_err(|error| {
        let mut failed = CommandError::new(Kind::NeedsPerson, format!("cannot write `{}`", file.display()));
        failed.causes.push(error.to_string());
        failed.hint("choose another place with --output")
    })?;
    ui::note("\n=> Bundle downloaded successfully!");
    ui::note(&format!("   File: {}", file.display()));
    ui::note(&format!("   SHA256: {}...", &sha256[..16]));
    if args.json {
        answer["path"] = file.display().to_string().into();
        ui::json(&answer);
    }
    Ok(ExitCode::SUCCESS)
}

fn platform(args: &Args) -> Platform {
    let host = Platform::host();
    Platform {
        os: args.os.as_deref().and_then(Os::parse).unwrap_or(host.os),
        arch: args.arch.as_deref().and_then(Arch::parse).unwrap_or(host.arch),
    }
}

/// Every part of the name was checked by resolving: none holds a separator.
fn target(args: &Args, resolved: &Resolved) -> Result<PathBuf, CommandError> {
    let platform = resolved.platform();
    let name = format!("{}-{}-{}-{}.mcpb", resolved.name().cache_dir(), resolved.version(), platform.os, platform.arch);
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(name));
    std::path::absolute(&path).map_err(|error| {
        let mut failed = CommandError::new(Kind::Usage, format!("`{}` is not a path", path.display()));
        failed.causes.push(error.to_string());
        failed
    })
}

/// In one step, over an existing file too; by copying where the target lies on another file system.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    if durable::rename(from, to).is_ok() {
        return Ok(());
    }
    let folder = to.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    let mut staged = tempfile::Builder::new().prefix(".mpak-new-").tempfile_in(folder)?;
    io::copy(&mut fs::File::open(from)?, staged.as_file_mut())?;
    #[cfg(unix)]
    fs::set_permissions(staged.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    staged.as_file().sync_all()?;
    staged.persist(to).map_err(|e| e.error)?;
    let _gone = fs::remove_file(from);
    Ok(())
}
