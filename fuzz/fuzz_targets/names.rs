//! The name of a package beside popular ones: lines are names.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| mpak_fuzz::targets::names(data));
