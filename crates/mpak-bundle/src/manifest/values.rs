//! Rules for single values: URLs, addresses, locale tags, icon sizes, paths, names.

use url::Url;

/// Schemes under which a source repository may be named beside http(s).
const REPOSITORY_SCHEMES: [&str; 5] = ["git", "ssh", "git+https", "git+http", "git+ssh"];
/// Longest name without remark, in bytes.
const NAME_BYTES_USUAL: usize = 255;

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlFault {
    /// Not an absolute URL.
    Invalid,
    /// Not http(s), or not written `https://`.
    Scheme,
    /// Holds a user name or password.
    Credentials,
}

/// Checks a URL that is shown as a link.
pub(super) fn link(text: &str) -> Result<(), UrlFault> {
    url(text, &[])
}

/// Checks the URL of a repository: also the forms that git clients understand.
pub(super) fn repository(text: &str) -> Result<(), UrlFault> {
    url(text, &REPOSITORY_SCHEMES)
}

fn url(text: &str, also: &[&str]) -> Result<(), UrlFault> {
    // The parser strips these silently; what a person reads and what is opened would differ.
    if text.chars().any(|c| c.is_control() || c == ' ') {
        return Err(UrlFault::Invalid);
    }
    let parsed = Url::parse(text).map_err(|_parse| UrlFault::Invalid)?;
    let scheme = parsed.scheme();
    let web = matches!(scheme, "http" | "https");
    if !web && !also.contains(&scheme) {
        return Err(UrlFault::Scheme);
    }
    let slashes = text.get(scheme.len()..).is_some_and(|rest| rest.starts_with("://"));
    if !slashes {
        return Err(UrlFault::Scheme);
    }
    let user_is_account = scheme.ends_with("ssh");
    if parsed.password().is_some() || (!parsed.username().is_empty() && !user_is_account) {
        return Err(UrlFault::Credentials);
    }
    Ok(())
}

/// Whether a text is an address by the rule of existing tools (zod 3): no IDN, no quoted parts.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'\'' | b'+' | b'-' | b'.');
    let local_last = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-');
    let label = |l: &str| {
        l.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let Some((labels, top)) = domain.rsplit_once('.') else { return false };
    !local.starts_with('.')
        && !text.contains("..")
        && local.bytes().all(local_char)
        && local.bytes().last().is_some_and(local_last)
        && labels.split('.').all(label)
        && top.len() >= 2
        && top.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Whether a text is a locale tag (`en`, `pt-BR`).
pub(super) fn is_locale(text: &str) -> bool {
    let part = |p: &str, least: usize| (least..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric());
    let mut parts = text.split('-');
    parts.next().is_some_and(|first| part(first, 2)) && parts.all(|p| part(p, 1))
}

/// Width and height of `WIDTHxHEIGHT`; numbers too large to be a size become the largest one.
pub(super) fn icon_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    let side = |s: &str| {
        (!s.is_empty() && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<u32>().unwrap_or(u32::MAX))
    };
    Some((side(width)?, side(height)?))
}

/// A path in the bundle in its plain form (`./a//b` is `a/b`), or what is wrong with it.
pub(super) fn bundle_path(text: &str) -> Result<String, &'static str> {
    let bytes = text.as_bytes();
    if text.is_empty() {
        return Err("an empty text");
    }
    if text.chars().any(char::is_control) {
        return Err("a control character");
    }
    if text.contains('\\') {
        return Err("a backslash");
    }
    if bytes[0] == b'/' || (bytes.len() > 1 && bytes[1] == b':' && bytes[0].is_ascii_alphabetic()) {
        return Err("an absolute path");
    }
    let parts: Vec<&str> = text.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.contains(&"..") {
        return Err("a path with `..`");
    }
    if parts.is_empty() { Err("a folder") } else { Ok(parts.join("/")) }
}

/// Whether a Python entry point names a module (`package.module`), not a file.
pub(crate) fn is_module_name(text: &str) -> bool {
    let identifier = |part: &str| {
        part.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    text.split('.').all(identifier) && !text.rsplit('.').next().is_some_and(|end| end.eq_ignore_ascii_case("py"))
}

/// What makes a name unusable anywhere, or `None`.
pub(super) fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("an empty text");
    }
    if name.chars().any(char::is_control) {
        return Some("a control character");
    }
    if name.contains('\\') {
        return Some("a backslash");
    }
    name.split('/').any(|part| matches!(part, "" | "." | "..")).then_some("a path")
}

