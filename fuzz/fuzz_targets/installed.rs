//! An installed Python package: its `RECORD`, `METADATA`, `entry_points.txt`, a module, a start-up file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| mpak_fuzz::targets::installed(data));
