//! Certificates as Fulcio issues them, with the timestamp of a certificate log inside.
//!
//! Spec: RFC 5280; RFC 6962 §3.2, §3.3; Fulcio's certificate extensions (arc 1.3.6.1.4.1.57264.1).

use sha2::{Digest as _, Sha256};

use super::der::{bits, element, extension, id, octets, sequence, time, utf8};
use super::{CERTIFIED_AT_MS, Key, Spoil, Workload};

const ECDSA_SHA_256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
const TIMESTAMPS: &[u8] = &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2];
const FULCIO: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 1];

/// From ten o'clock of the first of May 2024, for ten minutes.
const VALID: [&str; 2] = ["240501100000Z", "240501101000Z"];

fn algorithm() -> Vec<u8> {
    sequence(&[&id(ECDSA_SHA_256)])
}

fn name(common: &str) -> Vec<u8> {
    sequence(&[&element(0x31, &[&sequence(&[&id(COMMON_NAME), &utf8(common)])])])
}

struct Parts<'a> {
    serial: u8,
    issuer: &'a str,
    subject: Vec<u8>,
    valid: [&'a str; 2],
    key: &'a Key,
}

impl Parts<'_> {
    /// What is signed.
    fn body(&self, extensions: &[Vec<u8>]) -> Vec<u8> {
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        let [from, to] = self.valid;
        sequence(&[
            &element(0xa0, &[&[2, 1, 2]]),
            &[2, 1, self.serial],
            &algorithm(),
            &name(self.issuer),
            &sequence(&[&time(from), &time(to)]),
            &self.subject,
            &self.key.public_der(),
            &element(0xa3, &[&sequence(&extensions)]),
        ])
    }
}

fn signed(body: &[u8], by: &Key) -> Vec<u8> {
    sequence(&[body, &algorithm(), &bits(&by.sign(body))])
}

/// The authority's own certificate.
pub(super) fn authority(common: &str, key: &Key) -> Vec<u8> {
    let parts =
        Parts { serial: 1, issuer: common, subject: name(common), valid: ["200101000000Z", "491231235959Z"], key };
    let extensions =
        [extension(KEY_USAGE, true, &[3, 2, 1, 6]), extension(CONSTRAINTS, true, &sequence(&[&[1, 1, 0xff]]))];
    signed(&parts.body(&extensions), key)
}

/// A workload's certificate for a key.
pub(super) fn of_workload(
    workload: &Workload,
    key: &Key,
    (common, authority): (&str, &Key),
    log: &Key,
    spoil: Spoil,
) -> Vec<u8> {
    let parts = Parts { serial: 2, issuer: common, subject: sequence(&[]), valid: VALID, key };
    // 1. What the certificate says.
    let usage = if spoil == Spoil::NotForCode { &[0x2b, 6, 1, 5, 5, 7, 3, 1] } else { CODE_SIGNING };
    let mut extensions = vec![
        extension(KEY_USAGE, true, &[3, 2, 7, 0x80]),
        extension(EXTENDED_USAGE, false, &sequence(&[&id(usage)])),
        extension(ALTERNATIVE_NAME, true, &sequence(&[&element(0x86, &[workload.identity.as_bytes()])])),
    ];
    for (number, text) in workload.claims() {
        extensions.push(extension(&[FULCIO, &[number]].concat(), false, &utf8(&text)));
    }
    // 2. The log's word for it, without that word in it.
    if spoil != Spoil::NoCertificateTimestamp {
        let timestamp = timestamp(&parts.body(&extensions), authority, log, spoil);
        extensions.push(extension(TIMESTAMPS, false, &octets(&timestamp)));
    }
    signed(&parts.body(&extensions), authority)
}

/// A list of one.
fn timestamp(body: &[u8], authority: &Key, log: &Key, spoil: Spoil) -> Vec<u8> {
    let at = CERTIFIED_AT_MS.to_be_bytes();
    let length = u32::try_from(body.len()).expect("a short certificate").to_be_bytes();
    let issuer = Sha256::digest(authority.public_der());
    let message = [&[0, 0][..], &at, &[0, 1], &issuer, &length[1..], body, &[0, 0]].concat();
    let signature = if spoil == Spoil::OtherCertificateTimestamp { log.sign(b"another") } else { log.sign(&message) };
    let short = |bytes: &[u8]| u16::try_from(bytes.len()).expect("few bytes").to_be_bytes();
    // ECDSA with SHA-256 is 4, 3.
    let one = [&[0][..], &log.id(), &at, &[0, 0], &[4, 3], &short(&signature), &signature].concat();
    let list = [&short(&one)[..], &one].concat();
    [&short(&list)[..], &list].concat()
}
