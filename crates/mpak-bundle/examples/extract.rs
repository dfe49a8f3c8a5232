//! Extracts a bundle or any archive: `extract FILE FOLDER`, for measuring against other programs.
#![expect(clippy::print_stderr, reason = "an example talks to the one who runs it")]

use std::error::Error;
use std::fs::File;
use std::path::Path;

use mpak_bundle::archive::Archive;
use mpak_bundle::extract::{ExtractOptions, extract};
use mpak_bundle::limits::Limits;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(file), Some(folder)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: extract FILE FOLDER");
        std::process::exit(2);
    };
    let archive = Archive::open(File::open(file)?, &Limits::default())?;
    extract(&archive, Path::new(&folder), ExtractOptions::default())?;
    Ok(())
}
