//! Base 58 with check bytes, as wallets write keys.

use mpak_bundle::digest::Sha256;

const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const CHECK_BYTES: usize = 4;

/// Whether the last bytes are the first ones of the payload's doubled SHA-256.
pub(in crate::secrets) fn is_checked(text: &[u8]) -> bool {
    let Some(bytes) = decoded(text) else { return false };
    let Some((payload, check)) = bytes.len().checked_sub(CHECK_BYTES).map(|at| bytes.split_at(at)) else {
        return false;
    };
    let once = Sha256::of(payload);
    Sha256::of(once.as_bytes()).as_bytes().starts_with(check)
}

/// The number that a text stands for.
pub(in crate::secrets) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    // Least significant byte first.
    let mut number: Vec<u8> = Vec::new();
    for digit in text {
        let mut carry = u32::try_from(DIGITS.iter().position(|d| d == digit)?).ok()?;
        for byte in &mut number {
            carry += u32::from(*byte) * 58;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        while carry > 0 {
            number.push(carry.to_le_bytes()[0]);
            carry >>= 8;
        }
    }
    number.extend(text.iter().take_while(|digit| **digit == b'1').map(|_| 0));
    number.reverse();
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_bytes_hold_or_not() {
        // An address, which is public: the one of the first block.
        assert!(is_checked(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"));
        assert!(!is_checked(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"));
        assert!(!is_checked(b"0"));
        assert!(!is_checked(b""));
    }
}
