//! Keys that sign snapshots: Ed25519 (RFC 8032).
//!
//! A private key is a file with PKCS #8 in PEM, or with the seed as 64 hex digits. A public key is 64 hex
//! digits everywhere.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mpak_bundle::digest::Sha256;

/// What stands before the digest in what is signed, so that no other signature of the key fits.
const CONTEXT: &[u8] = b"mpak advisories snapshot v1\n";
/// Largest key file.
const KEY_BYTES_MAX: usize = 16 << 10;

/// Length of a signature.
pub(super) const SIGNATURE_BYTES: usize = 64;
/// Length of a public key.
pub(super) const PUBLIC_BYTES: usize = 32;

/// A key file that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither form.
    #[error(
        "it is no Ed25519 key: expected PKCS #8 in PEM (`-----BEGIN PRIVATE KEY-----`), or the seed as 64 hex digits"
    )]
    Private,
    /// Not 64 hex digits of a point.
    #[error("it is no public key: expected 64 hex digits")]
    Public,
}

/// Signs.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl SigningKey {
    /// From the content of a key file.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn read(text: &[u8]) -> Result<Self, KeyError> {
        let text =
            std::str::from_utf8(text).ok().filter(|text| text.len() <= KEY_BYTES_MAX).ok_or(KeyError::Private)?;
        let pair = match pem(text) {
            Some(der) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der),
            None => Ed25519KeyPair::from_seed_unchecked(&hex::<32>(text.trim()).ok_or(KeyError::Private)?),
        };
        pair.map(Self).map_err(|_rejected| KeyError::Private)
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; PUBLIC_BYTES];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    pub(super) fn sign(&self, head: &Sha256) -> [u8; SIGNATURE_BYTES] {
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes.copy_from_slice(self.0.sign(&message(head)).as_ref());
        bytes
    }
}

/// The body of a PEM block of a private key.
fn pem(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut out = [0; N];
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(out)
}

/// Verifies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; PUBLIC_BYTES]);

impl PublicKey {
    pub(super) fn from_bytes(bytes: [u8; PUBLIC_BYTES]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn verify(&self, head: &Sha256, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(&message(head), signature).is_ok()
    }
}

fn message(head: &Sha256) -> Vec<u8> {
    [CONTEXT, head.to_string().as_bytes()].concat()
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = hex(text.trim()).ok_or(KeyError::Public)?;
        ParsedPublicKey::new(&ED25519, bytes).map_err(|_rejected| KeyError::Public)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 1.
    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    #[test]
    fn both_forms_of_a_key_are_read() {
        let key = SigningKey::read(format!("{SEED}\n").as_bytes()).unwrap();
        assert_eq!(key.public().to_string(), PUBLIC);
        // PKCS #8 version 1, as `openssl genpkey -algorithm ed25519` writes it.
        let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        der.extend(hex::<32>(SEED).unwrap());
        let pem = format!("-----BEGIN {0} KEY-----\n{1}\n-----END {0} KEY-----\n", "PRIVATE", STANDARD.encode(der));
        assert_eq!(SigningKey::read(pem.as_bytes()).unwrap().public(), key.public());
        assert_eq!(PUBLIC.parse::<PublicKey>(), Ok(key.public()));
        for bad in ["", "00", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            assert_eq!(SigningKey::read(bad.as_bytes()).unwrap_err(), KeyError::Private, "{bad}");
            assert_eq!(bad.parse::<PublicKey>(), Err(KeyError::Public));
        }
        assert_eq!(SigningKey::read(&vec![b'0'; 1 << 20]).unwrap_err(), KeyError::Private);
        assert!(!format!("{key:?}").contains(&SEED[..8]));
    }

    #[test]
    fn a_signature_fits_one_digest_and_one_key() {
        let key = SigningKey::read(SEED.as_bytes()).unwrap();
        let other = SigningKey::read("01".repeat(32).as_bytes()).unwrap();
        let (a, b) = (Sha256::of(b"a"), Sha256::of(b"b"));
        let mut signature = key.sign(&a);
        assert!(key.public().verify(&a, &signature));
        assert!(!key.public().verify(&b, &signature) && !other.public().verify(&a, &signature));
        signature[0] ^= 1;
        assert!(!key.public().verify(&a, &signature));
    }
}
