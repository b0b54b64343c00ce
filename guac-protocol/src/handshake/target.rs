//! What `select` asks for: a protocol, or a connection to join.

use core::fmt;

/// Longest name of a protocol, and longest id, in bytes.
const MAX_LENGTH: usize = 64;

/// The checked name of a protocol that guacd is to speak.
///
/// guacd makes a file name of it, `libguac-client-NAME.so`, and loads that file
/// (guacamole-server, `src/libguac/client.c`, `guac_client_load_plugin`). A long name
/// once overflowed a buffer there (CVE-2012-4415), and a name with `/` in it would
/// choose another file: so only ASCII letters, digits, `-` and `_` are let through, at
/// most [`MAX_LENGTH`](Self::MAX_LENGTH) of them.
///
/// ```
/// use guac_protocol::handshake::Protocol;
/// assert_eq!(Protocol::new("spice").map(|name| name.as_str()), Ok("spice"));
/// assert!(Protocol::new("../evil").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol<'a>(&'a str);

impl Protocol<'static> {
    /// A pod of Kubernetes, as a terminal.
    pub const KUBERNETES: Self = Self("kubernetes");
    /// Remote Desktop Protocol.
    pub const RDP: Self = Self("rdp");
    /// Secure Shell, as a terminal.
    pub const SSH: Self = Self("ssh");
    /// Telnet, as a terminal.
    pub const TELNET: Self = Self("telnet");
    /// Virtual Network Computing.
    pub const VNC: Self = Self("vnc");
}

impl<'a> Protocol<'a> {
    /// Most bytes of a name; guacd itself takes up to 255
    /// (`src/libguac/guacamole/plugin-constants.h`).
    pub const MAX_LENGTH: usize = MAX_LENGTH;

    /// Checks a name.
    ///
    /// # Errors
    /// Where it is empty, too long, or has other characters in it.
    pub fn new(name: &'a str) -> Result<Self, InvalidTarget> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        check(name, allowed).map(|()| Self(name))
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// The checked id of a connection, as `ready` gives it: `$`, then up to
/// [`MAX_LENGTH`](Self::MAX_LENGTH) visible ASCII characters.
///
/// The `$` is how guacd tells an id from the name of a protocol (guacamole-server,
/// `src/guacd/connection.c` and `src/libguac/guacamole/client-constants.h`); the rest
/// is a UUID there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId<'a>(&'a str);

impl<'a> ConnectionId<'a> {
    /// Most bytes after the `$`.
    pub const MAX_LENGTH: usize = MAX_LENGTH;

    /// Checks an id.
    ///
    /// # Errors
    /// Where the `$` is missing, or nothing, too much or another character follows.
    pub fn new(id: &'a str) -> Result<Self, InvalidTarget> {
        let rest = id.strip_prefix('$').ok_or(InvalidTarget::NoPrefix)?;
        check(rest, |byte| byte.is_ascii_graphic()).map(|()| Self(id))
    }

    /// The id, with its `$`.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// The argument of `select`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target<'a> {
    /// A new connection by this protocol.
    Protocol(Protocol<'a>),
    /// A connection that others have open.
    Connection(ConnectionId<'a>),
}

impl<'a> Target<'a> {
    /// Reads the argument of `select`: an id where it starts with `$`.
    ///
    /// # Errors
    /// As [`ConnectionId::new`] and [`Protocol::new`].
    pub fn parse(text: &'a str) -> Result<Self, InvalidTarget> {
        if text.starts_with('$') {
            ConnectionId::new(text).map(Self::Connection)
        } else {
            Protocol::new(text).map(Self::Protocol)
        }
    }

    /// The argument of `select`.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Protocol(protocol) => protocol.as_str(),
            Self::Connection(id) => id.as_str(),
        }
    }
}

impl<'a> From<Protocol<'a>> for Target<'a> {
    fn from(protocol: Protocol<'a>) -> Self {
        Self::Protocol(protocol)
    }
}

impl<'a> From<ConnectionId<'a>> for Target<'a> {
    fn from(id: ConnectionId<'a>) -> Self {
        Self::Connection(id)
    }
}

/// Why a text is neither the name of a protocol nor an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// It is empty.
    Empty,
    /// It is too long.
    TooLong,
    /// A character in it is not allowed.
    InvalidCharacter,
    /// An id that does not start with `$`.
    NoPrefix,
}

impl fmt::Display for InvalidTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "name or id is empty",
            Self::TooLong => "name or id is too long",
            Self::InvalidCharacter => "name or id has a character that is not allowed",
            Self::NoPrefix => "id does not start with '$'",
        })
    }
}

impl core::error::Error for InvalidTarget {}

fn check(text: &str, allowed: impl Fn(u8) -> bool) -> Result<(), InvalidTarget> {
    match text.len() {
        0 => Err(InvalidTarget::Empty),
        length if length > MAX_LENGTH => Err(InvalidTarget::TooLong),
        _ if text.bytes().all(allowed) => Ok(()),
        _ => Err(InvalidTarget::InvalidCharacter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidTarget::{Empty, InvalidCharacter, NoPrefix, TooLong};

    fn refused(text: &str, why: InvalidTarget) {
        assert_eq!(Target::parse(text), Err(why), "{text}");
    }

    #[test]
    fn known_names_are_valid() {
        for known in [
            Protocol::KUBERNETES,
            Protocol::RDP,
            Protocol::SSH,
            Protocol::TELNET,
            Protocol::VNC,
        ] {
            assert_eq!(Protocol::new(known.as_str()), Ok(known));
        }
    }

    #[test]
    fn odd_targets_are_refused() {
        refused("", Empty);
        refused("$", Empty);
        for text in [
            "../vnc",
            "vnc/../rdp",
            "vnc.so",
            "gopher-协议",
            "a b",
            "vnc\0",
            "$ 1",
            "$é",
        ] {
            refused(text, InvalidCharacter);
        }
        let longest = "a".repeat(MAX_LENGTH);
        assert!(Protocol::new(&longest).is_ok());
        refused(&std::format!("{longest}a"), TooLong);
        refused(&std::format!("${longest}a"), TooLong);
        assert_eq!(ConnectionId::new("vnc"), Err(NoPrefix));
        assert!(ConnectionId::new(&std::format!("${longest}")).is_ok());
    }
}
