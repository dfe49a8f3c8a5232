//! The manifest, strictly and tolerantly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, Reading};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    for reading in [Reading::Strict, Reading::Tolerant] {
        let _read = manifest::read(data, reading, &limits);
    }
});
