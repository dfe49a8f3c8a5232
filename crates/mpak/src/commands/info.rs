//! `mpak info`: what is in a bundle.

use std::path::PathBuf;
use std::process::ExitCode;

use mpak_bundle::archive::Bundle;
use mpak_bundle::digest::Sha256;
use mpak_bundle::manifest::{Manifest, ManifestVersion, UserConfigType};
use mpak_bundle::native::NativeCode;
use mpak_bundle::platform::Os;
use serde_json::{Value, json};

use crate::bundle_file::{self, count, not_a_bundle};
use crate::error::CommandResult;
use crate::settings::Settings;
use crate::ui;

/// Tools and native files that are listed one by one for people.
const LISTED_COUNT: usize = 20;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What is told.
struct Info<'a> {
    args: &'a Args,
    bundle: &'a Bundle,
    sha256: Sha256,
    native: NativeCode,
}

/// Runs it.
pub fn run(args: &Args, _settings: &Settings) -> CommandResult {
    // 1. The bundle, with all its data.
    let bundle = bundle_file::open(&args.file)?;
    let unreadable = |error| not_a_bundle(&args.file, &error);
    bundle.archive.check_all().map_err(unreadable)?;
    let sha256 = bundle.archive.sha256().map_err(unreadable)?;
    let native = NativeCode::of(&bundle.archive);
    // 2. What it is.
    let info = Info { args, bundle: &bundle, sha256, native };
    if args.json {
        ui::json(&info.json());
    } else {
        info.lines().iter().for_each(|line| ui::data(line));
    }
    Ok(ExitCode::SUCCESS)
}

