//! `GET …/badge.svg`: the picture that READMEs embed.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::bundles;
use crate::error::ApiResult;
use crate::http::cached;
use crate::state::AppState;

/// `GET /v1/bundles/@scope/name/badge.svg`
pub(crate) async fn badge(
    State(state): State<AppState>,
    Path((scope, name)): Path<(String, String)>,
) -> ApiResult<Response> {
    let mut c = state.db.read().await?;
    let (_, package) = bundles::package(&mut c, &scope, &name).await?;
    let svg = svg(&package.latest_version);
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))];
    Ok(cached((content_type, svg).into_response(), "max-age=300, s-maxage=3600"))
}

/// A badge without a level: `mpak | v1.2.3`.
fn svg(version: &str) -> String {
    let value = format!("v{version}");
    let label_width = text_width("mpak");
    let value_width = text_width(&value);
    let (value, width) = (escape(&value), label_width + value_width);
    let (label_middle, value_middle) = (label_width / 2, label_width + value_width / 2);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="mpak: {value}"><title>mpak: {value}</title><clipPath id="r"><rect width="{width}" height="20" rx="3" fill="#fff"/></clipPath><g clip-path="url(#r)"><rect width="{label_width}" height="20" fill="#555"/><rect x="{label_width}" width="{value_width}" height="20" fill="#16a34a"/></g><g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"><text x="{label_middle}" y="14">mpak</text><text x="{value_middle}" y="14">{value}</text></g></svg>"##
    )
}

/// Width of a text box: 6.5 units per character, rounded up, and 10.
fn text_width(text: &str) -> usize {
    (text.chars().count() * 13).div_ceil(2) + 10
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_as_wide_as_existing_badges_have_it() {
        assert_eq!(text_width("mpak"), 36);
    }

    #[test]
    fn hostile_versions_are_escaped() {
        let svg = svg(r#"1"><script>alert('&')</script>"#);
        assert!(!svg.contains("<script"));
        assert!(svg.contains("v1&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)"));
    }
}
