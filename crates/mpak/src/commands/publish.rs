//! Stage 4, publish: packed bundles are sent to a registry's upload door.
//!
//! In: files. Out: what the registry recorded. Door: `PUT /api/v1/packages/@scope/name/versions/VERSION/
//! artifacts/OS-ARCH` with a token; the registry decides, this stage only says early what it would refuse.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use mpak_api::path;
use mpak_api::publish::Published;
use mpak_bundle::digest::Sha256;
use mpak_bundle::name::PackageName;
use mpak_bundle::native::NativeCode;
use mpak_bundle::platform::Platform;
use mpak_bundle::version::Version;
use reqwest::Method;
use serde_json::json;

use crate::bundle_file;
use crate::client::{Client, Upload};
use crate::commands;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Settings;
use crate::ui;
use crate::workload;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bundles to publish
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The registry, instead of MPAK_REGISTRY_URL or the stored one
    #[arg(long)]
    pub registry: Option<String>,
    /// Name to publish under, where the manifest's name has no scope
    #[arg(long, value_name = "@SCOPE/NAME")]
    pub name: Option<String>,
    /// Platform the bundle fits; detected from its content by default
    #[arg(long, value_name = "OS-ARCH")]
    pub platform: Option<String>,
    /// Prove who publishes by the CI job's identity or by MPAK_TOKEN; by default the identity where
    /// there is one
    #[arg(long, value_name = "HOW", value_enum)]
    pub auth: Option<Auth>,
    /// Tell what the CI job's identity says and whether the registry takes it; publish nothing
    #[arg(long)]
    pub explain_auth: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How it is proved who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Auth {
    /// By the identity of the CI job.
    Oidc,
    /// By MPAK_TOKEN.
    Token,
}

/// A bundle with everything the door wants to know.
struct Parcel {
    file: File,
    name: PackageName,
    version: Version,
    platform: Platform,
    sha256: Sha256,
    bytes: u64,
}

