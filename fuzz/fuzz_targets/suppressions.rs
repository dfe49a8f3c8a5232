//! What whoever scans answers for; of a VEX document also its statements.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| mpak_fuzz::targets::suppressions(data));
