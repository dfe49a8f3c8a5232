//! The table of nasty manifests, row by row, and strict reading beside the published schemas.

use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{Reading, read};

#[test]
fn a_plain_manifest_reads_cleanly() {
    let text = r#"{"manifest_version":"0.3","name":"x","version":"1.0.0","description":"d","author":{"name":"a"},
        "server":{"type":"node","entry_point":"server/index.js","mcp_config":{"command":"node","args":["${__dirname}/server/index.js"]}}}"#;
    for reading in [Reading::Strict, Reading::Tolerant] {
        let read = read(text.as_bytes(), reading, &Limits::default());
        assert_eq!(read.problems, []);
        assert_eq!(read.manifest.unwrap().server.entry_point, "server/index.js");
    }
}
