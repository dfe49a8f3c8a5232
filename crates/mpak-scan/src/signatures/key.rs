//! Public keys as `SubjectPublicKeyInfo`, and verifying with them. Spec: RFC 5280 §4.1.2.7, RFC 5480, RFC 8410, RFC 8017.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mpak_bundle::digest::Sha256;

use super::der::{self, Reader};

/// Shortest modulus of RSA in bits. Source: MTF 0.1 §5.2.2.
pub(super) const RSA_BITS_MIN: usize = 4096;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0, 0x22];
const EDWARDS: &[u8] = &[0x2b, 0x65, 0x70];

/// A key that signatures are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    kind: Kind,
    /// What the library takes.
    bytes: Vec<u8>,
    /// SHA-256 of the whole `SubjectPublicKeyInfo`.
    pub(super) fingerprint: Sha256,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ed25519,
    P256,
    P384,
    Rsa { bits: usize },
}

/// How a signature is made with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Ed25519,
    EcdsaSha256,
    EcdsaSha384,
    RsaPkcs1Sha256,
    RsaPssSha256,
}

impl Scheme {
    pub(super) const NAMES: [(&'static str, Self); 5] = [
        ("ed25519", Self::Ed25519),
        ("ecdsa-p256-sha256", Self::EcdsaSha256),
        ("ecdsa-p384-sha384", Self::EcdsaSha384),
        ("rsa-pkcs1-sha256", Self::RsaPkcs1Sha256),
        ("rsa-pss-sha256", Self::RsaPssSha256),
    ];

    fn library(self, kind: Kind) -> Option<&'static dyn VerificationAlgorithm> {
        match (self, kind) {
            (Self::Ed25519, Kind::Ed25519) => Some(&ED25519),
            (Self::EcdsaSha256, Kind::P256) => Some(&ECDSA_P256_SHA256_ASN1),
            (Self::EcdsaSha384, Kind::P384) => Some(&ECDSA_P384_SHA384_ASN1),
            (Self::RsaPkcs1Sha256, Kind::Rsa { .. }) => Some(&RSA_PKCS1_2048_8192_SHA256),
            (Self::RsaPssSha256, Kind::Rsa { .. }) => Some(&RSA_PSS_2048_8192_SHA256),
            _ => None,
        }
    }
}

impl PublicKey {
    /// From PEM, or from DER in base 64.
    pub(super) fn read(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
        let inner = inner.map_or(Some(text), |rest| rest.strip_suffix("-----END PUBLIC KEY-----"))?;
        let plain: String = inner.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Self::of_der(&STANDARD.decode(plain).ok()?)
    }

    /// From a `SubjectPublicKeyInfo`.
    pub(super) fn of_der(spki: &[u8]) -> Option<Self> {
        let mut outer = Reader(spki);
        let mut info = outer.enter(der::SEQUENCE).filter(|_| outer.is_empty())?;
        let mut algorithm = info.enter(der::SEQUENCE)?;
        let id = algorithm.take(der::OBJECT_ID)?.content;
        let curve = algorithm.take(der::OBJECT_ID).map(|curve| curve.content);
        let bits = info.take(der::BIT_STRING).filter(|_| info.is_empty())?.content;
        // No bits are left over in the last byte.
        let bytes = bits.strip_prefix(&[0])?;
        let kind = match (id, curve) {
            (EDWARDS, None) => Kind::Ed25519,
            (EC, Some(P256)) => Kind::P256,
            (EC, Some(P384)) => Kind::P384,
            (RSA, None) => Kind::Rsa { bits: modulus_bits(bytes)? },
            _ => return None,
        };
        Some(Self { kind, bytes: bytes.to_vec(), fingerprint: Sha256::of(spki) })
    }

    /// The length of an RSA key that is too short.
    pub(super) fn short_rsa_bits(&self) -> Option<usize> {
        match self.kind {
            Kind::Rsa { bits } if bits < RSA_BITS_MIN => Some(bits),
            _ => None,
        }
    }

    /// Whether a signature of this scheme over a message holds.
    pub(super) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        scheme
            .library(self.kind)
            .is_some_and(|library| UnparsedPublicKey::new(library, &self.bytes).verify(message, signature).is_ok())
    }
}

/// Of `RSAPublicKey`: the modulus comes first.
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let modulus = Reader(key).enter(der::SEQUENCE)?.take(der::INTEGER)?.content;
    let start = modulus.iter().position(|byte| *byte != 0)?;
    Some((modulus.len() - start) * 8 - modulus[start].leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_none() {
        let good = [&[0x30, 42, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 33, 0][..], &[1; 32]].concat();
        assert_eq!(PublicKey::of_der(&good).unwrap().kind, Kind::Ed25519);
        let text = STANDARD.encode(&good);
        for text in [text.clone(), format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")] {
            assert_eq!(PublicKey::read(&text).unwrap().fingerprint, Sha256::of(&good));
        }
        for length in 0..good.len() {
            assert_eq!(PublicKey::of_der(&good[..length]), None, "{length}");
        }
        assert_eq!(PublicKey::of_der(&[&good[..], &[0]].concat()), None);
        for text in ["", "-----BEGIN PUBLIC KEY-----", "AAAA", "é"] {
            assert_eq!(PublicKey::read(text), None, "{text}");
        }
    }
}
