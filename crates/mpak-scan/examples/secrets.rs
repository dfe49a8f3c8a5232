//! How fast credentials are searched for: every file of a folder, read into memory first.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use mpak_scan::secrets::{Secrets, scan_file};

const ROUNDS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: secrets FOLDER")?);
    let (mut folders, mut files) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.is_file() {
                files.push((path.display().to_string(), fs::read(&path)?));
            }
        }
    }
    files.sort();
    let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
    let mut out = std::io::stdout().lock();
    for _ in 0..ROUNDS {
        let (started, mut secrets) = (Instant::now(), Secrets::default());
        for (path, content) in &files {
            secrets.add(scan_file(path, content));
        }
        let time = started.elapsed();
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = bytes as f64 / 1e6 / time.as_secs_f64();
        let (files, hits, examined) = (files.len(), secrets.hits.len(), secrets.examined_bytes);
        writeln!(
            out,
            "{files} files, {bytes} bytes: {time:?}, {rate:.0} MB/s, {hits} hits, {examined} bytes examined"
        )?;
    }
    Ok(())
}
