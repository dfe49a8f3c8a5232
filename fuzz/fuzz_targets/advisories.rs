//! A snapshot of advisories: opened, proved, asked.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| mpak_fuzz::targets::advisories(data));
