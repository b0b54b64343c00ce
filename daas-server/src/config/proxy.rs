//! Addresses of proxies that are believed.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Leading bits that all IPv4 addresses share as IPv6 addresses (`::ffff:0:0/96`).
const MAPPED: u8 = 96;

/// One address, or all that share their leading bits, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressRange {
    /// As an IPv6 address, so that there is one kind only.
    first: u128,
    prefix: u8,
}

/// Why a text is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RangeError {
    /// It is something else.
    #[error("is not an IP address, or a range such as 10.0.0.0/8")]
    Malformed,
    /// The address has bits set behind the prefix, so one of the two is a mistake.
    #[error("the range with this address begins at {0}")]
    HostBits(AddressRange),
}

impl AddressRange {
    /// Whether an address is in it. An IPv4 address is the same in the clothes of IPv6.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        mapped(address) & mask(self.prefix) == self.first
    }
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .to_bits()
}

fn mask(prefix: u8) -> u128 {
    let behind = 128_u32.saturating_sub(prefix.into());
    u128::MAX.checked_shl(behind).unwrap_or(0)
}

impl From<IpAddr> for AddressRange {
    fn from(address: IpAddr) -> Self {
        Self {
            first: mapped(address),
            prefix: 128,
        }
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let Some((address, prefix)) = text.split_once('/') else {
            let address: IpAddr = text.parse().map_err(|_| RangeError::Malformed)?;
            return Ok(address.into());
        };
        let address: IpAddr = address.parse().map_err(|_| RangeError::Malformed)?;
        let prefix: u8 = prefix.parse().map_err(|_| RangeError::Malformed)?;
        let (most, before) = match address {
            IpAddr::V4(_) => (32, MAPPED),
            IpAddr::V6(_) => (128, 0),
        };
        if prefix > most {
            return Err(RangeError::Malformed);
        }
        let prefix = prefix + before;
        let first = mapped(address) & mask(prefix);
        let range = Self { first, prefix };
        if first == mapped(address) {
            Ok(range)
        } else {
            Err(RangeError::HostBits(range))
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.first);
        match address.to_ipv4_mapped() {
            Some(address) if self.prefix >= MAPPED => {
                write!(f, "{address}/{}", self.prefix - MAPPED)
            }
            _ => write!(f, "{address}/{}", self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn addresses_are_in_ranges_or_not() {
        for (range, address, expected) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::a00:1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1/32", "192.0.2.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "203.0.113.9", true),
            ("::1", "::1", true),
            ("::1", "127.0.0.1", false),
        ] {
            let range: AddressRange = range.parse().unwrap();
            let address = address.parse().unwrap();
            assert_eq!(range.contains(address), expected, "{range} {address}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10/8",
            "10.0.0.0/8/8",
            " 10.0.0.1",
            "10.0.0.1:80",
            "localhost",
        ] {
            let parsed = text.parse::<AddressRange>();
            assert_eq!(parsed, Err(RangeError::Malformed), "{text}");
        }
        for (text, meant) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:db8::1/64", "2001:db8::/64"),
        ] {
            let error = text.parse::<AddressRange>().unwrap_err().to_string();
            assert!(error.ends_with(&format!("begins at {meant}")), "{error}");
        }
    }
}
