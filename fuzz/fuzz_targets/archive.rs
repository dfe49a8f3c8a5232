//! The container reader: opening, listing, and reading every entry.
#![no_main]

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;
use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;

fuzz_target!(|data: &[u8]| {
    let limits = Limits { unpacked_bytes_max: 8 << 20, entry_bytes_max: 4 << 20, ..Limits::default() };
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(data).unwrap();
    if let Ok(archive) = Archive::open(file, &limits) {
        let _sound = archive.check_all();
    }
});
