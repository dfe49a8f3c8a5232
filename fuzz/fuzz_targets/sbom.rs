//! Bills of materials.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpak_bundle::sbom;

fuzz_target!(|data: &[u8]| {
    let _read = sbom::read(data);
});
