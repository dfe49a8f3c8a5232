//! `[rates]`: how much one client may ask for.

use std::net::IpAddr;

use serde::Deserialize;

/// `[rates]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Reads of one client address (IPv6: of one /64) per minute; 0 is no limit.
    pub reads_per_minute: u32,
    /// Publishes of one owner per minute; 0 is no limit.
    pub publishes_per_minute: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { reads_per_minute: 6_000, publishes_per_minute: 60, trusted_proxies: Vec::new() }
    }
}
