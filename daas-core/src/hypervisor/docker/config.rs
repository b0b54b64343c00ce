//! What an installation may do on an engine.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A text is not what it should be; says what that would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected {0}")]
pub struct ParseError(pub(super) &'static str);

/// How to reach an engine, and what instances on it get.
#[derive(Clone, Debug)]
pub struct Config {
    /// The engine's socket. An engine elsewhere has an [`Endpoint`](super::Endpoint) instead;
    /// its TCP port without TLS would be root for everybody who reaches it.
    pub socket: PathBuf,
    /// Whose all that is made is. Nothing of another installation is ever touched.
    pub installation: Installation,
    /// What instances reach.
    pub network: Network,
    /// Where the home of an instance is.
    pub home: Home,
    /// How it is found out whether a desktop answers.
    pub probe: Probe,
    /// Time for the engine to answer.
    pub call_timeout: Duration,
    /// Time for creating an instance.
    pub create_timeout: Duration,
    /// Time after its start in which a desktop that does not answer is still starting.
    pub start_grace: Duration,
}

impl Config {
    /// For an installation, with everything else as usual: the engine's own socket, ten
    /// seconds for an answer and sixty for creating, thirty until a silent desktop is
    /// unhealthy.
    #[must_use]
    pub fn new(installation: Installation) -> Self {
        Self {
            socket: PathBuf::from("/var/run/docker.sock"),
            installation,
            network: Network::default(),
            home: Home::Volume,
            probe: Probe::Connect,
            call_timeout: Duration::from_secs(10),
            create_timeout: Duration::from_secs(60),
            start_grace: Duration::from_secs(30),
        }
    }
}

/// How it is found out whether a desktop answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// By a connection from here: cheap, and seen as gateways here see it.
    Connect,
    /// By the engine, with the health check of the image: for engines elsewhere, whose
    /// desktops cannot be reached from here. An image without one is well once it runs.
    Engine,
}

/// What instances reach, and what reaches them.
#[derive(Clone, Debug)]
pub struct Network {
    /// Addresses for all instances; each gets a network of 16 out of it. Two installations
    /// on one engine had better have different ranges.
    pub range: Subnet,
    /// Whether instances reach other hosts at all.
    pub internet: bool,
    /// Private networks that they may reach all the same. Without any they reach public
    /// addresses only.
    pub allow: Vec<Subnet>,
    /// Names of containers that are put into the network of every instance, to connect to
    /// its desktop: those of guacd, or of the server where it runs in a container itself.
    /// What runs on the host reaches desktops without that. At most six.
    pub gateways: Vec<String>,
    /// Image of the container that keeps desktops away from the host, from private networks
    /// and from gateways. `None` where rules of the host see to that.
    pub guard: Option<String>,
}

impl Default for Network {
    /// `10.213.0.0/16`, with the internet, guarded by `daas/guard`.
    fn default() -> Self {
        Self {
            range: Subnet {
                address: Ipv4Addr::new(10, 213, 0, 0),
                prefix: 16,
            },
            internet: true,
            allow: Vec::new(),
            gateways: Vec::new(),
            guard: Some("daas/guard".to_owned()),
        }
    }
}

/// Where the home of an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In a volume that lives as long as the instance: stopping keeps the files. Its size is
    /// not limited.
    Volume,
    /// In memory, with so many MiB: stopping loses the files.
    Memory {
        /// Most that it holds, in MiB. Counts as memory of the instance.
        mib: u32,
    },
}

/// Name of an installation: up to 32 lower-case letters, digits and hyphens, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Installation(String);

impl Installation {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Installation {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if first && rest && text.len() <= 32 {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError(
                "up to 32 lower-case letters, digits and hyphens, a letter first",
            ))
        }
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of the IPv4 addresses, such as `10.213.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    address: Ipv4Addr,
    prefix: u8,
}

impl Subnet {
    /// The first address.
    #[must_use]
    pub const fn address(self) -> Ipv4Addr {
        self.address
    }

    /// How many leading bits all addresses share.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// How many subnets with a longer prefix fit into it.
    #[must_use]
    pub const fn count(self, prefix: u8) -> u32 {
        match prefix.checked_sub(self.prefix) {
            Some(bits) if bits < 32 => 1 << bits,
            _ => 0,
        }
    }

    /// The n-th subnet with a longer prefix; `None` where there are fewer.
    #[must_use]
    pub fn nth(self, n: u32, prefix: u8) -> Option<Self> {
        let bits = 32_u32.checked_sub(u32::from(prefix))?;
        let offset = (n < self.count(prefix)).then(|| u64::from(n) << bits)?;
        let offset = u32::try_from(offset).ok()?;
        let address = Ipv4Addr::from(self.address.to_bits().checked_add(offset)?);
        Some(Self { address, prefix })
    }

    /// The n-th address; `None` beyond the last.
    #[must_use]
    pub fn host(self, n: u32) -> Option<Ipv4Addr> {
        self.nth(n, 32).map(Self::address)
    }

    /// Whether an address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let mask = mask(self.prefix.min(other.prefix));
        self.address.to_bits() & mask == other.address.to_bits() & mask
    }
}

/// The leading bits of an address.
const fn mask(prefix: u8) -> u32 {
    match u32::MAX.checked_shl(32_u32.saturating_sub(prefix as u32)) {
        Some(mask) => mask,
        None => 0,
    }
}

impl FromStr for Subnet {
    type Err = ParseError;

    /// The address must be the first of the subnet.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = ParseError("a subnet by its first address, such as 10.213.0.0/16");
        let (address, prefix) = text.split_once('/').ok_or(error)?;
        let address: Ipv4Addr = address.parse().map_err(|_| error)?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32);
        let prefix: u8 = prefix.ok_or(error)?;
        let first = address.to_bits() & !mask(prefix) == 0;
        first.then_some(Self { address, prefix }).ok_or(error)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn subnets_are_written_in_one_way() {
        for text in ["0.0.0.0/0", "10.213.0.0/16", "10.0.0.16/28", "1.2.3.4/32"] {
            assert_eq!(subnet(text).to_string(), text);
        }
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.1/28",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "::/0",
        ] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_a_subnet_are_disjoint_and_inside() {
        let range = subnet("10.213.0.0/24");
        assert_eq!(range.count(28), 16);
        let parts: Vec<_> = (0..16).map(|n| range.nth(n, 28).unwrap()).collect();
        for (n, part) in parts.iter().enumerate() {
            assert!(range.overlaps(*part));
            assert!(parts.iter().skip(n + 1).all(|other| !part.overlaps(*other)));
        }
        assert_eq!(parts[15], subnet("10.213.0.240/28"));
        assert_eq!(range.nth(16, 28), None);
        assert_eq!(range.nth(0, 23), None);
        assert_eq!(parts[1].host(2), Some(Ipv4Addr::new(10, 213, 0, 18)));
        assert_eq!(parts[1].host(16), None);
    }

    #[test]
    fn everything_overlaps_with_the_whole() {
        assert!(subnet("0.0.0.0/0").overlaps(subnet("192.168.1.0/24")));
        assert!(!subnet("10.0.0.0/9").overlaps(subnet("10.128.0.0/9")));
    }

    #[test]
    fn names_of_installations_are_narrow() {
        for text in ["daas", "a", "test-1f"] {
            assert!(text.parse::<Installation>().is_ok(), "{text}");
        }
        for text in ["", "-a", "1a", "A", "a_b", "a/b", "é", &"a".repeat(33)] {
            assert!(text.parse::<Installation>().is_err(), "{text}");
        }
    }
}
