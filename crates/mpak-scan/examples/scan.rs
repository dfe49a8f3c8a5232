//! Scans a bundle or folder and prints findings and times: for measuring an optimised build alone. With `--json`
//! after the path: the report, as `mpak scan --json` prints it.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;
use mpak_scan::evidence::{Cache, Evidence, Gathering, scan};

fn main() -> Result<(), Box<dyn Error>> {
    let path = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: scan FILE|FOLDER [CACHE [THREADS]]")?);
    let cache = std::env::args_os().nth(2).filter(|path| !path.is_empty()).map(PathBuf::from);
    let threads = std::env::args().nth(3).and_then(|count| count.parse().ok());
    let limits = Limits::default();
    let started = Instant::now();
    let cache = cache.map(|path| Cache::open(&path));
    let how = Gathering { threads, cache: cache.as_ref() };
    let evidence = if path.is_dir() {
        Evidence::from_folder_with(&path, &limits, how)?
    } else {
        Evidence::from_archive_with(&Archive::open(File::open(&path)?, &limits)?, &limits, how)?
    };
    if let Some(cache) = &cache {
        cache.save()?;
    }
    let gathered = started.elapsed();
    let report = scan(&evidence);
    let mut out = std::io::stdout().lock();
    if std::env::args().nth(2).as_deref() == Some("--json") {
        serde_json::to_writer(&mut out, &report)?;
        return Ok(());
    }
    for (control, finding) in report.findings() {
        let place = format!("{}:{}", finding.file.as_deref().unwrap_or("-"), finding.line.unwrap_or(0));
        writeln!(out, "{} {:?} {} {place} {:?}", control.id, finding.severity, finding.title, finding.evidence)?;
    }
    let (files, components) = (evidence.files().len(), evidence.dependencies().components.len());
    writeln!(out, "{} bytes examined", evidence.secrets().examined_bytes)?;
    writeln!(out, "{files} files, {components} components: gathered in {gathered:?}, whole {:?}", started.elapsed())?;
    Ok(())
}
