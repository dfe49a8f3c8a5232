//! Style sheet and icon: part of the program, under names that change with their bytes.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mpak_bundle::digest::Sha256;

use super::docs;

const STYLE: &str = include_str!("../../assets/style.css");
const ICON: &str = include_str!("../../assets/icon.svg");

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path("style", STYLE, "css"));
static ICON_PATH: LazyLock<String> = LazyLock::new(|| path("icon", ICON, "svg"));

/// Where the style sheet is.
pub(crate) fn style() -> &'static str {
    &STYLE_PATH
}

/// Where the icon is.
pub(crate) fn icon() -> &'static str {
    &ICON_PATH
}

fn path(stem: &str, bytes: &str, extension: &str) -> String {
    let digest = Sha256::of(bytes.as_bytes()).to_string();
    format!("/assets/{stem}-{}.{extension}", &digest[..12])
}

/// `GET /assets/{name}`: only under the current name, so that it may be kept for ever.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let path = format!("/assets/{name}");
    if path == *STYLE_PATH {
        answer("text/css; charset=utf-8", STYLE)
    } else if path == *ICON_PATH {
        answer("image/svg+xml", ICON)
    } else if name == docs::script_name() {
        answer("text/javascript; charset=utf-8", docs::SCRIPT)
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// `GET /favicon.ico`: browsers ask for it unasked.
pub(crate) async fn favicon() -> Response {
    let mut response = answer("image/svg+xml", ICON);
    response.headers_mut().insert(header::CACHE_CONTROL, "public, max-age=86400".parse().expect("a plain value"));
    response
}

fn answer(content_type: &'static str, body: &'static str) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn assets_are_kept_for_ever_under_their_own_name_only() {
        let name = style().trim_start_matches("/assets/").to_owned();
        let response = serve(Path(name)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        assert_eq!(serve(Path("style.css".to_owned())).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(serve(Path("../Cargo.toml".to_owned())).await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_style_sheet_loads_nothing_and_is_small() {
        assert!(!STYLE.contains("@import") && !STYLE.contains("url("));
        assert!(STYLE.len() < 24_000, "{} bytes", STYLE.len());
    }

    /// Relative luminance. Spec: WCAG 2.2.
    fn luminance(hex: &str) -> f64 {
        let digits: Vec<u32> = hex.trim_start_matches('#').chars().map(|c| c.to_digit(16).unwrap()).collect();
        let byte = |i: usize| if digits.len() == 3 { digits[i] * 17 } else { digits[2 * i] * 16 + digits[2 * i + 1] };
        let linear = |i: usize| {
            let c = f64::from(byte(i)) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(0) + 0.7152 * linear(1) + 0.0722 * linear(2)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_has_contrast_in_light_and_dark() {
        let (light, rest) = STYLE.split_once("@media (prefers-color-scheme:dark)").unwrap();
        let dark = rest.split_once("}}").unwrap().0;
        for scheme in [light, dark] {
            let color =
                |name: &str| scheme.split_once(&format!("--{name}:")).unwrap().1.split([';', '}']).next().unwrap();
            for ink in ["ink", "soft", "link", "link-2", "pass", "warn", "fail", "none"] {
                for ground in ["paper", "card", "sunk", "tape-soft"] {
                    let ratio = contrast(color(ink), color(ground));
                    assert!(ratio >= 4.5, "{ink} on {ground}: {ratio:.2}");
                }
            }
            assert!(contrast(color("btn-ink"), color("btn")) >= 4.5);
            assert!(contrast(color("focus"), color("paper")) >= 3.0);
        }
        let tiles = STYLE.split(".c0{").nth(1).unwrap();
        for tile in tiles.split("background:").skip(1).take(8).filter_map(|t| t.split('}').next()) {
            assert!(contrast(tile, "#ffffff") >= 4.5, "{tile}");
        }
    }
}
