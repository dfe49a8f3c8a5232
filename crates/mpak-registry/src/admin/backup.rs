//! Backup and restore: a folder that holds everything, whatever database and store it came from.
//!
//! ```text
//! BACKUP/
//! ├── manifest.json                 written last: rows and digest of each table, count of blobs
//! ├── tables/NAME.jsonl             a JSON object per row, from one snapshot
//! └── blobs/sha256/ab/cdef…         every blob that the snapshot names, hashed while copied
//! ```
//!
//! It grows in a hidden folder beside its place and is renamed when whole, so that a half-written one is
//! never found under its name. Rows are put back in one transaction, after all blobs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;

use futures_util::StreamExt as _;
use mpak_bundle::digest::{Hashing, Sha256};
use mpak_bundle::durable;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use super::upkeep::{UpkeepError, open_blobs, with_registry};
use super::with_db;
use crate::blob::Blobs;
use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::db::dump::{self, Table};
use crate::db::{self, Connection, Db, verify};
use crate::server::own_data;

/// What `manifest.json` says it is.
const VERSION: u32 = 1;
/// Rows that are put back by one statement, at most.
const BATCH_ROWS: usize = 500;
/// Bytes that are put back by one statement, unless a single row has more.
const BATCH_BYTES: usize = 4 << 20;
/// Largest row.
const ROW_BYTES_MAX: u64 = 256 << 20;
/// Largest manifest.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Tables that must be empty before something is put back.
const MUST_BE_EMPTY: &[&str] = &["packages", "versions", "artifacts", "blobs", "events", "tokens", "users"];

/// What a backup holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// RFC 3339.
    pub made_at: String,
    /// By name.
    pub tables: BTreeMap<String, TableSummary>,
    /// Number of blobs.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
}

/// One table of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSummary {
    /// Its rows.
    pub rows: u64,
    /// Digest of its file.
    pub sha256: String,
}

/// Writes everything into a new folder, also beside a running server.
///
/// # Errors
/// [`UpkeepError`]; nothing is then found at `to`.
pub fn backup(config: &Config, to: &Path, clock: &Clock) -> Result<Manifest, UpkeepError> {
    if to.symlink_metadata().is_ok() {
        return Err(UpkeepError::Exists { path: to.display().to_string() });
    }
    let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Only its owner may enter: it holds hashes of tokens.
    let part = tempfile::Builder::new().prefix(".mpak-backup-").tempdir_in(parent).map_err(on(parent))?;
    with_registry(config, async |db, blobs| {
        // 1. The tables, all in one state.
        let mut c = db.snapshot().await?;
        let mut tables = BTreeMap::new();
        fs::create_dir(part.path().join("tables")).map_err(on(part.path()))?;
        for table in dump::tables(&mut c).await? {
            let path = part.path().join("tables").join(format!("{}.jsonl", table.name));
            tables.insert(table.name.clone(), write_table(&mut c, &table, &path).await?);
        }
        let kept: Vec<_> = verify::kept_blobs(&mut c).collect().await;
        drop(c);
        // 2. The blobs that they name: those never change.
        let mut bytes = 0;
        let count = kept.len() as u64;
        for blob in kept {
            let (digest, size) = blob?;
            copy_out(blobs, &db::digest(&digest)?, part.path()).await?;
            bytes += db::unsigned(size);
        }
        // 3. What it is, then its name.
        let made_at = rfc3339(clock.now_ms());
        let manifest = Manifest { version: VERSION, made_at, tables, blobs: count, blob_bytes: bytes };
        let path = part.path().join("manifest.json");
        let text = serde_json::to_vec_pretty(&manifest).map_err(|e| on(&path)(e.into()))?;
        durable::replace(&path, &text, 0o600).map_err(on(&path))?;
        Ok(manifest)
    })
    .and_then(|manifest| {
        durable::rename(&part.keep(), to).map_err(on(to))?;
        Ok(manifest)
    })
}

fn on(path: &Path) -> impl Fn(io::Error) -> UpkeepError {
    move |source| UpkeepError::File { path: path.display().to_string(), source }
}