impl Info<'_> {
    fn json(&self) -> Value {
        let manifest = &self.bundle.manifest;
        let archive = &self.bundle.archive;
        let signature = archive.signature().map(|range| json!({ "bytes": range.end - range.start, "checked": false }));
        let native: Vec<Value> =
            self.native_files().map(|(path, fits)| json!({ "path": path, "platform": fits })).collect();
        let tools: Vec<Value> = manifest.tools.iter().flatten().map(named).collect();
        let prompts: Vec<&str> = manifest.prompts.iter().map(|p| p.name.as_str()).collect();
        json!({
            "name": manifest.name,
            "version": manifest.version,
            "display_name": manifest.display_name,
            "description": manifest.description,
            "author": { "name": manifest.author.name, "email": manifest.author.email, "url": manifest.author.url },
            "license": manifest.license,
            "manifest_version": manifest_version(manifest),
            "server": { "type": manifest.server.kind.as_str(), "entry_point": manifest.server.entry_point },
            "platforms": manifest.compatibility.platforms.iter().map(|os| os.as_str()).collect::<Vec<_>>(),
            "platform": self.native.platform().map(|platform| platform.to_string()),
            "native_code": native,
            "file": self.args.file.display().to_string(),
            "bytes": archive.bytes(),
            "sha256": self.sha256.to_string(),
            "files": archive.entries().len(),
            "unpacked_bytes": archive.unpacked_bytes(),
            "signature": signature,
            "tools": tools,
            "tools_generated": manifest.tools_generated,
            "prompts": prompts,
            "user_config": manifest.user_config.iter().map(|(name, option)| json!({
                "name": name, "type": config_type(option.kind), "title": option.title,
                "required": option.required, "sensitive": option.sensitive,
            })).collect::<Vec<_>>(),
            "findings": bundle_file::findings_json(archive.findings()),
            "warnings": bundle_file::problems_json(&self.bundle.problems),
        })
    }

    fn lines(&self) -> Vec<String> {
        let manifest = &self.bundle.manifest;
        let archive = &self.bundle.archive;
        let mut lines = vec![
            ui::safe(&format!("{} {}", manifest.name, manifest.version)),
            ui::safe(&format!("  {}", manifest.description)),
        ];
        let mut say = |label: &str, text: String| lines.push(ui::safe(&format!("{label:<10} {text}")));
        say(
            "file",
            format!("{}, {} ({} bytes)", self.args.file.display(), ui::bytes(archive.bytes()), archive.bytes()),
        );
        say("sha256", self.sha256.to_string());
        say(
            "contents",
            format!("{}, {} unpacked", count(archive.entries().len(), "file"), ui::bytes(archive.unpacked_bytes())),
        );
        say("server", format!("{}, {}", manifest.server.kind.as_str(), manifest.server.entry_point));
        say("manifest", manifest_version(manifest).to_owned());
        say("author", author(manifest));
        if let Some(license) = &manifest.license {
            say("license", license.clone());
        }
        say("platforms", platforms(manifest));
        say("native", self.native_words());
        say(
            "signature",
            match archive.signature() {
                Some(range) => format!("block of {} bytes, not checked", range.end - range.start),
                None => "none".into(),
            },
        );
        for (name, option) in &manifest.user_config {
            let required = if option.required { ", required" } else { "" };
            let secret = if option.sensitive { ", secret" } else { "" };
            say("config", format!("{name} ({}{required}{secret}): {}", config_type(option.kind), option.title));
        }
        lines.extend(self.tool_lines());
        lines.extend(bundle_file::remarks(self.bundle).into_iter().map(|line| format!("{:<10} {line}", "remark")));
        lines
    }

    fn native_files(&self) -> impl Iterator<Item = (String, String)> {
        let known = self.native.files.iter().map(|(path, platform)| (path.clone(), platform.to_string()));
        known.chain(self.native.others.iter().cloned())
    }

    fn native_words(&self) -> String {
        let files: Vec<String> = self.native_files().map(|(path, fits)| format!("{path} ({fits})")).collect();
        if files.is_empty() { "none".into() } else { shortened(&files) }
    }

    fn tool_lines(&self) -> Vec<String> {
        let manifest = &self.bundle.manifest;
        let tools = manifest.tools.as_deref().unwrap_or_default();
        let mut lines: Vec<String> = tools
            .iter()
            .take(LISTED_COUNT)
            .map(|tool| {
                let description = tool.description.as_deref().map_or(String::new(), |text| format!(": {text}"));
                ui::safe(&format!("{:<10} {}{description}", "tool", tool.name))
            })
            .collect();
        if tools.len() > LISTED_COUNT {
            lines.push(format!("{:<10} and {} more", "tool", tools.len() - LISTED_COUNT));
        }
        if manifest.tools_generated {
            lines.push(format!("{:<10} more are made at run time", "tool"));
        }
        lines
    }
}

fn named(tool: &mpak_bundle::manifest::Tool) -> Value {
    json!({ "name": tool.name, "description": tool.description })
}

fn shortened(items: &[String]) -> String {
    let more = items.len().saturating_sub(LISTED_COUNT);
    let shown = items[..items.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn author(manifest: &Manifest) -> String {
    let author = &manifest.author;
    let email = author.email.as_ref().map_or(String::new(), |email| format!(" <{email}>"));
    let url = author.url.as_ref().map_or(String::new(), |url| format!(" ({url})"));
    format!("{}{email}{url}", author.name)
}

fn platforms(manifest: &Manifest) -> String {
    let names: Vec<&str> = manifest.compatibility.platforms.iter().copied().map(Os::as_str).collect();
    if names.is_empty() { "not declared".into() } else { names.join(", ") }
}

fn manifest_version(manifest: &Manifest) -> &'static str {
    match manifest.manifest_version {
        ManifestVersion::V0_1 => "0.1",
        ManifestVersion::V0_2 => "0.2",
        ManifestVersion::V0_3 => "0.3",
        ManifestVersion::V0_4 => "0.4",
    }
}

fn config_type(kind: UserConfigType) -> &'static str {
    match kind {
        UserConfigType::String => "string",
        UserConfigType::Number => "number",
        UserConfigType::Boolean => "boolean",
        UserConfigType::Directory => "directory",
        UserConfigType::File => "file",
    }
}
