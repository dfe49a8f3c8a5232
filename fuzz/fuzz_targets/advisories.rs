//! A snapshot of advisories.
#![no_main]

use std::io::{Seek as _, Write as _};

use libfuzzer_sys::fuzz_target;
use mpak_scan::advisories::Snapshot;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(data).unwrap();
    file.rewind().unwrap();
    let _opened = Snapshot::open(file);
});
