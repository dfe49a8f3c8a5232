//! Texts of tools, gathered and judged.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| mpak_fuzz::targets::texts(data));
