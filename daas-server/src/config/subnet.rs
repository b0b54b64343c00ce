//! Parts of the IPv4 addresses.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A part of the IPv4 addresses, such as `10.213.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    /// The first address.
    pub address: Ipv4Addr,
    /// How many leading bits all addresses share.
    pub prefix: u8,
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = ();

    /// The address must be the first of the subnet: another one is probably a mistake.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').ok_or(())?;
        let address: Ipv4Addr = address.parse().map_err(drop)?;
        let prefix: u8 = prefix.parse().map_err(drop)?;
        let rest = match prefix {
            0..=31 => u32::MAX >> prefix,
            32 => 0,
            _ => return Err(()),
        };
        let is_first = address.to_bits() & rest == 0;
        is_first.then_some(Self { address, prefix }).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets() {
        for (text, expected) in [
            ("10.213.0.0/16", true),
            ("0.0.0.0/0", true),
            ("10.0.0.1/32", true),
            ("10.213.0.1/16", false),
            ("10.0.0.0/33", false),
            ("10.0.0.0", false),
            ("10.0.0/8", false),
            ("x/8", false),
        ] {
            let subnet = text.parse::<Subnet>();
            assert_eq!(subnet.is_ok(), expected, "{text}");
            assert!(
                subnet.is_err() || subnet.map(|subnet| subnet.to_string()) == Ok(text.to_owned())
            );
        }
    }
}
