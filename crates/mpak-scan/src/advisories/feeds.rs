//! The two feeds beside the advisories: what is known to be exploited (CISA KEV), and how likely
//! exploitation is (FIRST EPSS).

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use serde::Deserialize;

use super::{FieldError, clip, date};

/// Most entries of KEV.
const KEV_COUNT_MAX: usize = 200_000;
/// Most rows of EPSS.
const EPSS_COUNT_MAX: usize = 5_000_000;
/// Longest row of EPSS.
const EPSS_ROW_BYTES_MAX: u64 = 1 << 10;
/// Parts of an EPSS probability: five decimals are published.
pub(super) const EPSS_PARTS: f64 = 100_000.0;

/// Known exploited vulnerabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kev {
    pub(super) ids: BTreeSet<String>,
    /// When the catalogue was released, as a moment or a day.
    pub(super) released: Option<String>,
}

/// Probabilities of exploitation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Epss {
    /// By CVE id, in hundred-thousandths.
    pub(super) scores: BTreeMap<String, u32>,
    /// The day they were computed.
    pub(super) scored: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKev {
    date_released: Option<String>,
    vulnerabilities: Vec<WireKevEntry>,
}

#[derive(Deserialize)]
struct WireKevEntry {
    #[serde(rename = "cveID")]
    cve_id: String,
}

/// Reads the catalogue.
pub(super) fn kev(json: &[u8]) -> Result<Kev, FieldError> {
    let wire: WireKev = serde_json::from_slice(json).map_err(FieldError::Json)?;
    if wire.vulnerabilities.len() > KEV_COUNT_MAX {
        let count = wire.vulnerabilities.len();
        return Err(FieldError::TooMany { field: "vulnerabilities", count, count_max: KEV_COUNT_MAX });
    }
    let released = wire.date_released.and_then(|text| date::moment(&text));
    // What is no CVE id is no alias of anything.
    let ids = wire.vulnerabilities.iter().filter_map(|entry| cve("cveID", &entry.cve_id).ok()).collect();
    Ok(Kev { ids, released })
}

/// Reads the table: comments with the date, a header, then `cve,epss,percentile`.
pub(super) fn epss(mut text: impl BufRead) -> Result<Epss, FieldError> {
    let mut out = Epss::default();
    let mut row = Vec::new();
    loop {
        row.clear();
        let read = std::io::Read::take(&mut text, EPSS_ROW_BYTES_MAX).read_until(b'\n', &mut row);
        if read.map_err(FieldError::Read)? == 0 {
            return Ok(out);
        }
        let line = std::str::from_utf8(&row).map_err(|_invalid| bad_row(&row))?.trim();
        if let Some(comment) = line.strip_prefix('#') {
            out.scored =
                comment.split(',').find_map(|p| p.trim().strip_prefix("score_date:")).and_then(scored).or(out.scored);
            continue;
        }
        if line.is_empty() || line.starts_with("cve,") {
            continue;
        }
        let mut cells = line.split(',');
        let (Some(id), Some(score)) = (cells.next(), cells.next()) else { return Err(bad_row(&row)) };
        let parts =
            score.trim().parse::<f64>().ok().filter(|s| (0.0..=1.0).contains(s)).map(|s| (s * EPSS_PARTS).round());
        let Some(parts) = parts else { return Err(bad_row(&row)) };
        #[expect(clippy::cast_sign_loss, reason = "a share of one is never negative")]
        let parts = parts as u32;
        out.scores.insert(cve("cve", id.trim())?, parts);
        if out.scores.len() > EPSS_COUNT_MAX {
            return Err(FieldError::TooMany { field: "cve", count: out.scores.len(), count_max: EPSS_COUNT_MAX });
        }
    }
}

fn scored(text: &str) -> Option<String> {
    date::day(text.trim()).map(str::to_owned)
}

fn bad_row(row: &[u8]) -> FieldError {
    FieldError::Row { found: clip(String::from_utf8_lossy(row).trim()) }
}

/// `CVE-2024-12345`.
fn cve(field: &'static str, id: &str) -> Result<String, FieldError> {
    let parts = id.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
    let number =
        |text: &str, least: usize| (least..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match parts {
        Some((year, n)) if year.len() == 4 && number(year, 4) && number(n, 1) => Ok(id.to_owned()),
        _ => Err(FieldError::Identifier { field, found: clip(id) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_of_exploited_vulnerabilities_is_read() {
        let json = br#"{"catalogVersion":"2025.08.25","dateReleased":"2025-08-25T17:04:19.9796Z","count":1,
            "vulnerabilities":[{"cveID":"CVE-2025-48384","cwes":["CWE-59"]}]}"#;
        let read = kev(json).unwrap();
        assert_eq!(read.released.as_deref(), Some("2025-08-25T17:04:19Z"));
        assert!(read.ids.contains("CVE-2025-48384"));
        for bad in ["{}", "[]", "", r#"{"vulnerabilities":[{}]}"#] {
            assert!(kev(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_table_of_probabilities_is_read() {
        let text = "#model_version:v2025.03.14,score_date:2025-08-25T12:55:00Z\ncve,epss,percentile\r\nCVE-1999-0001,0.01297,0.78\nCVE-2021-44228,0.94358,1\n";
        let read = epss(text.as_bytes()).unwrap();
        assert_eq!(read.scored.as_deref(), Some("2025-08-25"));
        assert_eq!(read.scores["CVE-2021-44228"], 94_358);
        for bad in
            ["CVE-2021-1", "CVE-2021-1,x", "CVE-2021-1,1.5", "CVE-2021-1,NaN", "x,0.5", "\u{0}", "CVE-2021-1,-0.1"]
        {
            assert!(epss(bad.as_bytes()).is_err(), "{bad}");
        }
        let long = "x".repeat(5_000);
        assert!(epss(long.as_bytes()).is_err());
    }
}
