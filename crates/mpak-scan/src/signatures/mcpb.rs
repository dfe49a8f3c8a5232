//! The PKCS #7 block that bundle tools append: a detached `SignedData` over the file in front of it.
//!
//! Attributes are hashed in the order in which they stand, as those tools sign them, not re-sorted. Two digests of the
//! file fit: of its bytes as they are, and with the end record's comment length as it was before the block was added.
//! Spec: RFC 5652 §5; RFC 5280 §4.1; docs/formats/container.md.

use mpak_bundle::archive::Signed;

use super::der::{self, Element, Reader};
use super::key::{PublicKey, RSA_BITS_MIN, Scheme};
use super::{Verified, Worth};
use crate::outside::{SignatureMethod, SignatureState};

/// The block, and the digests of what is in front of it.
pub(crate) type Appended = Signed;

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
const SIGNING_TIME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 5];
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
/// `rsaEncryption` and `sha256WithRSAEncryption`: both mean PKCS #1 v1.5 with the digest that is named beside it.
const RSA: [&[u8]; 2] =
    [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]];
const ECDSA_SHA_256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA_384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// Tags of context: certificates and signed attributes are `[0]`.
const CONTEXT_0: u8 = 0xa0;
/// Most certificates that are looked at.
const CERTIFICATES_COUNT_MAX: usize = 16;

/// One signer's part, with the certificate that it names.
struct Parts<'a> {
    certificate: Certificate<'a>,
    digest_is_sha_256: bool,
    /// With their tag as they stand.
    attributes: Element<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

struct Certificate<'a> {
    serial: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    not_after: String,
    key: PublicKey,
}

/// What the block is worth. `as_of` is the day from which certificates are judged, where it is known.
pub(super) fn verify(appended: &Appended, as_of: Option<&str>) -> Verified {
    let mut verified = Verified {
        method: SignatureMethod::Mcpb,
        file: None,
        key: None,
        signer: None,
        worth: Worth::Broken("the appended block is no detached PKCS #7 signature with its certificate".to_owned()),
    };
    let Some(parts) = parts(&appended.block) else { return verified };
    verified.key = Some(parts.certificate.key.fingerprint);
    verified.signer = common_name(parts.certificate.subject);
    verified.worth = worth(&parts, appended, as_of);
    verified
}

fn worth(parts: &Parts<'_>, appended: &Appended, as_of: Option<&str>) -> Worth {
    // 1. The attributes name the digest of this file.
    let key = &parts.certificate.key;
    if !parts.digest_is_sha_256 {
        return Worth::Unknown("its digest is not SHA-256".to_owned());
    }
    let digest = attribute(parts.attributes, MESSAGE_DIGEST).and_then(|mut value| value.take(der::OCTET_STRING));
    let Some(digest) = digest else { return Worth::Broken("it names no digest of the file".to_owned()) };
    if !appended.digests.iter().any(|known| known.as_bytes() == digest.content) {
        return Worth::Broken("it is over other bytes than those of the bundle".to_owned());
    }
    // 2. The attributes are signed, as a SET.
    if let Some(bits) = key.short_rsa_bits() {
        return Worth::WeakKey(format!("the RSA key has {bits} bits, expected {RSA_BITS_MIN} or more"));
    }
    let scheme = match parts.algorithm {
        id if RSA.contains(&id) => Scheme::RsaPkcs1Sha256,
        ECDSA_SHA_256 => Scheme::EcdsaSha256,
        ECDSA_SHA_384 => Scheme::EcdsaSha384,
        ED25519 => Scheme::Ed25519,
        _ => return Worth::Unknown("its algorithm is not one of RSA, ECDSA or Ed25519".to_owned()),
    };
    let mut message = parts.attributes.whole.to_vec();
    message[0] = der::SET;
    if !key.verifies(scheme, &message, parts.signature) {
        return Worth::Broken("the signature is not one of its certificate's key".to_owned());
    }
    // 3. The certificate's time, on the day that is given, or when it says that it signed.
    let mut signed_at = attribute(parts.attributes, SIGNING_TIME);
    let signed_at = signed_at.as_mut().and_then(Reader::any).and_then(der::time);
    let days = [as_of.map(digits), signed_at];
    let not_after = parts.certificate.not_after.as_str();
    let is_over = days.iter().flatten().any(|day| not_after.get(..day.len()).is_some_and(|end| day.as_str() > end));
    Worth::Holds(match () {
        () if is_over => SignatureState::Expired,
        () if parts.certificate.issuer == parts.certificate.subject => SignatureState::ValidSelfSigned,
        () => SignatureState::ValidUntrusted,
    })
}

