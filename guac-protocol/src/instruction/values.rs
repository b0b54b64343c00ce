//! What the numbers of arguments stand for.

use core::fmt;

use super::ArgumentErrorKind::{self, ControlCharacter, OutOfRange};
use super::argument::Argument;
use crate::Status;

/// Newtypes of which each value of the inner type is one.
macro_rules! open {
    ($($(#[$doc:meta])* $name:ident($type:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $type);

        impl From<$type> for $name {
            fn from(value: $type) -> Self {
                Self(value)
            }
        }

        forward!($name, $type, |value| Ok($name(value)));
    )*};
}

/// Newtypes for the numbers from 0 to a largest one.
macro_rules! bounded {
    ($($(#[$doc:meta])* $name:ident($type:ty) <= $max:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($type);

        impl $name {
            /// The largest one.
            pub const MAX: Self = Self($max);

            /// The one with this number; none where that is above [`MAX`](Self::MAX).
            #[must_use]
            pub const fn new(number: $type) -> Option<Self> {
                if number <= $max {
                    Some(Self(number))
                } else {
                    None
                }
            }

            /// Its number.
            #[must_use]
            pub const fn get(self) -> $type {
                self.0
            }
        }

        forward!($name, $type, |value| $name::new(value).ok_or(OutOfRange));
    )*};
}

/// The traits of a newtype, from those of the inner type.
macro_rules! forward {
    ($name:ident, $type:ty, $new:expr) => {
        impl From<$name> for $type {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Argument<'_> for $name {
            #[inline]
            fn parse(text: &str) -> Result<Self, ArgumentErrorKind> {
                <$type>::parse(text).and_then($new)
            }

            #[inline]
            fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R {
                self.0.with_text(each)
            }
        }
    };
}

/// Enums whose variants are numbered from 0.
macro_rules! numbered {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            #[default]
            $($(#[$variant_doc])* $variant = $number,)*
        }

        impl Argument<'_> for $name {
            fn parse(text: &str) -> Result<Self, ArgumentErrorKind> {
                match u8::parse(text)? {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(OutOfRange),
                }
            }

            fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R {
                (*self as u8).with_text(each)
            }
        }
    )*};
}

open! {
    /// A layer or a buffer of the display: 0 is the display itself, layers above it are
    /// positive, buffers, which are never seen, are negative (guacamole-server,
    /// `src/libguac/client.c`, `guac_client_alloc_layer` and `guac_client_alloc_buffer`).
    Layer(i32);

    /// Which mouse buttons are down, a bit for each (guacamole-server,
    /// `src/libguac/guacamole/client-constants.h`). The scroll wheel is two buttons, each
    /// pressed and released for a step.
    Buttons(u8);

    /// The code of a status, known or not: see [`Status`].
    StatusCode(u16);

    /// The code of a message for the user (guacamole-server,
    /// `src/libguac/guacamole/protocol-types.h`, `guac_message_type`).
    MessageCode(u16);
}

impl Layer {
    /// The display itself.
    pub const DEFAULT: Self = Self(0);

    /// Whether it is a buffer, which is never seen.
    #[must_use]
    pub const fn is_buffer(self) -> bool {
        self.0 < 0
    }
}

impl Buttons {
    /// The left button.
    pub const LEFT: Self = Self(0x01);
    /// The middle button.
    pub const MIDDLE: Self = Self(0x02);
    /// The right button.
    pub const RIGHT: Self = Self(0x04);
    /// The wheel, upwards.
    pub const SCROLL_UP: Self = Self(0x08);
    /// The wheel, downwards.
    pub const SCROLL_DOWN: Self = Self(0x10);

    /// Whether all buttons of the other set are down in this one.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl core::ops::BitOr for Buttons {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl StatusCode {
    /// The status, where the code is a known one.
    #[must_use]
    pub const fn status(self) -> Option<Status> {
        Status::from_code(self.0)
    }

    /// Whether it stands for no error, as [`Status::is_success`]; also for codes that are
    /// not known.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 < 0x0100
    }
}

impl From<Status> for StatusCode {
    fn from(status: Status) -> Self {
        Self(status.code())
    }
}

impl MessageCode {
    /// Another user joined the connection; arguments are that user's id and name.
    pub const USER_JOINED: Self = Self(1);
    /// Another user left the connection; arguments as for
    /// [`USER_JOINED`](Self::USER_JOINED).
    pub const USER_LEFT: Self = Self(2);
}

bounded! {
    /// Index of a stream that the client opened. guacd has room for 512 of a user
    /// (guacamole-server, `src/libguac/guacamole/user-constants.h`,
    /// `GUAC_USER_MAX_STREAMS`) and refuses greater indices
    /// (`src/libguac/user-handlers.c`, `__get_input_stream`).
    ClientStream(u16) <= 511;

    /// Index of a stream that guacd opened. It has 512 for each user and 512 for all
    /// users of a connection together; the former have even indices and the latter odd
    /// ones (guacamole-server, `src/libguac/user.c`, `guac_user_alloc_stream`;
    /// `src/libguac/client.c`, `guac_client_alloc_stream`).
    ServerStream(u16) <= 1023;

    /// Index of an object, such as a file system. guacd hands out 0 to 63 to each user
    /// (guacamole-server, `src/libguac/guacamole/user-constants.h`,
    /// `GUAC_USER_MAX_OBJECTS`), and ignores what names another one.
    ObjectIndex(u32) <= 0x7FFF_FFFF;

    /// A key, as the X Window System numbers them: 29 bits, of which `0x0100_0000` and a
    /// codepoint mean that character.
    Keysym(u32) <= 0x1FFF_FFFF;

    /// How what is drawn and what is there are put together: the bits say which of four
    /// parts of the two remain (guacamole-server,
    /// `src/libguac/guacamole/protocol-types.h`, `guac_composite_mode`).
    ///
    /// The constants are the modes that guacd names; clients do not draw all the others.
    ChannelMask(u8) <= 0xF;

    /// How the colours of source and destination are combined, bit by bit
    /// (guacamole-server, `src/libguac/guacamole/protocol-types.h`,
    /// `guac_transfer_function`). The four bits of the number are the results for the
    /// bits of source and destination 00, 01, 10 and 11, from the highest bit down.
    TransferFunction(u8) <= 0xF;
}

