//! `GET …/badge.svg`: the picture that READMEs embed; it says which version or level a package has.
//!
//! Geometry, words and colours are those of existing badges; the text is escaped, so that a version
//! cannot become markup.

use std::fmt::Write as _;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use mpak_scan::report::Report;

use super::bundles;
use crate::db::packages::Package;
use crate::db::{Connection, artifacts, scans, versions};
use crate::error::{ApiError, ApiResult};
use crate::http::cached;
use crate::state::AppState;

/// Opened on its own, the picture loads and runs nothing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// `GET /v1/bundles/@scope/name/badge.svg`
#[utoipa::path(
    get, path = "/v1/bundles/{scope}/{name}/badge.svg", tag = "bundles",
    params(("scope" = String, Path, description = "With its `@`"), ("name" = String, Path)),
    responses((status = 200, description = "A picture for READMEs", body = String, content_type = "image/svg+xml")),
)]
pub(crate) async fn badge(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
) -> ApiResult<Response> {
    let mut c = state.db.read().await?;
    let (_, package) = bundles::package(&mut c, &scope, &name).await?;
    let level = level(&mut c, &package).await?;
    let svg = svg(Badge::of(&package.latest_version, level));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    ];
    Ok(cached((headers, svg).into_response(), "max-age=300, s-maxage=3600"))
}

/// The level of the latest version: that of its worst artifact, once all are assessed.
async fn level(c: &mut Connection, package: &Package) -> ApiResult<Option<u8>> {
    let Some(version) = versions::id_of(c, package.id, &package.latest_version).await? else { return Ok(None) };
    let mut worst = None;
    for artifact in artifacts::of_version(c, version).await? {
        let Some(scan) = scans::newest(c, artifact.id).await? else { return Ok(None) };
        let report: Report = serde_json::from_str(&scan.report_json).map_err(|e| ApiError::internal(&e))?;
        let Some(level) = report.assessed_level() else { return Ok(None) };
        worst = Some(worst.map_or(level, |w: u8| w.min(level)));
    }
    Ok(worst)
}

/// What a badge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Badge<'a> {
    /// Not assessed, or no level reached: the latest version.
    Version(&'a str),
    /// Levels 1 to 4.
    Level(u8),
}

impl<'a> Badge<'a> {
    /// From a package's latest version and level.
    fn of(latest_version: &'a str, level: Option<u8>) -> Self {
        match level {
            Some(level @ 1..=4) => Self::Level(level),
            _ => Self::Version(latest_version),
        }
    }
}

const LABEL: &str = "mpak";
const LOCK_WIDTH: usize = 14;
/// A padlock, 8 by 10, drawn where `LOCK_WIDTH` leaves room.
const LOCK: &str = "M2 5V3.5a2.5 2.5 0 0 1 5 0V5h.5v5h-6V5zm1.2 0h2.6V3.5a1.3 1.3 0 0 0-2.6 0z";

/// Draws it.
fn svg(badge: Badge<'_>) -> String {
    let (value, color, title, lock) = match badge {
        Badge::Version(version) => (format!("v{version}"), "#16a34a", format!("mpak: v{version}"), 0),
        Badge::Level(level) => {
            let (word, color) = level_look(level);
            (word.to_owned(), color, format!("mpak certified: {word}"), LOCK_WIDTH)
        }
    };
    let (left, right) = (text_width(LABEL), lock + text_width(&value));
    draw(&Look { value: &escaped(&value), title: &escaped(&title), color, lock, left, right })
}

struct Look<'a> {
    value: &'a str,
    title: &'a str,
    color: &'a str,
    lock: usize,
    left: usize,
    right: usize,
}

fn draw(look: &Look<'_>) -> String {
    let Look { value, title, color, lock, left, right } = look;
    let width = left + right;
    let (label_middle, value_middle) = (half(*left), half(2 * left + lock + right));
    let padlock = if *lock == 0 {
        String::new()
    } else {
        format!("<path transform=\"translate({} 5)\" fill=\"#fff\" d=\"{LOCK}\"/>", left + 5)
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"20\" role=\"img\" \
         aria-label=\"{title}\"><title>{title}</title>\
         <clipPath id=\"r\"><rect width=\"{width}\" height=\"20\" rx=\"3\" fill=\"#fff\"/></clipPath>\
         <g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"20\" fill=\"#555\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{color}\"/></g>{padlock}\
         <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,Geneva,DejaVu Sans,sans-serif\" \
         font-size=\"11\"><text x=\"{label_middle}\" y=\"14\">{LABEL}</text>\
         <text x=\"{value_middle}\" y=\"14\">{value}</text></g></svg>"
    )
}

fn level_look(level: u8) -> (&'static str, &'static str) {
    match level {
        1 => ("L1 Basic", "#007ec6"),
        2 => ("L2 Standard", "#44cc11"),
        3 => ("L3 Verified", "#97ca00"),
        _ => ("L4 Attested", "#dfb317"),
    }
}

/// 6.5 for each character, rounded up, and 5 on both sides.
fn text_width(text: &str) -> usize {
    (text.chars().count() * 13).div_ceil(2) + 10
}

fn half(twice: usize) -> String {
    if twice.is_multiple_of(2) { (twice / 2).to_string() } else { format!("{}.5", twice / 2) }
}

/// For XML text and attributes; what XML 1.0 forbids is left out (§2.2).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(out, "[U+{:04X}]", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uncertified_package_shows_its_version() {
        for level in [None, Some(0), Some(9)] {
            let svg = svg(Badge::of("1.2.3", level));
            assert!(svg.contains("width=\"85\" height=\"20\""), "36 for the label, 49 for six characters: {svg}");
            assert!(svg.contains("aria-label=\"mpak: v1.2.3\"") && svg.contains("<title>mpak: v1.2.3</title>"));
            assert!(
                svg.contains("fill=\"#16a34a\"") && svg.contains("<rect width=\"36\" height=\"20\" fill=\"#555\"/>")
            );
            assert!(svg.contains(">v1.2.3</text>") && !svg.contains("<path"));
        }
    }

    #[test]
    fn a34_a_certified_package_shows_its_level_and_no_version() {
        for (level, word, color, width) in [
            (1, "L1 Basic", "#007ec6", 76),
            (2, "L2 Standard", "#44cc11", 96),
            (3, "L3 Verified", "#97ca00", 96),
            (4, "L4 Attested", "#dfb317", 96),
        ] {
            let svg = svg(Badge::of("1.2.3", Some(level)));
            assert!(svg.contains(&format!("aria-label=\"mpak certified: {word}\"")), "{svg}");
            assert!(
                svg.contains(&format!("<rect x=\"36\" width=\"{width}\" height=\"20\" fill=\"{color}\"/>")),
                "{svg}"
            );
            assert!(!svg.contains("1.2.3") && svg.contains("<path"));
        }
    }

    #[test]
    fn a36_a_version_cannot_become_markup() {
        let svg = svg(Badge::Version("1</text><script>alert(1)</script>\"' onload=\"x&\u{0}\u{202E}"));
        assert!(!svg.contains("<script") && !svg.contains('\0') && !svg.contains('\u{202E}'), "{svg}");
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;alert(1)") && svg.contains("&quot;&#39; onload=&quot;x&amp;"));
        assert_eq!(svg.matches("<text ").count(), 2);
    }
}
