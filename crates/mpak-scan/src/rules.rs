//! Detection rules that are data: embedded, compiled when first needed.

/// The rules of CQ-01.
pub const SECRETS_TOML: &str = include_str!("../rules/secrets.toml");
