//! Lockfiles, projects, records of installers and programs; the first byte chooses the file name.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| mpak_fuzz::targets::records(data));
