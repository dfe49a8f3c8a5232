//! Levels and the trust score.
