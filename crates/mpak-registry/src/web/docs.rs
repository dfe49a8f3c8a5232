//! `GET /docs`: the API, to read and to try. The page is drawn by RapiDoc (`assets/rapidoc.js`, MIT; see
//! `assets/rapidoc.LICENSE`) from `/openapi.json`; nothing is loaded from elsewhere.

use std::sync::LazyLock;

use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use mpak_bundle::digest::Sha256;

use super::asset;

pub(super) const SCRIPT: &str = include_str!("../../assets/rapidoc.js");
static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::of(SCRIPT.as_bytes()).to_string();
    format!("rapidoc-{}.js", &digest[..12])
});

/// Our own script, which styles what it draws; requests go to ourselves only.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// On a narrow screen the drawing would touch the edges, and lose letters there.
const STYLE: &str = "body{margin:0}rapi-doc [slot] a{color:#0f766e}\
    @media(prefers-color-scheme:dark){rapi-doc [slot] a{color:#5eead4}}\
    @media(max-width:767px){rapi-doc::part(section-auth),rapi-doc::part(section-tag),\
    rapi-doc::part(section-operations-in-tag){padding:0 1.5rem}rapi-doc::part(section-overview){padding:1rem 1.5rem}}";

/// Under which name the script is served.
pub(super) fn script_name() -> &'static str {
    &SCRIPT_NAME
}

/// `GET /docs`
pub(crate) async fn docs() -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>mpak API</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"{}\"><style>{}</style><script type=\"module\" src=\"/assets/{}\"></script></head><body>\
         <rapi-doc spec-url=\"/openapi.json\" load-fonts=\"false\" regular-font=\"system-ui, sans-serif\" \
         mono-font=\"ui-monospace, monospace\" primary-color=\"#0f766e\" render-style=\"read\" \
         show-header=\"false\" schema-style=\"table\" sort-tags=\"false\" allow-spec-url-load=\"false\" \
         allow-spec-file-load=\"false\" allow-server-selection=\"false\" use-path-in-nav-bar=\"true\" \
         show-method-in-nav-bar=\"as-colored-text\"><p slot=\"overview\"><a href=\"/\">The registry</a> · \
         <a href=\"/openapi.json\">openapi.json</a></p></rapi-doc>\
         <noscript><p>This page needs a script to draw the API. The description itself: \
         <a href=\"/openapi.json\">/openapi.json</a></p></noscript></body></html>",
        asset::icon(),
        STYLE,
        script_name(),
    );
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, html).into_response()
}
