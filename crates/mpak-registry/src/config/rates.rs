//! `[rates]`: how much one client may ask for.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

/// `[rates]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Requests of one client address (IPv6: of one /64) per minute; 0 is no limit. Unset: 6,000, and none for whoever asks from this machine without a proxy.
    pub reads_per_minute: Option<u32>,
    /// Publishes of one owner per minute; 0 is no limit.
    pub publishes_per_minute: u32,
    /// Connections of one address at the same time, but of trusted proxies; 0 is no limit.
    pub connections_per_address: u32,
    /// Proxies whose `X-Forwarded-For` is believed: addresses, or networks like `10.0.0.0/8`.
    pub trusted_proxies: Vec<Network>,
}

/// Requests of one client address per minute where the operator sets nothing.
pub(crate) const READS_PER_MINUTE: u32 = 6_000;

impl Rates {
    /// Requests of one client address per minute; 0 is no limit.
    pub fn reads(&self) -> u32 {
        self.reads_per_minute.unwrap_or(READS_PER_MINUTE)
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            reads_per_minute: None,
            publishes_per_minute: 600,
            connections_per_address: 256,
            trusted_proxies: Vec::new(),
        }
    }
}

/// Addresses with the same first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    /// At most 32 or 128.
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected an address like `10.0.0.1` or a network like `10.0.0.0/8`, found `{found}`")]
pub struct NetworkError {
    /// What was given.
    found: String,
}

impl FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError { found: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_no_address| error())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_no_number| error())?;
        if prefix > bits { Err(error()) } else { Ok(Self { address, prefix }) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl Network {
    /// Whether an address is in it. An IPv4 address written as IPv6 is that IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let shift = |bits: u32| bits.saturating_sub(u32::from(self.prefix));
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_shares_their_first_bits() {
        for (network, address, inside) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.0/8", "10.255.0.2", true),
            ("10.0.0.0/8", "11.0.0.2", false),
            ("0.0.0.0/0", "11.0.0.2", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network:?} {address}");
        }
        for bad in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/x", "proxy.example"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
