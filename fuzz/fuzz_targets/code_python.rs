//! Facts of Python.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _unit = mpak_fuzz::on_large_stack(|| mpak_scan::code::read("x.py", data));
});
