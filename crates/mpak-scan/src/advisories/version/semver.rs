//! Precedence of Semantic Versioning, also for `v1.2.3`, `go1.21rc2`, `1.2` and `1.2.3.4`.
//!
//! Spec: Semantic Versioning 2.0.0 §11; OSV's `SEMVER` ranges compare pre-releases by precedence alone.
//! Go's pseudo-versions and `+incompatible` need no rule of their own: the first are pre-releases, the
//! second is build metadata, which never counts.

use super::{push_number, push_release, release};

/// Stands where a version has no pre-release: above all of them.
const RELEASED: u8 = 0xff;

pub(super) fn encode(text: &str, key: &mut Vec<u8>) -> Option<()> {
    let text = text.trim_start_matches('=').trim_start();
    let text = text.strip_prefix("go").or_else(|| text.strip_prefix(['v', 'V'])).unwrap_or(text);
    let (numbers, rest) = release(text)?;
    push_release(&numbers, key)?;
    let pre = rest.split('+').next().unwrap_or_default();
    if pre.is_empty() {
        key.push(RELEASED);
        return Some(());
    }
    for part in pre.strip_prefix('-').unwrap_or(pre).split('.') {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return None;
        }
        if part.bytes().all(|b| b.is_ascii_digit()) {
            key.push(1);
            push_number(part, key)?;
        } else {
            key.push(2);
            key.extend_from_slice(part.as_bytes());
            key.push(0);
        }
    }
    key.push(0);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::Scheme;
    use super::super::tests::check;

    #[test]
    fn versions_rise_as_semver_says() {
        check(
            Scheme::Semver,
            &[
                &["0.0.0-0"],
                &["0.0.0-20190308221718-c2843e01d9a2", "v0.0.0-20190308221718-c2843e01d9a2+incompatible"],
                &["0.0.0", "0"],
                &["1.0.0-1"],
                &["1.0.0-2"],
                &["1.0.0-10"],
                &["1.0.0-alpha"],
                &["1.0.0-alpha.1"],
                &["1.0.0-alpha.beta"],
                &["1.0.0-beta"],
                &["1.0.0-beta.2"],
                &["1.0.0-beta.11"],
                &["1.0.0-rc.1", "1.0.0-rc.1+build.5"],
                &["1.0.0", "v1.0.0", "1.0", "=1.0.0", "1.0.0+20130313144700", "1.0.0.0"],
                &["1.0.0.1"],
                &["1.0.1-0.20200101000000-abcdef123456"],
                &["1.0.1"],
                &["1.2.0"],
                &["1.10.0"],
                &["1.20.0-0"],
                &["go1.20rc2", "1.20.0-rc2", "1.20.0rc2"],
                &["go1.20"],
                &["go1.20.3"],
                &["2.0.0", "v2.0.0+incompatible"],
                &["99999999999999999999999.0.0"],
            ],
        );
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in
            ["latest", "x.1", "1.0.0-", "1.0.0-a..b", "1.0.0-é", "1.*", "workspace:*", "v", "^1.0.0", "1.0.0 beta"]
        {
            assert_eq!(Scheme::Semver.key(text), None, "{text}");
        }
    }
}
