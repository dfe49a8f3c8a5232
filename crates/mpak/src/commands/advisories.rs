//! `mpak advisories`: published vulnerabilities as one file: build it, fetch it, look into it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mpak_bundle::digest::Sha256;
use mpak_bundle::durable;
use mpak_scan::advisories::{BuildError, Builder, Feed, KeyError, PublicKey, SigningKey, Snapshot};
use serde_json::{Value, json};

use crate::advisories::{open, trusted, trusts, unsound};
use crate::commands::{client, configured_registry};
use crate::error::{CommandError, CommandResult, Kind};
use crate::home::Home;
use crate::settings::Settings;
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a snapshot from published feeds
    Build(Build),
    /// Fetch the registry's snapshot, to be used by every scan
    Update(Update),
    /// Tell what is in a snapshot, after reading all of it
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Build {
    /// OSV records: JSON, JSON lines, zip or gz, or folders of these
    #[arg(long, value_name = "FILE|DIR", required = true, num_args = 1..)]
    osv: Vec<PathBuf>,
    /// Known exploited vulnerabilities: the JSON of CISA
    #[arg(long, value_name = "FILE")]
    kev: Option<PathBuf>,
    /// Probabilities of exploitation: the CSV of EPSS, also gz
    #[arg(long, value_name = "FILE")]
    epss: Option<PathBuf>,
    /// Published packages whose files are known from then on: wheels, source distributions, npm packages, or folders
    /// of these
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    packages: Vec<PathBuf>,
    /// Ed25519 key to sign with: PKCS #8 in PEM, or the seed as 64 hex digits
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The day that the snapshot is of, as YYYY-MM-DD [default: the newest in the data]
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    /// End at a record that cannot be read, in place of leaving it out and counting it
    #[arg(long)]
    strict: bool,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Update {
    /// Address of the registry
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Public key that must have signed it, as 64 hex digits [default: the one seen first]
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The snapshot [default: this machine's]
    file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Whether `--json` was given.
    pub fn wants_json(&self) -> bool {
        match &self.action {
            Action::Build(args) => args.json,
            Action::Update(args) => args.json,
            Action::Show(args) => args.json,
        }
    }
}

/// Runs it.
pub fn run(args: &Args, settings: &Settings) -> CommandResult {
    match &args.action {
        Action::Build(args) => build(args),
        Action::Update(args) => update(args, settings),
        Action::Show(args) => show(args, settings),
    }
}

fn build(args: &Build) -> CommandResult {
    // 1. The key first: nobody wants to wait for a build that cannot be signed.
    let key = args.key.as_deref().map(signing_key).transpose()?;
    // 2. The feeds.
    let mut builder = Builder::new().strict(args.strict);
    for path in &args.osv {
        builder.osv(path).map_err(|error| refused(&error))?;
    }
    if let Some(path) = &args.kev {
        builder.kev(path).map_err(|error| refused(&error))?;
    }
    if let Some(path) = &args.epss {
        builder.epss(path).map_err(|error| refused(&error))?;
    }
    for path in &args.packages {
        builder.packages(path).map_err(|error| refused(&error))?;
    }
    let built = builder.finish(args.date.as_deref(), key.as_ref()).map_err(|error| refused(&error))?;
    // 3. Looked into before it is given away.
    let snapshot = Snapshot::from_bytes(built.bytes.clone()).and_then(|s| s.verify().map(|()| s));
    let snapshot = snapshot.map_err(|error| CommandError::from_error(Kind::Ours, &error))?;
    durable::replace(&args.out, &built.bytes, 0o644).map_err(|error| {
        let mut out = CommandError::new(Kind::Usage, format!("cannot write `{}`", args.out.display()));
        out.causes.push(error.to_string());
        out
    })?;
    for left_out in &built.unreadable {
        ui::note(&format!("left out: {}", ui::safe(left_out)));
    }
    if built.head.unreadable_count > 0 {
        ui::note(&format!("{} record(s) could not be read and were left out", built.head.unreadable_count));
    }
    for (feed, flag) in [(&args.kev, "--kev"), (&args.epss, "--epss")] {
        if feed.is_none() {
            ui::note(&format!("without {flag}: {}", missing(flag)));
        }
    }
    if args.json {
        let mut about = about(&args.out, &snapshot, built.bytes.len() as u64);
        about["sha256"] = json!(Sha256::of(&built.bytes).to_string());
        about["unreadable"] = json!(built.unreadable);
        ui::json(&about);
    }
    let (head, size) = (&built.head, ui::bytes(built.bytes.len() as u64));
    ui::note(&format!(
        "Wrote `{}`: {} vulnerabilities from {} records, {size}, of {}, {}",
        ui::safe(&args.out.display().to_string()),
        head.vulnerabilities_count,
        head.records_count,
        head.date,
        signed(&snapshot)
    ));
    Ok(ExitCode::SUCCESS)
}

/// What a missing feed means for a scan.
fn missing(flag: &str) -> &'static str {
    if flag == "--kev" { "nothing is known to be exploited" } else { "every vulnerability of CVSS 7.0 or more blocks" }
}

fn signing_key(path: &Path) -> Result<SigningKey, CommandError> {
    let text = std::fs::read(path).map_err(|error| {
        let mut out = CommandError::new(Kind::Usage, format!("cannot read the key `{}`", path.display()));
        out.causes.push(error.to_string());
        out
    })?;
    SigningKey::read(&text).map_err(|error| {
        let mut out = CommandError::new(Kind::Usage, format!("`{}` cannot sign", path.display()));
        out.causes.push(error.to_string());
        out.hint("make one with: openssl genpkey -algorithm ed25519 -out KEYFILE")
    })
}

fn refused(error: &BuildError) -> CommandError {
    let out = CommandError::from_error(Kind::Usage, error);
    match error {
        BuildError::Record { .. } => out.hint("without --strict such records are left out and counted"),
        BuildError::Empty => out.hint("give the files of OSV's dumps with --osv"),
        _ => out,
    }
}

fn update(args: &Update, settings: &Settings) -> CommandResult {
    let home = Home::new(settings);
    let registry = configured_registry(args.registry.as_deref(), settings)?;
    let address = registry.as_str().to_owned();
    let path = home.advisories();
    let wanted: Option<PublicKey> =
        args.key.as_ref().map(|key| key.parse()).transpose().map_err(|error: KeyError| {
            CommandError::from_error(Kind::Usage, &error)
                .hint("`mpak advisories show FILE` prints the key of a snapshot")
        })?;
    // 1. What the registry has, unless it is what we have.
    let mut keys = trusted(&home)?;
    let mine = open(&path).ok().filter(|mine| trusts(&keys, mine.signer()));
    let known = mine.as_ref().filter(|_| wanted.is_none()).map(|snapshot| snapshot.digest().to_string());
    let Some(bytes) = client(registry, settings)?.advisories(known.as_deref())? else {
        let mine = mine.as_ref().expect("only what we have can be unchanged");
        return Ok(done(args, &path, mine, "is up to date"));
    };
    // 2. Sound to its last byte.
    let size = bytes.len() as u64;
    let theirs = Snapshot::from_bytes(bytes.clone()).and_then(|s| s.verify().map(|()| s));
    let theirs = theirs.map_err(|error| {
        let mut out = CommandError::new(Kind::Verification, format!("what {address} sends is not a sound snapshot"));
        out.causes.push(error.to_string());
        out
    })?;
    // 3. By a key that is trusted for this registry.
    let signer = theirs.signer().ok_or_else(|| {
        CommandError::new(Kind::Verification, format!("the snapshot of {address} is not signed"))
            .hint("download it yourself and name it: mpak scan --advisories FILE")
    })?;
    let remembered = keys.get(&address).and_then(|key| key.parse().ok());
    match wanted.or(remembered) {
        Some(expected) if expected != signer => {
            let mut out =
                CommandError::new(Kind::Verification, format!("the snapshot of {address} is signed by another key"));
            out.causes.push(format!("expected {expected}, found {signer}"));
            return Err(out.hint(format!(
                "if its operator says that the key has changed: mpak advisories update --key {signer}"
            )));
        }
        Some(_) => {}
        None => ui::note(&format!("{address} signs with {signer}; from now on only this key counts for it")),
    }
    // 4. Never an older one.
    if let Some(mine) = mine.as_ref().filter(|mine| theirs.is_older_than(mine)) {
        let text = format!("the snapshot of {address} is of {}, ours is of {}", theirs.head().date, mine.head().date);
        return Err(CommandError::new(Kind::Verification, text)
            .hint(format!("to go back all the same, remove `{}` first", path.display())));
    }
    // 5. The key is remembered first: without it the file would not be used.
    if keys.insert(address, signer.to_string()).as_deref() != Some(signer.to_string().as_str()) {
        home.write_json(&home.advisory_keys(), &keys)?;
    }
    home.write(&path, &bytes)?;
    Ok(done(args, &path, &theirs, &format!("fetched, {}", ui::bytes(size))))
}

fn done(args: &Update, path: &Path, snapshot: &Snapshot, what: &str) -> ExitCode {
    if args.json {
        let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        ui::json(&about(path, snapshot, bytes));
    }
    ui::note(&format!("The snapshot of {} {what}", snapshot.head().date));
    ExitCode::SUCCESS
}

fn show(args: &Show, settings: &Settings) -> CommandResult {
    let path = args.file.clone().unwrap_or_else(|| Home::new(settings).advisories());
    let snapshot = open(&path)?;
    snapshot.verify().map_err(|error| unsound(&path, &error))?;
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    if args.json {
        ui::json(&about(&path, &snapshot, bytes));
        return Ok(ExitCode::SUCCESS);
    }
    let head = snapshot.head();
    let feed = |feed: &Option<Feed>| match feed {
        None => "none".to_owned(),
        Some(Feed { date, count }) => format!("{count} of {}", date.as_deref().unwrap_or("no date")),
    };
    let packages: Vec<String> = head.packages.iter().map(|(ecosystem, count)| format!("{count} {ecosystem}")).collect();
    for (name, value) in [
        ("of", head.date.clone()),
        ("signed", signed(&snapshot)),
        ("digest", snapshot.digest().to_string()),
        ("size", ui::bytes(bytes)),
        (
            "records",
            format!(
                "{} ({} withdrawn, {} unreadable)",
                head.records_count, head.withdrawn_count, head.unreadable_count
            ),
        ),
        (
            "vulnerabilities",
            format!(
                "{} ({} malicious packages, {} without a score)",
                head.vulnerabilities_count, head.malicious_count, head.unscored_count
            ),
        ),
        ("packages", packages.join(", ")),
        ("files known of", format!("{} versions of packages", head.published_count)),
        ("exploited (KEV)", feed(&head.kev)),
        ("EPSS", feed(&head.epss)),
        (
            "left out",
            format!(
                "{} ranges of commits, {} ranges without versions, {} packages of other ecosystems",
                head.git_ranges_count, head.bad_ranges_count, head.foreign_count
            ),
        ),
    ] {
        ui::data(&format!("{name:16} {}", ui::safe(&value)));
    }
    Ok(ExitCode::SUCCESS)
}

fn signed(snapshot: &Snapshot) -> String {
    snapshot.signer().map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"))
}

/// A snapshot as JSON, version 1.
fn about(path: &Path, snapshot: &Snapshot, bytes: u64) -> Value {
    json!({
        "version": 1, "path": path.display().to_string(), "bytes": bytes, "digest": snapshot.digest().to_string(),
        "signed_by": snapshot.signer().map(|key| key.to_string()), "head": snapshot.head(),
    })
}
