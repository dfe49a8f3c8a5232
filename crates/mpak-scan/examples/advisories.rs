//! Builds a snapshot and looks 500 components up in it, many times: for measuring an optimised build alone.
//!
//! `advisories FILE… [--invented N]`: OSV records, and N invented malicious packages of npm beside them, as
//! the real feed has by the hundred thousand.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use mpak_bundle::dependencies::{Component, Ecosystem};
use mpak_scan::advisories::{Builder, Snapshot};
use serde_json::{Value, json};

const COMPONENTS_COUNT: usize = 500;
const ROUNDS_COUNT: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut files, mut invented) = (Vec::new(), 0);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--invented" => invented = arguments.next().ok_or("--invented N")?.parse()?,
            file => files.push(file.to_owned()),
        }
    }
    let folder = tempfile::tempdir()?;
    if invented > 0 {
        files.push(invent(folder.path(), invented)?);
    }
    let started = Instant::now();
    let mut builder = Builder::new();
    files.iter().try_for_each(|file| builder.osv(Path::new(file)))?;
    let built = builder.finish(None, None)?;
    let build = started.elapsed();
    let path = folder.path().join("snapshot");
    File::create(&path)?.write_all(&built.bytes)?;
    let components = components();
    let mut out = io::stdout().lock();
    let (records, bytes) = (built.head.records_count, built.bytes.len());
    writeln!(out, "{records} records, built in {build:?}, {bytes} bytes")?;
    let mut rounds: Vec<(Duration, Duration)> = Vec::new();
    let mut matches = 0;
    for _ in 0..ROUNDS_COUNT {
        let started = Instant::now();
        let snapshot = Snapshot::open(File::open(&path)?)?;
        let opened = started.elapsed();
        matches = snapshot.find(&components)?.matches.len();
        rounds.push((opened, started.elapsed()));
    }
    rounds.sort_by_key(|(_, whole)| *whole);
    let (opened, whole) = rounds[ROUNDS_COUNT / 2];
    let worst = rounds[ROUNDS_COUNT * 99 / 100].1;
    writeln!(
        out,
        "{COMPONENTS_COUNT} components, {matches} matches: opened in {opened:?}, with all look-ups {whole:?} (p50), {worst:?} (p99)"
    )?;
    let snapshot = Snapshot::open(File::open(&path)?)?;
    let started = Instant::now();
    for component in &components {
        snapshot.find(std::slice::from_ref(component))?;
    }
    writeln!(out, "one at a time: {:?} each", started.elapsed() / COMPONENTS_COUNT as u32)?;
    let started = Instant::now();
    snapshot.verify()?;
    writeln!(out, "read to the last byte in {:?}", started.elapsed())?;
    Ok(())
}

/// Half of them well-known packages of PyPI in old versions, half names of npm, most of which nobody knows.
fn components() -> Vec<Component> {
    const KNOWN: [&str; 25] = [
        "django",
        "tensorflow",
        "pillow",
        "salt",
        "ansible",
        "requests",
        "jinja2",
        "pyyaml",
        "urllib3",
        "cryptography",
        "aiohttp",
        "flask",
        "numpy",
        "lxml",
        "plone",
        "twisted",
        "tornado",
        "werkzeug",
        "paramiko",
        "sqlalchemy",
        "mlflow",
        "gradio",
        "apache-airflow",
        "wagtail",
        "nltk",
    ];
    let component = |ecosystem, name: String, version: String| Component {
        ecosystem,
        name,
        version,
        license: None,
        found_in: String::new(),
    };
    (0..COMPONENTS_COUNT)
        .map(|i| match i % 2 {
            0 => component(Ecosystem::Pypi, KNOWN[i / 2 % KNOWN.len()].to_owned(), format!("{}.{}.1", i / 50, i % 7)),
            _ => component(Ecosystem::Npm, format!("package-{}", i * 7_919 % 300_000), "1.2.3".to_owned()),
        })
        .collect()
}

fn invent(folder: &Path, count: usize) -> io::Result<String> {
    let path = folder.join("invented.jsonl");
    let mut file = io::BufWriter::new(File::create(&path)?);
    for i in 0..count {
        let record: Value = json!({"id": format!("MAL-2024-{i}"), "modified": "2024-06-01T00:00:00Z",
            "summary": format!("Malicious code in package-{i} (npm)"), "affected": [{
                "package": {"ecosystem": "npm", "name": format!("package-{i}")}, "versions": ["1.0.0", "99.0.0"]}]});
        writeln!(file, "{record}")?;
    }
    file.flush()?;
    Ok(path.display().to_string())
}