impl ServerStream {
    /// Whether it goes to all users of the connection. guacd ignores what they
    /// acknowledge of it (guacamole-server, `src/libguac/user-handlers.c`,
    /// `__guac_handle_ack`).
    #[must_use]
    pub const fn is_broadcast(self) -> bool {
        self.0 % 2 == 1
    }

    /// Whether it goes to one user alone.
    #[must_use]
    pub const fn is_user(self) -> bool {
        !self.is_broadcast()
    }
}

impl ChannelMask {
    /// The destination inside the source alone.
    pub const RIN: Self = Self(0x1);
    /// The destination outside the source alone: it is cleared.
    pub const ROUT: Self = Self(0x2);
    /// The source inside the destination alone.
    pub const IN: Self = Self(0x4);
    /// The source inside the destination, on top of it.
    pub const ATOP: Self = Self(0x6);
    /// The source outside the destination alone.
    pub const OUT: Self = Self(0x8);
    /// The destination inside the source, on top of it.
    pub const RATOP: Self = Self(0x9);
    /// Either where the other one is not.
    pub const XOR: Self = Self(0xA);
    /// The destination on top of the source.
    pub const ROVER: Self = Self(0xB);
    /// The source alone.
    pub const SRC: Self = Self(0xC);
    /// The source on top of the destination: the usual way.
    pub const OVER: Self = Self(0xE);
    /// The sum of the two.
    pub const PLUS: Self = Self(0xF);
}

impl TransferFunction {
    /// Black.
    pub const BLACK: Self = Self(0x0);
    /// Source and destination.
    pub const AND: Self = Self(0x1);
    /// The source.
    pub const SRC: Self = Self(0x3);
    /// The destination: nothing changes.
    pub const DEST: Self = Self(0x5);
    /// Source or destination, but not both.
    pub const XOR: Self = Self(0x6);
    /// Source or destination.
    pub const OR: Self = Self(0x7);
    /// Not the destination.
    pub const NOT_DEST: Self = Self(0xA);
    /// Not the source.
    pub const NOT_SRC: Self = Self(0xC);
    /// White.
    pub const WHITE: Self = Self(0xF);
}

numbered! {
    /// How the ends of a line look (guacamole-server,
    /// `src/libguac/guacamole/protocol-types.h`, `guac_line_cap_style`).
    LineCap {
        /// Cut at the end.
        Butt = 0,
        /// A half circle around the end.
        Round = 1,
        /// Cut half the thickness after the end.
        Square = 2,
    }

    /// How the corners of a line look (guacamole-server,
    /// `src/libguac/guacamole/protocol-types.h`, `guac_line_join_style`).
    LineJoin {
        /// Cut off.
        Bevel = 0,
        /// Pointed.
        Miter = 1,
        /// Rounded.
        Round = 2,
    }
}

/// The type of the data on a stream, without control characters.
///
/// It may be empty: a browser gives files of a type that it does not know an empty one,
/// and the page of guacamole-client passes that on (`ManagedFileUpload.js`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mimetype<'a>(&'a str);

impl<'a> Mimetype<'a> {
    /// A type; none where the text has control characters.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let control = text.chars().any(char::is_control);
        (!control).then_some(Self(text))
    }

    /// Its text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Mimetype<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'a> Argument<'a> for Mimetype<'a> {
    #[inline]
    fn parse(text: &'a str) -> Result<Self, ArgumentErrorKind> {
        Self::new(text).ok_or(ControlCharacter)
    }

    #[inline]
    fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R {
        each(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_and_streams_tell_their_kind() {
        for (layer, is_buffer) in [(-1, true), (0, false), (1, false)] {
            assert_eq!(Layer(layer).is_buffer(), is_buffer);
        }
        for (index, broadcast) in [(0, false), (1, true), (1022, false), (1023, true)] {
            let stream = ServerStream::new(index);
            assert_eq!(stream.map(ServerStream::is_broadcast), Some(broadcast));
            assert_eq!(stream.map(ServerStream::is_user), Some(!broadcast));
        }
    }

    #[test]
    fn buttons_are_a_set() {
        let two = Buttons::LEFT | Buttons::SCROLL_DOWN;
        assert_eq!(two, Buttons(17));
        assert!(two.contains(Buttons::LEFT) && two.contains(two));
        assert!(!two.contains(Buttons::RIGHT));
        assert!(!Buttons::LEFT.contains(two));
    }

    #[test]
    fn codes_without_a_name_survive() {
        assert_eq!(
            StatusCode(0x0301).status(),
            Some(Status::ClientUnauthorized)
        );
        let unknown = StatusCode(0x0302);
        assert_eq!((unknown.status(), unknown.0), (None, 0x0302));
        for (code, success) in [(0, true), (0xFF, true), (0x100, false), (0x302, false)] {
            assert_eq!(StatusCode(code).is_success(), success);
        }
        for &status in Status::ALL {
            let code = StatusCode::from(status);
            assert_eq!(code.status(), Some(status));
            assert_eq!(code.is_success(), status.is_success());
        }
    }
}
