//! Status codes, and what they are called on WebSockets and in HTTP.

use core::fmt;

macro_rules! statuses {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $http:literal, $close:literal;)*) => {
        /// Why a connection or a stream ended, or that it did not.
        ///
        /// Codes of guacamole-server (`src/libguac/guacamole/protocol-types.h`), with the
        /// HTTP status and the WebSocket close code that guacamole-client gives each
        /// (`GuacamoleStatus`). On a WebSocket the *reason* of the close frame is the
        /// code in decimal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Status {
            $($(#[$doc])* $variant = $code,)*
        }

        impl Status {
            /// All known codes, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The status with this code.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The HTTP status that stands for it.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self {
                    $(Self::$variant => $http,)*
                }
            }

            /// The code of a WebSocket close frame that stands for it.
            #[must_use]
            pub const fn websocket_close_code(self) -> u16 {
                match self {
                    $(Self::$variant => $close,)*
                }
            }
        }
    };
}

statuses! {
    /// No error.
    Success = 0x0000, 200, 1000;
    /// What was asked for is not supported.
    Unsupported = 0x0100, 501, 1011;
    /// An internal error of the server.
    ServerError = 0x0200, 500, 1011;
    /// The server is too busy.
    ServerBusy = 0x0201, 503, 1008;
    /// The remote desktop does not answer.
    UpstreamTimeout = 0x0202, 504, 1011;
    /// The remote desktop reported an error, or closed the connection.
    UpstreamError = 0x0203, 502, 1011;
    /// There is no such object, file or stream.
    ResourceNotFound = 0x0204, 404, 1002;
    /// The resource is in use, or locked.
    ResourceConflict = 0x0205, 409, 1008;
    /// The resource is closed.
    ResourceClosed = 0x0206, 404, 1002;
    /// The remote desktop does not exist, or its name could not be resolved.
    UpstreamNotFound = 0x0207, 502, 1011;
    /// The remote desktop refuses connections.
    UpstreamUnavailable = 0x0208, 502, 1011;
    /// Another session took this one's place.
    SessionConflict = 0x0209, 409, 1008;
    /// The session was not used for too long.
    SessionTimeout = 0x020A, 408, 1002;
    /// The session was ended on purpose.
    SessionClosed = 0x020B, 404, 1002;
    /// The request is malformed.
    ClientBadRequest = 0x0300, 400, 1002;
    /// The client is not logged in, or the credentials are wrong.
    ClientUnauthorized = 0x0301, 403, 1008;
    /// The client may not do that.
    ClientForbidden = 0x0303, 403, 1008;
    /// The client does not answer.
    ClientTimeout = 0x0308, 408, 1002;
    /// The client sent more than it may.
    ClientOverrun = 0x030D, 413, 1009;
    /// The client sent data of a type that is not expected.
    ClientBadType = 0x030F, 415, 1003;
    /// The client uses too many resources.
    ClientTooMany = 0x031D, 429, 1008;
}

impl Status {
    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Whether it stands for no error: codes below `0x0100`
    /// (guacamole-server, `src/libguac/guacamole/protocol-types.h`).
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.code() < 0x0100
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.code()
    }
}

impl fmt::Display for Status {
    /// The code in decimal, as the protocol and close frames write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_map_back() {
        for &status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(status));
        }
        assert_eq!(Status::ALL.len(), 21);
        assert_eq!(Status::from_code(0x0302), None);
    }
}
