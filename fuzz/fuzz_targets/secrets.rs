//! The search for credentials.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _found = mpak_scan::secrets::scan_file("x.env", data);
});
