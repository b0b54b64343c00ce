//! Versions of the protocol, and what came with each.

use core::fmt;

/// A version of the Guacamole protocol, older ones first.
///
/// It changes only where the protocol does: guacd 1.6.1 still speaks 1.5.0
/// (guacamole-server, `src/libguac/guacamole/protocol-constants.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// 1.0.0 and all before it, which do not name their version.
    V1_0_0,
    /// 1.1.0: versions are named; `timezone`; any order in the handshake.
    V1_1_0,
    /// 1.3.0: `required`.
    V1_3_0,
    /// 1.5.0: `msg`, and `name` in the handshake.
    V1_5_0,
}

/// Something that not all versions have (guacamole-client,
/// `GuacamoleProtocolCapability`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// The instructions between `args` and `connect` come in any order, and need not
    /// all be there.
    AnyOrder,
    /// `timezone` in the handshake.
    Timezone,
    /// The server may ask for parameters by `required`.
    Required,
    /// The server may send `msg`.
    Msg,
    /// `name` in the handshake.
    Name,
}

impl Capability {
    /// The first version that has it.
    #[must_use]
    pub const fn since(self) -> Version {
        match self {
            Self::AnyOrder | Self::Timezone => Version::V1_1_0,
            Self::Required => Version::V1_3_0,
            Self::Msg | Self::Name => Version::V1_5_0,
        }
    }
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 4] = [Self::V1_0_0, Self::V1_1_0, Self::V1_3_0, Self::V1_5_0];

    /// The newest of them.
    pub const NEWEST: Self = Self::V1_5_0;

    /// How the handshake writes it, such as `VERSION_1_5_0`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0_0 => "VERSION_1_0_0",
            Self::V1_1_0 => "VERSION_1_1_0",
            Self::V1_3_0 => "VERSION_1_3_0",
            Self::V1_5_0 => "VERSION_1_5_0",
        }
    }

    const fn numbers(self) -> [u32; 3] {
        match self {
            Self::V1_0_0 => [1, 0, 0],
            Self::V1_1_0 => [1, 1, 0],
            Self::V1_3_0 => [1, 3, 0],
            Self::V1_5_0 => [1, 5, 0],
        }
    }

    /// Reads what a peer calls its version: `VERSION_` and three numbers, as
    /// guacamole-client does (`GuacamoleProtocolVersion`).
    ///
    /// A version that is not known stands for the newest known one that is not newer,
    /// so that one of the future is [`NEWEST`](Self::NEWEST). `None` where the text is
    /// no version at all, but the name of a parameter for example.
    ///
    /// ```
    /// use guac_protocol::handshake::Version;
    /// assert_eq!(Version::parse("VERSION_1_3_0"), Some(Version::V1_3_0));
    /// assert_eq!(Version::parse("VERSION_2_0_0"), Some(Version::NEWEST));
    /// assert_eq!(Version::parse("hostname"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("VERSION_")?.split('_');
        let mut numbers = [0; 3];
        for number in &mut numbers {
            *number = saturating_number(parts.next()?)?;
        }
        let known = |version: &&Self| version.numbers() <= numbers;
        match parts.next() {
            Some(_) => None,
            None => Some(*Self::ALL.iter().rfind(known).unwrap_or(&Self::V1_0_0)),
        }
    }

    /// Whether it has something.
    #[must_use]
    pub fn supports(self, capability: Capability) -> bool {
        self >= capability.since()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Value of at least one decimal digit, or the largest there is.
fn saturating_number(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Version>) {
        assert_eq!(Version::parse(text), expected, "{text}");
    }

    #[test]
    fn texts_map_back() {
        for version in Version::ALL {
            check(version.as_str(), Some(version));
        }
        assert!(Version::ALL.is_sorted());
        assert_eq!(Version::ALL.last(), Some(&Version::NEWEST));
    }

    #[test]
    fn others_map_to_the_next_lower() {
        check("VERSION_0_9_9", Some(Version::V1_0_0));
        check("VERSION_1_0_1", Some(Version::V1_0_0));
        check("VERSION_1_2_0", Some(Version::V1_1_0));
        check("VERSION_1_4_99", Some(Version::V1_3_0));
        check("VERSION_1_10_0", Some(Version::V1_5_0));
        check("VERSION_99999999999999999999_0_0", Some(Version::V1_5_0));
        check("VERSION_01_005_0", Some(Version::V1_5_0));
    }

    #[test]
    fn other_texts_are_no_version() {
        for text in [
            "",
            "hostname",
            "VERSION",
            "VERSION_",
            "VERSION_1_5",
            "VERSION_1_5_",
            "VERSION_1_5_0_",
            "VERSION_1_5_0_0",
            "VERSION_1_+5_0",
            "VERSION_1_٥_0",
            "version_1_5_0",
            " VERSION_1_5_0",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn capabilities_come_and_stay() {
        use Capability::{AnyOrder, Msg, Name, Required, Timezone};
        let has = |version: Version| {
            [AnyOrder, Timezone, Required, Msg, Name].map(|wanted| version.supports(wanted))
        };
        assert_eq!(has(Version::V1_0_0), [false; 5]);
        assert_eq!(has(Version::V1_1_0), [true, true, false, false, false]);
        assert_eq!(has(Version::V1_3_0), [true, true, true, false, false]);
        assert_eq!(has(Version::V1_5_0), [true; 5]);
    }
}
