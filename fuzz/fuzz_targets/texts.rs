//! Texts of tools, gathered and judged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpak_scan::texts::{self, Texts};

fuzz_target!(|data: &[u8]| {
    let Ok(document) = serde_json::from_slice(data) else { return };
    if let Some(texts) = Texts::from_tools(&document, "tools.json") {
        let _findings = texts::judge(&texts);
    }
});
