//! Judges signed addresses of S3, which moto takes without looking at the signature.
//!
//! Spec: AWS Signature Version 4, authentication by query parameters.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, Tag, sign};

use super::hex;

/// Whether an address was signed with this secret for GET by anybody who has it.
pub fn is_signed(url: &str, secret: &str) -> bool {
    let parts = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let Some((host, (path, query))) = parts.and_then(|(host, rest)| Some((host, rest.split_once('?')?))) else {
        return false;
    };
    let mut pairs: Vec<&str> = query.split('&').filter(|p| !p.starts_with("X-Amz-Signature=")).collect();
    pairs.sort_unstable();
    let value = |name: &str| query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let (date, scope) = (value("X-Amz-Date"), value("X-Amz-Credential").replace("%2F", "/"));
    let Some((_, scope)) = scope.split_once('/') else { return false };
    let canonical = format!("GET\n/{path}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", pairs.join("&"));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(digest(&SHA256, canonical.as_bytes()).as_ref()));
    let first = hmac(format!("AWS4{secret}").as_bytes(), scope.split('/').next().unwrap_or_default());
    let key = scope.split('/').skip(1).fold(first, |key, part| hmac(key.as_ref(), part));
    hex(hmac(key.as_ref(), &text).as_ref()) == value("X-Amz-Signature")
}

fn hmac(key: &[u8], text: &str) -> Tag {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the documentation of Signature Version 4 for S3.
    const EXAMPLE: &str = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

    #[test]
    fn the_published_example_is_signed_and_a_changed_one_is_not() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        assert!(is_signed(EXAMPLE, secret));
        assert!(!is_signed(&EXAMPLE.replace("test.txt", "other.txt"), secret));
        assert!(!is_signed(&EXAMPLE.replace("86400", "99999"), secret));
        assert!(!is_signed(EXAMPLE, "another"));
    }
}
