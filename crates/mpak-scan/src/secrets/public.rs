//! Random texts that are no secret by what they are: ciphertexts in envelopes, digests of passwords, identifiers
//! of contents, addresses of accounts.

use std::ops::Range;

use super::check::base58;

/// How ciphertexts begin whose key is elsewhere: those of key services, of encrypted settings, of manifests.
const SEALED: [&[u8]; 16] = [
    b"ENC[",
    b"ENC(",
    b"{cipher}",
    b"vault:v",
    b"AQICAH",
    b"AQECAH",
    b"CiQA",
    b"CiUA",
    b"CiCA",
    b"gAAAAA",
    b"U2FsdGVkX1",
    b"wcBMA",
    b"wcFMA",
    b"hQEMA",
    b"hQIMA",
    b"YWdlLWVuY3J5cHRpb24ub3Jn",
];
/// How the values of sealed manifests begin: the length of a session's key that is encrypted with RSA.
const MANIFEST: [&[u8]; 3] = [b"AgA", b"AgB", b"AgC"];
const MANIFEST_BYTES_MIN: usize = 200;
/// How digests of passwords begin.
const DIGESTS: [&[u8]; 14] = [
    b"pbkdf2_",
    b"pbkdf2:",
    b"scrypt:",
    b"argon2",
    b"bcrypt",
    b"sha1$",
    b"sha256$",
    b"sha512$",
    b"md5$",
    b"{SSHA",
    b"{SHA",
    b"{MD5",
    b"{CRYPT",
    b"SCRAM-SHA-",
];

/// A ciphertext that says how it was made.
pub(super) fn is_sealed(value: &[u8]) -> bool {
    let begins = |starts: &[&[u8]]| starts.iter().any(|start| value.starts_with(start));
    begins(&SEALED) || value.len() >= MANIFEST_BYTES_MIN && begins(&MANIFEST)
}

/// A digest that says how it was made.
pub(super) fn is_digest(value: &[u8]) -> bool {
    DIGESTS.iter().any(|start| value.starts_with(start))
}

/// The identifier of a content: a multihash in base 58 or base 32.
pub(super) fn is_content_id(value: &[u8]) -> bool {
    let lower = |b: &u8| b.is_ascii_lowercase() || matches!(b, b'2'..=b'7');
    let version_1 = value.len() >= 59 && value.starts_with(b"baf") && value.iter().all(lower);
    let multihash =
        || base58::decoded(value).is_some_and(|bytes| bytes.len() == 34 && bytes.starts_with(&[0x12, 0x20]));
    version_1 || value.len() == 46 && value.starts_with(b"Qm") && multihash()
}

/// Whether a key stands in the settings of a search that everybody's browser asks.
pub(super) fn is_for_browsers(bytes: &[u8], name: &Range<usize>) -> bool {
    const CONTEXT_BYTES: usize = 160;
    let around = &bytes[name.start.saturating_sub(CONTEXT_BYTES)..(name.end + CONTEXT_BYTES).min(bytes.len())];
    let holds = |word: &[u8]| memchr::memmem::find(around, word).is_some();
    holds(b"indexName") && (holds(b"appId") || holds(b"applicationId"))
}

/// The address of an account or contract of Ethereum and its kind.
pub(super) fn is_contract(value: &[u8]) -> bool {
    value.strip_prefix(b"0x").is_some_and(|digits| digits.len() == 40 && digits.iter().all(u8::is_ascii_hexdigit))
}

/// Perhaps an address: a public key of 32 bytes in base 58, or what holds its own check bytes and is no key of a
/// wallet. A random token of that length has other letters, nearly always; a name may say that it is a secret.
pub(super) fn is_address(name: &[u8], value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let is_secret =
        [&b"secret"[..], b"private", b"seed", b"passw"].iter().any(|word| memchr::memmem::find(&name, word).is_some());
    if is_secret || !(25..=44).contains(&value.len()) {
        return false;
    }
    let of_32_bytes = value.len() >= 43 && base58::decoded(value).is_some_and(|bytes| bytes.len() == 32);
    of_32_bytes || value.len() <= 35 && base58::is_checked(value)
}

/// `0x` and 64 digits: a hash, a topic or a storage slot of a chain, but under a name that says a key of somebody's.
pub(super) fn is_of_a_chain(name: &[u8], value: &[u8]) -> bool {
    const KEYS: [&[u8]; 11] = [
        b"secret",
        b"private",
        b"priv",
        b"seed",
        b"passw",
        b"wallet",
        b"signer",
        b"signing",
        b"deployer",
        b"encrypt",
        b"api",
    ];
    let digits =
        value.strip_prefix(b"0x").is_some_and(|rest| rest.len() == 64 && rest.iter().all(u8::is_ascii_hexdigit));
    let name = name.to_ascii_lowercase();
    digits && !KEYS.iter().any(|word| memchr::memmem::find(&name, word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_nothing_is_known() {
        assert!(is_sealed(b"ENC[AES256_GCM,data:x]") && is_sealed(format!("AgB{}", "y".repeat(300)).as_bytes()));
        assert!(!is_sealed(b"AgBq8Zr2Xv0TbN5wLc7Yk3MhD"));
        assert!(is_digest(b"pbkdf2_sha256$600000$x") && !is_digest(b"pbk"));
        assert!(is_content_id(b"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"));
        assert!(is_content_id(b"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"));
        assert!(is_contract(b"0x0123456789abcdef0123456789abcdef01234567"));
    }

    #[test]
    fn hashes_of_chains_are_told_by_their_names() {
        let hash = format!("0x{}", "c5d24601".repeat(8));
        assert!(is_of_a_chain(b"tokenKey", hash.as_bytes()));
        assert!(!is_of_a_chain(b"signerKey", hash.as_bytes()) && !is_of_a_chain(b"tokenKey", &hash.as_bytes()[2..]));
    }

    #[test]
    fn addresses_are_perhaps_none() {
        let key = b"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
        assert!(is_address(b"TOKEN_PROGRAM_KEY", key) && !is_address(b"secretKey", key));
        assert!(is_address(b"token", b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"));
        // A zero and an O are in no base 58.
        assert!(!is_address(b"token", b"TokenkegQfeZyiNwAJbN0GKPFXCWuBvfOSs623VQ5DA"));
    }
}
