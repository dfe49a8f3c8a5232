//! SHA-256 digests: the identity of an artifact.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use thiserror::Error;

/// What a stream is read by: a few calls for each megabyte, and it fits the cache of a processor.
const BUFFER_BYTES: usize = 128 << 10;

/// A SHA-256 digest; shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

/// A text is not 64 hex digits (with or without `sha256:` in front).
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{found}` is not a SHA-256 digest (64 hex digits)")]
pub struct DigestError {
    /// What was given, cut short.
    pub found: String,
}

impl Sha256 {
    /// Digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Digest of a stream, and its length in bytes.
    ///
    /// # Errors
    /// What reading says.
    pub fn of_reader(reader: &mut dyn Read) -> io::Result<(Self, u64)> {
        let (mut state, mut bytes, mut buffer) = (sha2::Sha256::new(), 0, vec![0; BUFFER_BYTES]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok((Self(state.finalize().into()), bytes)),
                Ok(count) => {
                    state.update(&buffer[..count]);
                    bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// From 32 raw bytes, as the database keeps them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// With the algorithm in front, as the wire's `digest` fields have it: `sha256:…`.
    pub fn prefixed(&self) -> String {
        format!("sha256:{self}")
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let error = || DigestError { found: text.chars().take(80).collect() };
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.len() != 64 || !hex.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).map_err(|_not_hex| error())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

/// A writer that passes everything on and hashes it on the way.
pub struct Hashing<W> {
    inner: W,
    state: sha2::Sha256,
}

impl<W: Write> Hashing<W> {
    /// Starts with nothing hashed.
    pub fn new(inner: W) -> Self {
        Self { inner, state: sha2::Sha256::new() }
    }

    /// The wrapped writer and the digest of all that went through.
    pub fn finish(self) -> (W, Sha256) {
        (self.inner, Sha256(self.state.finalize().into()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.state.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_round_trip_in_both_forms() {
        let digest = Sha256::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.prefixed().parse::<Sha256>(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().parse::<Sha256>(), Ok(digest));
        assert!("abc".parse::<Sha256>().is_err());
        assert_eq!(Sha256::of_reader(&mut &b"abc"[..]).unwrap(), (digest, 3));
    }
}
