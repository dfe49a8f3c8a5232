//! A whole scan of a bundle whose files are pieces of the input, cut at NUL bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| mpak_fuzz::targets::whole_scan(data));
