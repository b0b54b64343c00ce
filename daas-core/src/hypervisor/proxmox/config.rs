//! What an installation may do on a cluster.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::client::{SettingError, Settings};

/// Numbers that guests can have.
const NUMBERS: RangeInclusive<u32> = 100..=999_999_999;

/// How to reach a cluster, and what instances on it get.
#[derive(Clone, Debug)]
pub struct Config {
    /// How the cluster is reached.
    pub cluster: Settings,
    /// Whose all that is made is. Nothing of another installation is ever touched.
    pub installation: Installation,
    /// Numbers that guests get. Nothing with a number outside is ever touched; two
    /// installations on one cluster have to have different ones.
    pub vmids: RangeInclusive<u32>,
    /// The pool into which guests go. Where there is one, nothing outside is ever touched.
    pub pool: Option<String>,
    /// Where desktops may be. A guest says what its address is, and says what it wants to:
    /// an address elsewhere is not believed.
    pub networks: Vec<Network>,
    /// How templates are cloned.
    pub cloning: Cloning,
    /// The user to whom cloud-init gives the password of the desktop. Without one, templates
    /// have passwords of their own, and that of the instance goes nowhere.
    pub cloud_init_user: Option<String>,
    /// Whether what is suspended goes to disk. Otherwise it keeps its memory.
    pub suspend_to_disk: bool,
    /// Time for something that is only looked at.
    pub call_timeout: Duration,
    /// Time for creating an instance.
    pub create_timeout: Duration,
    /// Time for starting, stopping and so on.
    pub power_timeout: Duration,
    /// Time after its start in which a desktop that does not answer is still starting.
    pub start_grace: Duration,
    /// How often it is looked whether something has changed.
    pub watch_every: Duration,
}

/// How templates are cloned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cloning {
    /// Linked to the template, where its storage can do that; with all data elsewhere.
    #[default]
    LinkedWherePossible,
    /// With all data, to a storage or to that of the template.
    Full {
        /// The storage.
        storage: Option<String>,
    },
}

impl Config {
    /// For an installation, with everything else as usual: linked clones, no pool, no
    /// cloud-init; half a minute for an answer, ten minutes for creating and three for
    /// starting and stopping; two minutes until a silent desktop is unhealthy.
    #[must_use]
    pub const fn new(
        cluster: Settings,
        installation: Installation,
        vmids: RangeInclusive<u32>,
        networks: Vec<Network>,
    ) -> Self {
        Self {
            cluster,
            installation,
            vmids,
            pool: None,
            networks,
            cloning: Cloning::LinkedWherePossible,
            cloud_init_user: None,
            suspend_to_disk: false,
            call_timeout: Duration::from_secs(30),
            create_timeout: Duration::from_secs(600),
            power_timeout: Duration::from_secs(180),
            start_grace: Duration::from_secs(120),
            watch_every: Duration::from_secs(2),
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingError> {
        let (first, last) = (self.vmids.start(), self.vmids.end());
        if self.vmids.is_empty() || !NUMBERS.contains(first) || !NUMBERS.contains(last) {
            let reason = "expected numbers from 100 to 999999999, the smaller one first";
            return Err(SettingError::new("vmids", reason));
        }
        if self.networks.is_empty() {
            let reason = "at least one is needed, or no desktop can be reached";
            return Err(SettingError::new("networks", reason));
        }
        let named = |name: &str| {
            let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
            !name.is_empty() && name.bytes().all(inside)
        };
        if self.pool.as_deref().is_some_and(|pool| !named(pool)) {
            return Err(SettingError::new("pool", "expected the name of a pool"));
        }
        if let Cloning::Full {
            storage: Some(storage),
        } = &self.cloning
            && !named(storage)
        {
            return Err(SettingError::new(
                "storage",
                "expected the name of a storage",
            ));
        }
        let user = self.cloud_init_user.as_deref();
        if user.is_some_and(|user| user.is_empty() || user.contains(char::is_control)) {
            return Err(SettingError::new(
                "cloud_init_user",
                "expected the name of a user",
            ));
        }
        Ok(())
    }
}

/// Name of an installation: up to 24 lower-case letters, digits and hyphens, a letter first
/// and no hyphen last. With the id of an instance it makes a name of a host.
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
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_one = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(inside)
            && !text.ends_with('-')
            && text.len() <= 24;
        let reason = "expected up to 24 lower-case letters, digits and hyphens, a letter first";
        is_one
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| SettingError::new("installation", reason))
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of the addresses, such as `10.20.0.0/16` or `2001:db8::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = u128::from((u32::from(own) ^ u32::from(other)).reverse_bits());
                differ.trailing_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = (u128::from(own) ^ u128::from(other)).reverse_bits();
                differ.trailing_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let wrong = || SettingError::new("networks", format!("{text:?} is no 10.20.0.0/16"));
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix
            .parse()
            .ok()
            .filter(|prefix| digits && *prefix <= bits);
        Ok(Self {
            address,
            prefix: prefix.ok_or_else(wrong)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn check(network: &str, inside: &[&str], outside: &[&str]) {
        let network: Network = network.parse().unwrap();
        for address in inside {
            assert!(network.contains(address.parse().unwrap()), "{address}");
        }
        for address in outside {
            assert!(!network.contains(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn networks_are_kept_to() {
        check(
            "10.20.0.0/16",
            &["10.20.0.0", "10.20.255.255"],
            &[
                "10.21.0.0",
                "10.19.255.255",
                "127.0.0.1",
                "::1",
                "::ffff:10.20.0.1",
            ],
        );
        check("10.20.0.7/32", &["10.20.0.7"], &["10.20.0.6", "10.20.0.8"]);
        check("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::"]);
        check(
            "2001:db8::/64",
            &["2001:db8::ffff"],
            &["2001:db8:0:1::", "10.0.0.1"],
        );
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "x/8",
            "10.0.0.0/+8",
            "::/129",
            "10.0/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_installations_fit_into_host_names() {
        for text in ["main", "a", "a-b2", &"a".repeat(24)] {
            assert_eq!(text.parse::<Installation>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "A",
            "1a",
            "a_b",
            "a-",
            "-a",
            "a b",
            "ä",
            &"a".repeat(25),
        ] {
            assert!(text.parse::<Installation>().is_err(), "{text}");
        }
    }
}
