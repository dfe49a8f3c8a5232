//! Addresses that a publisher gives: only what leads to a web page, and only with its true host shown.

use url::Url;

use super::text::Shown;

/// Longest address that becomes a link.
const URL_BYTES_MAX: usize = 500;
/// Longest address as a reader sees it.
const LABEL_BYTES_MAX: usize = 60;

/// A link to another site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// `http` or `https`, without user name and password; the host in ASCII (RFC 5891).
    pub(crate) href: String,
    /// Host and path.
    pub(crate) label: Shown,
}

impl Link {
    /// Reads an address; `None` unless it is http(s) and says plainly where it leads.
    pub(crate) fn web(text: &str) -> Option<Self> {
        let url = web_url(text)?;
        let host = url.host_str()?.trim_start_matches("www.").to_owned();
        let port = url.port().map_or(String::new(), |p| format!(":{p}"));
        let path = url.path().trim_end_matches('/').trim_end_matches(".git");
        let label = Shown::word(&format!("{host}{port}{path}"), LABEL_BYTES_MAX);
        Some(Self { href: url.into(), label })
    }
}

/// An address of the web: http(s), with a host, without user name (`https://known.example@other.example`).
pub(crate) fn web_url(text: &str) -> Option<Url> {
    let text = text.trim().trim_start_matches("git+");
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_BYTES_MAX)?;
    let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    (plain && url.host_str().is_some_and(|h| !h.is_empty())).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_addresses_become_links() {
        for bad in [
            "javascript:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,<script>1</script>",
            "vbscript:x",
            "file:///etc/passwd",
            "//host/x",
            "/relative",
            "relative",
            "",
            "https://",
            "https://known.example@other.example/",
            "https://a:b@other.example/",
        ] {
            assert_eq!(Link::web(bad), None, "{bad}");
        }
        assert_eq!(Link::web(&format!("https://a.example/{}", "x".repeat(3_000))), None);
    }

    #[test]
    fn labels_show_the_true_host() {
        let link = Link::web("git+https://www.github.com/acme/widget.git").unwrap();
        assert_eq!(link.label.as_str(), "github.com/acme/widget");
        assert_eq!(link.href, "https://www.github.com/acme/widget.git");
        assert!(Link::web("https://gіthub.com/x").unwrap().label.as_str().starts_with("xn--gthub-"));
        assert!(Link::web("https://a.example/\"><script>").unwrap().href.find(['"', '<', '>']).is_none());
    }
}
