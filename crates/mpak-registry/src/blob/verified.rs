//! Bytes that are hashed on their way: the last piece is passed on only when the digest fits.
//!
//! In: what a store sends. Out: the same pieces, one behind; whoever was promised the whole length does not
//! get it when the bytes are other ones.

use std::io::{Write as _, sink};

use axum::body::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use mpak_bundle::digest::{Hashing, Sha256};

use super::BlobError;

struct State<S> {
    pieces: S,
    hashing: Hashing<std::io::Sink>,
    held: Option<Bytes>,
    expected: Sha256,
}

/// Passes pieces on and compares the digest of all of them at the end.
pub(super) fn verified(
    pieces: impl Stream<Item = Result<Bytes, BlobError>> + Send + Unpin + 'static,
    expected: Sha256,
) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static {
    let state = State { pieces, hashing: Hashing::new(sink()), held: None, expected };
    stream::try_unfold(Some(state), |state| async move {
        let Some(mut state) = state else { return Ok(None) };
        while let Some(piece) = state.pieces.next().await {
            let piece = piece?;
            state.hashing.write_all(&piece)?;
            if let Some(earlier) = state.held.replace(piece) {
                return Ok(Some((earlier, Some(state))));
            }
        }
        let found = state.hashing.finish().1;
        if found != state.expected {
            tracing::error!(expected = %state.expected, %found, "a blob is damaged; its download was aborted");
            return Err(BlobError::Damaged { expected: state.expected, found: found.to_string() });
        }
        Ok(state.held.map(|last| (last, None)))
    })
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    fn pieces(texts: &'static [&str]) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + Unpin + 'static {
        stream::iter(texts.iter().map(|t| Ok(Bytes::from_static(t.as_bytes()))))
    }

    #[tokio::test]
    async fn sound_bytes_pass_and_damaged_ones_never_end() {
        for texts in [&["abc", "def", "g"][..], &["abcdefg"], &["", "abcdefg", ""]] {
            let all: Vec<Bytes> = verified(pieces(texts), Sha256::of(b"abcdefg")).try_collect().await.unwrap();
            assert_eq!(all.concat(), b"abcdefg");
        }
        let mut damaged = Box::pin(verified(pieces(&["abc", "dXf", "g"]), Sha256::of(b"abcdefg")));
        let mut passed = Vec::new();
        let error = loop {
            match damaged.next().await.unwrap() {
                Ok(piece) => passed.extend_from_slice(&piece),
                Err(error) => break error,
            }
        };
        assert_eq!(passed, b"abcdXf", "the last piece is held back");
        assert!(matches!(error, BlobError::Damaged { .. }));
        let none: Vec<Bytes> = verified(pieces(&[]), Sha256::of(b"")).try_collect().await.unwrap();
        assert!(none.is_empty());
    }
}
