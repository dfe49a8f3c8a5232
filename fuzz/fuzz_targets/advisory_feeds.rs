//! Feeds of advisories: the first byte says which; what is built can be read and asked.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| mpak_fuzz::targets::advisory_feeds(data));
