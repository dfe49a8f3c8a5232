//! The size of a PNG from its first bytes; nothing is decompressed.
//!
//! Spec: PNG (Third Edition) §5.2 signature, §11.2.1 IHDR.

/// Bytes that hold the signature and the size.
pub(super) const HEADER_BYTES: usize = 24;
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A PNG of this many pixels.
    Size { width: u32, height: u32 },
    /// The signature and not much more.
    Truncated,
    /// No PNG.
    Other,
}

/// Reads the first bytes of a file.
pub(super) fn header(head: &[u8]) -> Header {
    let Some(chunk) = head.strip_prefix(SIGNATURE) else { return Header::Other };
    let Some((start, rest)) = chunk.split_first_chunk::<8>() else { return Header::Truncated };
    if start != b"\0\0\0\x0dIHDR" {
        return Header::Other;
    }
    match (rest.first_chunk::<4>(), rest.get(4..).and_then(<[u8]>::first_chunk::<4>)) {
        (Some(width), Some(height)) => {
            Header::Size { width: u32::from_be_bytes(*width), height: u32::from_be_bytes(*height) }
        }
        _ => Header::Truncated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_from_the_first_chunk() {
        let mut png = SIGNATURE.to_vec();
        assert_eq!(header(&png), Header::Truncated);
        png.extend_from_slice(b"\0\0\0\x0dIHDR\0\0\x02\0");
        assert_eq!(header(&png), Header::Truncated);
        png.extend_from_slice(b"\0\0\x01\0");
        assert_eq!(header(&png), Header::Size { width: 512, height: 256 });
        assert_eq!(header(b"<svg/>"), Header::Other);
        assert_eq!(header(b"\x89PNG\r\n\x1a\n\0\0\0\x0dJUNKxxxxxxxx"), Header::Other);
        assert_eq!(header(b""), Header::Other);
    }
}