async fn write_table(c: &mut Connection, table: &Table, path: &Path) -> Result<TableSummary, UpkeepError> {
    let file = File::create_new(path).map_err(on(path))?;
    let mut out = Hashing::new(BufWriter::new(file));
    let mut rows = 0;
    let mut stream = pin!(dump::rows(c, table));
    while let Some(row) = stream.next().await {
        let row = one_line(&row?);
        out.write_all(row.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(on(path))?;
        rows += 1;
    }
    let (out, sha256) = out.finish();
    let file = out.into_inner().map_err(|e| on(path)(e.into_error()))?;
    file.sync_all().map_err(on(path))?;
    Ok(TableSummary { rows, sha256: sha256.to_string() })
}

/// A line feed between the members of an object is white space; inside a text it is escaped already.
fn one_line(row: &str) -> String {
    row.replace('\n', " ")
}

fn blob_path(root: &Path, sha256: &Sha256) -> PathBuf {
    let hex = sha256.to_string();
    root.join("blobs").join("sha256").join(&hex[..2]).join(&hex[2..])
}

async fn copy_out(blobs: &Blobs, sha256: &Sha256, root: &Path) -> Result<(), UpkeepError> {
    let path = blob_path(root, sha256);
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder).map_err(on(folder))?;
    let mut out = Hashing::new(File::create_new(&path).map_err(on(&path))?);
    let mut reading = blobs.read(sha256, None).await?;
    while let Some(piece) = reading.pieces.next().await {
        out.write_all(&piece?).map_err(on(&path))?;
    }
    let (file, found) = out.finish();
    file.sync_all().map_err(on(&path))?;
    if found == *sha256 {
        return Ok(());
    }
    Err(crate::blob::BlobError::Damaged { expected: *sha256, found: found.to_string() }.into())
}

/// Puts a backup into an empty registry; gives what it held.
///
/// # Errors
/// [`UpkeepError`]; the registry is then still empty, but for blobs that nothing names.
pub fn restore(config: &Config, from: &Path) -> Result<Manifest, UpkeepError> {
    // 1. The backup is whole.
    let manifest = read_manifest(from)?;
    for (name, summary) in &manifest.tables {
        check_table(&table_path(from, name), summary)?;
    }
    // 2. The registry is ours alone, and empty.
    let _lock = own_data(&config.data).map_err(|e| UpkeepError::InUse(Box::new(e)))?;
    with_db(config, async |db| {
        let blobs = open_blobs(config)?;
        let tables = dump::tables(&mut *db.read().await?).await?;
        check_empty(&mut *db.read().await?, &tables).await?;
        check_known(&manifest, &tables, from)?;
        // 3. Blobs before the rows that name them.
        let count = copy_in(config, &blobs, from).await?;
        if count != manifest.blobs {
            return Err(not_whole(from, format!("it says {} blobs and holds {count}", manifest.blobs)));
        }
        // 4. All rows or none.
        put_back(db, &tables, &manifest, from).await
    })?;
    Ok(manifest)
}

fn not_whole(path: &Path, reason: impl Into<String>) -> UpkeepError {
    UpkeepError::NotWhole { path: path.display().to_string(), reason: reason.into() }
}

/// Opens a file of a backup. What is none (a link out of it, a pipe or device without end) is refused.
fn open_file(path: &Path) -> Result<File, UpkeepError> {
    if !path.symlink_metadata().map_err(on(path))?.is_file() {
        return Err(not_whole(path, "it is not a file"));
    }
    File::open(path).map_err(on(path))
}

fn table_path(from: &Path, name: &str) -> PathBuf {
    from.join("tables").join(format!("{name}.jsonl"))
}

fn read_manifest(from: &Path) -> Result<Manifest, UpkeepError> {
    let path = from.join("manifest.json");
    let mut text = String::new();
    let file = open_file(&path)?;
    file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text).map_err(on(&path))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|e| not_whole(&path, e.to_string()))?;
    let plain = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match manifest.version {
        VERSION if manifest.tables.keys().all(plain) => Ok(manifest),
        VERSION => Err(not_whole(&path, "the name of a table is none")),
        found => Err(not_whole(&path, format!("it has version {found}, this program reads {VERSION}"))),
    }
}

fn check_table(path: &Path, summary: &TableSummary) -> Result<(), UpkeepError> {
    let mut file = open_file(path)?;
    let (found, _) = Sha256::of_reader(&mut file).map_err(on(path))?;
    if found.to_string() == summary.sha256 {
        return Ok(());
    }
    Err(not_whole(path, format!("its digest is {found} instead of {}", summary.sha256)))
}

async fn check_empty(c: &mut Connection, tables: &[Table]) -> Result<(), UpkeepError> {
    for table in tables.iter().filter(|t| MUST_BE_EMPTY.contains(&t.name.as_str())) {
        let rows = dump::count(c, table).await?;
        if rows > 0 {
            return Err(UpkeepError::NotEmpty { table: table.name.clone(), rows });
        }
    }
    Ok(())
}

/// A backup of a newer version may hold what this one would lose.
fn check_known(manifest: &Manifest, tables: &[Table], from: &Path) -> Result<(), UpkeepError> {
    match manifest.tables.iter().find(|(name, _)| !tables.iter().any(|t| t.name == **name)) {
        Some((name, summary)) if summary.rows > 0 => {
            Err(not_whole(&table_path(from, name), "a newer version of mpak made it: this one has no such table"))
        }
        _ => Ok(()),
    }
}