/// `YYYYMMDD` of a day.
fn digits(day: &str) -> String {
    day.chars().take(10).filter(char::is_ascii_digit).collect()
}

/// The first signer. Spec: RFC 5652 §5.1, §5.3.
fn parts(block: &[u8]) -> Option<Parts<'_>> {
    // 1. ContentInfo, SignedData.
    let mut content = Reader(block).enter(der::SEQUENCE)?;
    content.take(der::OBJECT_ID).filter(|id| id.content == SIGNED_DATA)?;
    let mut data = content.enter(CONTEXT_0)?.enter(der::SEQUENCE)?;
    data.take(der::INTEGER)?;
    data.take(der::SET)?;
    data.take(der::SEQUENCE)?;
    let mut certificates = data.enter(CONTEXT_0)?;
    // Lists of revoked certificates may stand in front of the signers.
    data.take(0xa1);
    // 2. SignerInfo.
    let mut signer = data.enter(der::SET)?.enter(der::SEQUENCE)?;
    signer.take(der::INTEGER)?;
    let mut of = signer.enter(der::SEQUENCE)?;
    let (issuer, serial) = (of.take(der::SEQUENCE)?.whole, of.take(der::INTEGER)?.content);
    let digest = signer.enter(der::SEQUENCE)?.take(der::OBJECT_ID)?.content;
    let attributes = signer.take(CONTEXT_0)?;
    let algorithm = signer.enter(der::SEQUENCE)?.take(der::OBJECT_ID)?.content;
    let signature = signer.take(der::OCTET_STRING)?.content;
    // 3. Its certificate.
    let certificate = std::iter::from_fn(|| certificates.any())
        .take(CERTIFICATES_COUNT_MAX)
        .filter_map(|found| certificate(found.content))
        .find(|found| found.issuer == issuer && found.serial == serial)?;
    Some(Parts { certificate, digest_is_sha_256: digest == SHA_256, attributes, algorithm, signature })
}

/// Spec: RFC 5280 §4.1.
fn certificate(content: &[u8]) -> Option<Certificate<'_>> {
    let mut fields = Reader(content).enter(der::SEQUENCE)?;
    fields.take(CONTEXT_0);
    let serial = fields.take(der::INTEGER)?.content;
    fields.take(der::SEQUENCE)?;
    let issuer = fields.take(der::SEQUENCE)?.whole;
    let mut validity = fields.enter(der::SEQUENCE)?;
    validity.any()?;
    let not_after = der::time(validity.any()?)?;
    let subject = fields.take(der::SEQUENCE)?.whole;
    let key = PublicKey::of_der(fields.take(der::SEQUENCE)?.whole)?;
    Some(Certificate { serial, issuer, subject, not_after, key })
}

/// The value of an attribute.
fn attribute<'a>(attributes: Element<'a>, id: &[u8]) -> Option<Reader<'a>> {
    let mut all = Reader(attributes.content);
    while let Some(mut one) = all.enter(der::SEQUENCE) {
        if one.take(der::OBJECT_ID)?.content == id {
            return one.enter(der::SET);
        }
    }
    None
}

/// The common name in a name, for people.
fn common_name(name: &[u8]) -> Option<String> {
    let mut parts = Reader(name).enter(der::SEQUENCE)?;
    while let Some(mut part) = parts.enter(der::SET) {
        let mut pair = part.enter(der::SEQUENCE)?;
        if pair.take(der::OBJECT_ID)?.content == COMMON_NAME {
            let text = String::from_utf8_lossy(pair.any()?.content).chars().take(100).collect();
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests;