/// What makes a name unfit for files and folders on some system, or `None`.
pub(super) fn name_remark(name: &str) -> Option<&'static str> {
    if name.len() > NAME_BYTES_USUAL {
        return Some("a name longer than 255 bytes");
    }
    let base = name.rsplit('/').next().unwrap_or(name);
    let stem = base.split('.').next().unwrap_or(base).trim_end().to_ascii_uppercase();
    let numbered =
        |p: &str| stem.strip_prefix(p).is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$");
    (device || numbered("COM") || numbered("LPT")).then_some("a reserved word of Windows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_http_and_carry_no_secrets() {
        for good in ["https://a.b", "http://localhost:3000/x?y#z", "https://\u{e9}.example/", "HTTPS://A.B/"] {
            assert_eq!(link(good), Ok(()), "{good}");
        }
        for (bad, fault) in [
            ("javascript:alert(1)", UrlFault::Scheme),
            ("file:///etc/passwd", UrlFault::Scheme),
            ("https:x", UrlFault::Scheme),
            ("https:\\\\x", UrlFault::Scheme),
            ("data:text/html,x", UrlFault::Scheme),
            ("git+https://a.b/c", UrlFault::Scheme),
            ("foo", UrlFault::Invalid),
            ("//x.y", UrlFault::Invalid),
            ("https://a b", UrlFault::Invalid),
            ("ht\ntps://a", UrlFault::Invalid),
            ("", UrlFault::Invalid),
            ("https://user:pw@a.b", UrlFault::Credentials),
            ("https://token@a.b", UrlFault::Credentials),
        ] {
            assert_eq!(link(bad), Err(fault), "{bad}");
        }
        for good in ["git+https://a.b/c.git", "ssh://git@a.b/c", "git://a.b/c", "https://a.b/c"] {
            assert_eq!(repository(good), Ok(()), "{good}");
        }
        assert!(repository("git@a.b:c/d").is_err());
        assert!(repository("javascript:x").is_err());
    }

    #[test]
    fn addresses_follow_existing_tools() {
        for good in ["a@b.co", "first.last+tag@sub.example.org", "o'x_-@b-c.io", "A@B.CO"] {
            assert!(is_email(good), "{good}");
        }
        for bad in
            ["", "a", "a@b", "a@b.c", ".a@b.co", "a..b@c.co", "a.@b.co", "a@-b.co", "a@b.c0", "a b@c.co", "a@b@c.co"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn paths_stay_inside_and_take_their_plain_form() {
        for (text, plain) in [("a/b", "a/b"), ("./a//b", "a/b"), ("a", "a"), ("a/./b", "a/b"), ("...", "...")] {
            assert_eq!(bundle_path(text).as_deref(), Ok(plain), "{text}");
        }
        for bad in ["", "/", ".", "/bin/sh", "../x", "a/../b", "a\\b", "C:/x", "c:x", "a\0b", "\u{1b}"] {
            assert!(bundle_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_that_are_paths_are_unusable_and_odd_ones_are_remarked() {
        for good in ["x", "@scope/x", "io.github.a/b", "my server", "..x"] {
            assert_eq!(name_fault(good), None, "{good}");
        }
        for bad in ["", "../../x", "a/../b", "/x", "a//b", "a\0", "a\u{1b}[0m", "a\\b", ".", ".."] {
            assert!(name_fault(bad).is_some(), "{bad}");
        }
        for odd in ["CON", "con.txt", "@a/LPT1", "com9"] {
            assert!(name_remark(odd).is_some(), "{odd}");
        }
        assert!(name_remark(&"x".repeat(10_240)).is_some());
        assert_eq!(name_remark("console"), None);
    }

    #[test]
    fn module_names_are_dotted_identifiers() {
        for name in ["mcp_echo.server", "server", "_a.b1"] {
            assert!(is_module_name(name), "{name}");
        }
        for name in ["server/main.py", "main.py", "a..b", "1a", "a-b", ""] {
            assert!(!is_module_name(name), "{name}");
        }
    }

    #[test]
    fn sizes_and_tags() {
        assert_eq!(icon_size("16x32"), Some((16, 32)));
        assert_eq!(icon_size("0x0"), Some((0, 0)));
        for bad in ["", "x", "16", "16x", "x16", "16X16", "-1x1", "1x1x1", " 1x1"] {
            assert_eq!(icon_size(bad), None, "{bad}");
        }
        for good in ["en", "pt-BR", "zh-Hant-TW", "abcdefgh"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "e", "en_US", "en-", "-en", "abcdefghi", "en-abcdefghi"] {
            assert!(!is_locale(bad), "{bad}");
        }
    }
}
