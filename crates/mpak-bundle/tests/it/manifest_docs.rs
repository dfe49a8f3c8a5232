//! The documentation's table of problem codes beside the code.

use std::collections::BTreeMap;
use std::path::Path;

use mpak_bundle::manifest::CODES;

use crate::manifest::{Verdict, cases};

#[test]
fn every_code_is_documented_with_its_severity() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/manifest.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let code = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let severity = |cell: &str| ["error", "warning", "either"].contains(&cell);
        (cells.len() == 6 && severity(cells[2]) && severity(cells[3])).then(|| (code, (cells[2], cells[3])))
    });
    let documented: BTreeMap<&str, (&str, &str)> = rows.collect();
    for code in CODES {
        assert!(documented.contains_key(code), "`{code}` is not documented");
    }
    for code in documented.keys() {
        assert!(CODES.contains(code), "`{code}` is documented and does not exist");
    }
    for case in cases() {
        for (verdict, strict) in [(case.strict, true), (case.tolerant, false)] {
            let (code, found) = match verdict {
                Verdict::Accepted => continue,
                Verdict::Warned(code) => (code, "warning"),
                Verdict::Refused(code) => (code, "error"),
            };
            let (when_strict, when_tolerant) = documented[code];
            let said = if strict { when_strict } else { when_tolerant };
            assert!(said == found || said == "either", "{}: `{code}` is {found}, documented as {said}", case.row);
        }
    }
}