/// Publishes each file in turn; stops at the first refusal.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    let client = commands::client(commands::configured_registry(args.registry.as_deref(), settings)?, settings)?;
    let token = proof(args.auth, &client, settings)?;
    let parcels: Vec<Parcel> = args
        .files
        .iter()
        .map(|file| prepare(file, args.name.as_deref(), args.platform.as_deref()))
        .collect::<Result<_, _>>()?;
    if args.explain_auth {
        return explain(&client, &token, &parcels, args.json);
    }
    let mut done = Vec::new();
    for parcel in parcels {
        let started = Instant::now();
        let published = send(&client, token.secret(), parcel)?;
        ui::note(&format!(
            "{} {} {} ({}, {}) in {:.1} s",
            if published.status == "created" { "published" } else { "already there, unchanged:" },
            published.package,
            published.version,
            published.platform,
            ui::bytes(published.size),
            started.elapsed().as_secs_f64(),
        ));
        if let Some(reason) = &published.held {
            ui::note(&format!("nobody sees it before an administrator of the registry decides: {}", ui::safe(reason)));
        }
        done.push(published);
    }
    if args.json {
        ui::json(&serde_json::json!({ "published": done }));
    } else {
        for published in &done {
            ui::data(&ui::safe(&published.url));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What proves who publishes.
enum Proof {
    /// A token of the registry's.
    Token(String),
    /// The identity of a CI job.
    Identity(workload::Token),
}

impl Proof {
    fn secret(&self) -> &str {
        match self {
            Self::Token(secret) => secret,
            Self::Identity(token) => token.secret(),
        }
    }
}

/// The identity of the CI job where there is one, else the token.
fn proof(auth: Option<Auth>, client: &Client, settings: &Settings) -> Result<Proof, CommandError> {
    let by_identity = auth.map_or_else(|| workload::is_offered(settings), |auth| auth == Auth::Oidc);
    if by_identity {
        let token = workload::token(settings, client.registry().as_str())?.ok_or_else(|| {
            CommandError::new(Kind::Usage, "this is no CI job with an identity").hint(
                "on GitHub give the job `permissions: id-token: write`; on GitLab set MPAK_ID_TOKEN under `id_tokens`",
            )
        })?;
        ui::note(&format!("publishing by the identity of this job ({})", token.source));
        return Ok(Proof::Identity(token));
    }
    client.token().map(|token| Proof::Token(token.to_owned())).ok_or_else(|| {
        CommandError::new(Kind::Usage, "no token to publish with").hint("run `mpak login`").hint(
            "or set MPAK_TOKEN; the registry's operator makes one with `mpak admin token create --data DIR --name NAME`",
        )
    })
}

/// Tells what the identity says, what the registry expects, and whether it would take it.
fn explain(client: &Client, proof: &Proof, parcels: &[Parcel], json: bool) -> CommandResult {
    let Proof::Identity(token) = proof else {
        return Err(CommandError::new(Kind::Usage, "this is no CI job with an identity; a token would be used")
            .hint("`mpak whoami` tells whose token, and what it may"));
    };
    let claims = token.claims().unwrap_or_default();
    let mut answers = Vec::new();
    let mut refusal = None;
    for parcel in parcels {
        let what = format!("{}@{}", parcel.name, parcel.version);
        let path = path::publisher(&parcel.name, &parcel.version.to_string());
        match client.manage(Method::GET, &path, token.secret(), None, &what) {
            Ok(answer) => answers.push(json!({"package": parcel.name, "version": parcel.version, "answer": answer})),
            Err(error) => {
                let error = CommandError::from(error);
                let words = json!({"package": parcel.name, "version": parcel.version, "error": error.message});
                answers.push(words);
                refusal = refusal.or(Some(error));
            }
        }
    }
    if json && refusal.is_none() {
        ui::json(
            &json!({"source": token.source, "audience": client.registry().as_str(), "claims": claims, "registry": answers}),
        );
        return Ok(ExitCode::SUCCESS);
    }
    ui::note(&format!("source    {}", token.source));
    ui::note(&format!("expected  audience {}", client.registry()));
    for (name, value) in &claims {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        ui::note(&format!("got       {} {}", ui::safe(name), ui::safe(&value)));
    }
    if let Some(error) = refusal {
        return Err(error);
    }
    for (parcel, answer) in parcels.iter().zip(&answers) {
        let because = ui::safe(answer["answer"]["because"].as_str().unwrap_or_default());
        ui::data(&format!("{} {} may be published: {because}", parcel.name, parcel.version));
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a bundle and settles name, version, platform and digest.
fn prepare(path: &Path, name: Option<&str>, platform: Option<&str>) -> Result<Parcel, CommandError> {
    // 1. What is in it. The digest goes with the upload, so other bytes than these are refused there.
    let bundle = bundle_file::open(path)?;
    let sha256 = bundle.archive.sha256().map_err(|e| CommandError::from_error(Kind::Ours, &e))?;
    let file = File::open(path).map_err(|e| CommandError::from_error(Kind::Ours, &e))?;
    // 2. What it is called.
    let name = settle_name(&bundle.manifest.name, name)?;
    let version = Version::parse(&bundle.manifest.version).map_err(|e| {
        CommandError::from_error(Kind::Refused, &e).hint("change `version` in manifest.json and pack again")
    })?;
    // 3. What it fits.
    let native = NativeCode::of(&bundle.archive);
    let platform = match platform {
        Some(text) => text.parse::<Platform>().map_err(|e| CommandError::from_error(Kind::Usage, &e))?,
        None => native.platform().ok_or_else(|| {
            CommandError::new(Kind::Usage, "the bundle carries native code for several platforms")
                .hint("say which one it is offered for: --platform linux-x64 (publish once per platform)")
        })?,
    };
    if !native.allows(platform) {
        let found = native.platform().map_or_else(|| "several platforms".to_owned(), |p| p.to_string());
        return Err(CommandError::new(
            Kind::Refused,
            format!("the bundle cannot be offered for `{platform}`: its native code fits {found}"),
        )
        .hint("leave --platform out, or pack on the platform that you name"));
    }
    Ok(Parcel { file, name, version, platform, sha256, bytes: bundle.archive.bytes() })
}

/// The manifest's scoped name, or the given one whose last part is the manifest's name.
fn settle_name(manifest: &str, given: Option<&str>) -> Result<PackageName, CommandError> {
    let usage = |e: mpak_bundle::name::NameError| CommandError::from_error(Kind::Usage, &e);
    let Some(given) = given else {
        return PackageName::publishable(manifest).map_err(|e| {
            usage(e).hint(format!("publish under a scope: --name @you/{}", manifest.trim_start_matches('@')))
        });
    };
    let base = manifest.rsplit('/').next().unwrap_or(manifest);
    let name = PackageName::publishable(given).map_err(|e| usage(e).hint(format!("like --name @you/{base}")))?;
    if manifest != name.as_str() && manifest != name.base() {
        return Err(CommandError::new(
            Kind::Usage,
            format!("--name `{name}` does not fit the manifest's name `{manifest}`: its last part must be the same"),
        )
        .hint(format!("--name @{}/{manifest}", name.scope())));
    }
    Ok(name)
}

/// Sends one bundle, streamed.
fn send(client: &Client, token: &str, parcel: Parcel) -> Result<Published, CommandError> {
    let version = parcel.version.to_string();
    let upload = Upload {
        name: &parcel.name,
        version: &version,
        platform: parcel.platform,
        file: parcel.file,
        size: parcel.bytes,
        sha256: parcel.sha256,
        token,
    };
    Ok(client.upload(upload)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_end_in_the_manifests_name() {
        assert_eq!(settle_name("time", Some("@demo/time")).unwrap().as_str(), "@demo/time");
        assert_eq!(settle_name("@demo/time", None).unwrap().as_str(), "@demo/time");
        assert_eq!(settle_name("time", Some("@demo/clock")).unwrap_err().kind, Kind::Usage);
        let unscoped = settle_name("time", None).unwrap_err();
        assert_eq!(
            (unscoped.kind, unscoped.hints[0].as_str()),
            (Kind::Usage, "publish under a scope: --name @you/time")
        );
    }
}
