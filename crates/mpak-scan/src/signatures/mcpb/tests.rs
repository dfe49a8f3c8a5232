//! Blocks as bundle tools append them, made with real keys.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use mpak_bundle::archive::Archive;
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_testkit::zip::{good_bundle, temporary};
use serde_json::json;

use super::*;
use crate::control::{Status, Verdict};
use crate::controls::find;
use crate::evidence::Evidence;
use crate::outside::Outside;

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, &content].concat()
}

fn id(bytes: &[u8]) -> Vec<u8> {
    [&[der::OBJECT_ID, u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

fn name(common: &str) -> Vec<u8> {
    let pair = element(der::SEQUENCE, &[&id(COMMON_NAME), &element(0x0c, &[common.as_bytes()])]);
    element(der::SEQUENCE, &[&element(der::SET, &[&pair])])
}

/// Who signs, and how.
struct Signer {
    pair: RsaKeyPair,
    issuer: &'static str,
    /// `YYMMDDHHMMSSZ`.
    not_after: &'static str,
}

impl Signer {
    fn new(size: KeySize) -> Self {
        Self { pair: RsaKeyPair::generate(size).unwrap(), issuer: "Acme", not_after: "361121000000Z" }
    }

    fn key(&self) -> Sha256 {
        Sha256::of(self.pair.public_key().as_der().unwrap().as_ref())
    }

    /// The structure over bytes; the attributes stand in the order in which the tools write them, not sorted.
    fn block(&self, bytes: &[u8]) -> Vec<u8> {
        let key = self.pair.public_key().as_der().unwrap();
        let rsa = element(der::SEQUENCE, &[&id(RSA[0]), &[5, 0]]);
        let sha_256 = element(der::SEQUENCE, &[&id(SHA_256), &[5, 0]]);
        let (issuer, serial) = (name(self.issuer), [der::INTEGER, 1, 7]);
        let validity = element(
            der::SEQUENCE,
            &[&element(der::UTC_TIME, &[b"200101000000Z"]), &element(der::UTC_TIME, &[self.not_after.as_bytes()])],
        );
        let version = element(CONTEXT_0, &[&[der::INTEGER, 1, 2]]);
        let signed =
            element(der::SEQUENCE, &[&version, &serial, &rsa, &issuer, &validity, &name("Acme"), key.as_ref()]);
        let certificate = element(der::SEQUENCE, &[&signed, &rsa, &element(der::BIT_STRING, &[&[0; 9]])]);
        let attribute = |of: &[u8], value: &[u8]| element(der::SEQUENCE, &[&id(of), &element(der::SET, &[value])]);
        let attributes = [
            attribute(MESSAGE_DIGEST, &element(der::OCTET_STRING, &[Sha256::of(bytes).as_bytes()])),
            attribute(SIGNING_TIME, &element(der::UTC_TIME, &[b"261121093000Z"])),
            attribute(&SIGNED_DATA[..8], &id(SIGNED_DATA)),
        ]
        .concat();
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let message = element(der::SET, &[&attributes]);
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature).unwrap();
        let one = [der::INTEGER, 1, 1];
        let of = element(der::SEQUENCE, &[&issuer, &serial]);
        let signer = element(
            der::SEQUENCE,
            &[
                &one,
                &of,
                &sha_256,
                &element(CONTEXT_0, &[&attributes]),
                &rsa,
                &element(der::OCTET_STRING, &[&signature]),
            ],
        );
        let data = element(
            der::SEQUENCE,
            &[
                &one,
                &element(der::SET, &[&sha_256]),
                &element(der::SEQUENCE, &[&id(SIGNED_DATA)]),
                &element(CONTEXT_0, &[&certificate]),
                &element(der::SET, &[&signer]),
            ],
        );
        element(der::SEQUENCE, &[&id(SIGNED_DATA), &element(CONTEXT_0, &[&data])])
    }
}

fn bundle() -> Vec<u8> {
    good_bundle(&json!({"name": "@acme/widget", "version": "1.0.0"}), &[("server/index.js", b"1")])
}

fn appended(body: &[u8], block: &[u8]) -> Vec<u8> {
    let length = u32::try_from(block.len()).unwrap().to_le_bytes();
    [body, b"MCPB_SIG_V1", &length, block, b"MCPB_SIG_END"].concat()
}

fn verdict(bytes: &[u8], keys: &[Sha256], as_of: &str) -> Verdict {
    let limits = Limits::default();
    let archive = Archive::open(temporary(bytes), &limits).unwrap();
    let outside =
        json!({"version": 1, "as_of": as_of, "publisher": {"verified": true, "keys": keys}, "signatures": []});
    let outside = Outside::read(outside.to_string().as_bytes()).unwrap();
    let evidence = Evidence::from_archive(&archive, &limits).unwrap().with_outside(outside).unwrap();
    find("AI-03").unwrap().judge.unwrap()(&evidence)
}

#[test]
fn each_of_the_five_states_is_told() {
    let signer = Signer::new(KeySize::Rsa4096);
    let (body, key) = (bundle(), signer.key());
    let good = appended(&body, &signer.block(&body));
    let mut changed = good.clone();
    let at = body.windows(4).position(|window| window == b"1.0.").unwrap_or(40);
    changed[at] ^= 1;
    let over = Signer { not_after: "261120000000Z", ..signer };
    let expired = appended(&body, &over.block(&body));
    let issued = Signer { issuer: "Somebody", not_after: "361121000000Z", ..over };
    let untrusted = appended(&body, &issued.block(&body));
    let elsewhere = appended(&body, &issued.block(b"other bytes"));
    for (bytes, keys, status, words) in [
        (&body, &[key][..], Status::Fail, "not signed"),
        (&good, &[key], Status::Pass, "may sign"),
        (&good, &[], Status::NotRun, "self-signed"),
        (&untrusted, &[], Status::NotRun, "holds; whether its key"),
        (&untrusted, &[Sha256::of(b"x")], Status::Fail, "may not sign"),
        (&expired, &[key], Status::Warn, "may sign"),
        (&elsewhere, &[key], Status::Fail, "does not hold"),
    ] {
        let verdict = verdict(bytes, keys, "2026-11-21");
        assert_eq!(verdict.status, status, "{words}: {verdict:?}");
        assert!(verdict.reason.contains(words), "{words}: {verdict:?}");
    }
    // A certificate that is over today.
    assert_eq!(verdict(&good, &[key], "2036-11-22").status, Status::Warn);
    assert_eq!(verdict(&good, &[key], "2036-11-20").status, Status::Pass);
}

#[test]
fn a_block_that_was_counted_as_comment_after_signing_holds() {
    let signer = Signer::new(KeySize::Rsa4096);
    let mut body = bundle();
    let block = signer.block(&body);
    let length = u16::try_from(block.len() + 27).unwrap();
    let at = body.len() - 2;
    body[at..].copy_from_slice(&length.to_le_bytes());
    assert_eq!(verdict(&appended(&body, &block), &[signer.key()], "2026-11-21").status, Status::Pass);
    // And one over the bytes as they are.
    let block = signer.block(&body);
    assert_eq!(verdict(&appended(&body, &block), &[signer.key()], "2026-11-21").status, Status::Pass);
}

#[test]
fn damage_is_never_a_good_signature() {
    let signer = Signer::new(KeySize::Rsa4096);
    let body = bundle();
    let block = signer.block(&body);
    let as_of = Some("2026-11-21");
    let digests = vec![Sha256::of(&body)];
    let whole = verify(&Signed { block: block.clone(), digests: digests.clone() }, as_of);
    assert_eq!((whole.signer.as_deref(), whole.key), (Some("Acme"), Some(signer.key())));
    for at in 0..block.len() {
        let cut = verify(&Signed { block: block[..at].to_vec(), digests: digests.clone() }, as_of);
        assert!(matches!(cut.worth, Worth::Broken(_) | Worth::Unknown(_)), "{at}: {cut:?}");
    }
    // Every byte of the attributes and of the signature counts.
    let found = parts(&block).unwrap();
    let offset = |part: &[u8]| part.as_ptr() as usize - block.as_ptr() as usize;
    for part in [found.attributes.content, found.signature] {
        for at in (offset(part)..offset(part) + part.len()).step_by(7) {
            let mut spoiled = block.clone();
            spoiled[at] ^= 0x10;
            let spoiled = verify(&Signed { block: spoiled, digests: digests.clone() }, as_of);
            assert!(matches!(spoiled.worth, Worth::Broken(_)), "{at}: {spoiled:?}");
        }
    }
    let short = Signer::new(KeySize::Rsa2048);
    let weak = verify(&Signed { block: short.block(&body), digests }, as_of);
    assert!(matches!(weak.worth, Worth::WeakKey(_)), "{weak:?}");
}
