//! Evidence from outside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpak_scan::outside::Outside;

fuzz_target!(|data: &[u8]| {
    let _read = Outside::read(data);
});