/// Copies and hashes every blob that the backup's table of blobs names as kept.
async fn copy_in(config: &Config, blobs: &Blobs, from: &Path) -> Result<u64, UpkeepError> {
    let path = table_path(from, "blobs");
    let mut count = 0;
    for row in Rows::open(&path)? {
        let row = row?;
        let digest = row.get("digest").and_then(Value::as_str).and_then(|d| d.parse::<Sha256>().ok());
        let digest = digest.ok_or_else(|| not_whole(&path, "a row has no digest"))?;
        if row.get("kept").and_then(Value::as_i64) == Some(0) {
            continue;
        }
        let source = blob_path(from, &digest);
        let size = row.get("size_bytes").and_then(Value::as_u64);
        let mut file = open_file(&source)?.take(size.unwrap_or(0).saturating_add(1));
        let target = NamedTempFile::with_prefix_in("restore-", config.tmp()).map_err(on(&config.tmp()))?;
        let mut target = Hashing::new(target);
        let size = io::copy(&mut file, &mut target).map_err(on(&source))?;
        let (target, found) = target.finish();
        if found != digest {
            return Err(not_whole(&source, format!("its digest is {found}")));
        }
        blobs.put(target, &digest, size).await?;
        count += 1;
    }
    Ok(count)
}

/// The rows of a table's file.
struct Rows {
    path: PathBuf,
    reader: BufReader<File>,
}

impl Rows {
    fn open(path: &Path) -> Result<Self, UpkeepError> {
        let file = open_file(path)?;
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file) })
    }

    fn next_row(&mut self) -> Result<Option<Map<String, Value>>, UpkeepError> {
        let mut line = String::new();
        self.reader.by_ref().take(ROW_BYTES_MAX).read_line(&mut line).map_err(on(&self.path))?;
        if line.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&line).map(Some).map_err(|e| not_whole(&self.path, e.to_string()))
    }
}

impl Iterator for Rows {
    type Item = Result<Map<String, Value>, UpkeepError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

async fn put_back(db: &Db, tables: &[Table], manifest: &Manifest, from: &Path) -> Result<(), UpkeepError> {
    let mut tx = db.write().await?;
    check_empty(&mut tx, tables).await?;
    for table in tables {
        let Some(summary) = manifest.tables.get(&table.name).filter(|s| s.rows > 0) else { continue };
        let path = table_path(from, &table.name);
        let mut batch = Batch::default();
        for row in Rows::open(&path)? {
            let row = row?;
            batch.check(&row, table, &path)?;
            batch.push(&row);
            if batch.is_full() {
                batch.write(&mut tx, table).await?;
            }
        }
        batch.write(&mut tx, table).await?;
        if batch.rows != summary.rows {
            return Err(not_whole(&path, format!("it holds {} rows instead of {}", batch.rows, summary.rows)));
        }
        dump::number_on(&mut tx, table).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Rows on their way into a table.
#[derive(Default)]
struct Batch {
    columns: Vec<String>,
    waiting: usize,
    json: String,
    rows: u64,
}

impl Batch {
    /// All rows of a table have the same columns, and the table has them.
    fn check(&mut self, row: &Map<String, Value>, table: &Table, path: &Path) -> Result<(), UpkeepError> {
        if self.columns.is_empty() {
            self.columns = row.keys().cloned().collect();
            let unknown = self.columns.iter().find(|name| !table.columns.iter().any(|c| c.name == **name));
            if let Some(unknown) = unknown {
                return Err(not_whole(
                    path,
                    format!("a newer version of mpak made it: there is no column `{unknown}`"),
                ));
            }
        }
        let same = row.len() == self.columns.len() && self.columns.iter().all(|name| row.contains_key(name));
        if same { Ok(()) } else { Err(not_whole(path, "its rows have different columns")) }
    }

    fn push(&mut self, row: &Map<String, Value>) {
        self.json.push(if self.waiting == 0 { '[' } else { ',' });
        self.json.push_str(&serde_json::to_string(row).unwrap_or_default());
        self.waiting += 1;
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        self.waiting >= BATCH_ROWS || self.json.len() >= BATCH_BYTES
    }

    async fn write(&mut self, c: &mut Connection, table: &Table) -> Result<(), UpkeepError> {
        if self.waiting > 0 {
            self.json.push(']');
            dump::insert(c, table, &self.columns, &self.json).await?;
        }
        self.waiting = 0;
        self.json.clear();
        Ok(())
    }
}
