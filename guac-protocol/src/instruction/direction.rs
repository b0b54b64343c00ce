//! Who sends an opcode when, and with how many arguments.

use core::ops::RangeInclusive;

use super::{client, server};
use crate::Opcode;

fn range((min, max): (usize, usize)) -> RangeInclusive<usize> {
    min..=max
}

impl Opcode {
    /// Whether clients send it to guacd, in the handshake or later.
    #[must_use]
    pub const fn sent_by_client(self) -> bool {
        client::arity(self).is_some()
    }

    /// Whether guacd sends it to clients, in the handshake or later, or did so once;
    /// [`Key`](Self::Key) and [`Touch`](Self::Touch) are only in recordings.
    #[must_use]
    pub const fn sent_by_server(self) -> bool {
        server::arity(self).is_some()
    }

    /// Whether a client sends it in the handshake only (guacamole-server,
    /// `src/libguac/user-handshake.c` and the handshake handlers of
    /// `src/libguac/user-handlers.c`). A proxy refuses it afterwards.
    ///
    /// [`Size`](Self::Size) and [`Audio`](Self::Audio) belong to both. The `audio` of the
    /// handshake is told from the other one by its arguments:
    /// [`ClientInstruction::is_handshake`](super::ClientInstruction::is_handshake) does.
    #[must_use]
    pub const fn is_client_handshake(self) -> bool {
        matches!(
            self,
            Self::Select | Self::Video | Self::Image | Self::Timezone | Self::Name | Self::Connect
        )
    }

    /// Whether guacd sends it in the handshake only.
    #[must_use]
    pub const fn is_server_handshake(self) -> bool {
        matches!(self, Self::Args | Self::Ready)
    }

    /// How many arguments an instruction of a client has; none where clients do not send
    /// it. guacd reads the first of these without a check, so that what has fewer makes it
    /// read what an earlier instruction left behind (guacamole-server,
    /// `src/libguac/user-handlers.c`).
    ///
    /// For [`Audio`](Self::Audio) this is the one that opens a stream, not that of the
    /// handshake; see [`handshake_arity`](Self::handshake_arity).
    ///
    /// ```
    /// use guac_protocol::Opcode;
    /// assert_eq!(Opcode::Mouse.client_arity(), Some(3..=3));
    /// assert_eq!(Opcode::Size.client_arity(), Some(2..=3));
    /// assert_eq!(Opcode::Ready.client_arity(), None);
    /// ```
    #[must_use]
    pub fn client_arity(self) -> Option<RangeInclusive<usize>> {
        client::arity(self).map(range)
    }

    /// How many arguments an instruction of guacd has; none where guacd does not send it.
    #[must_use]
    pub fn server_arity(self) -> Option<RangeInclusive<usize>> {
        server::arity(self).map(range)
    }

    /// How many arguments an instruction of a client has during the handshake; none where
    /// it has no place there.
    #[must_use]
    pub fn handshake_arity(self) -> Option<RangeInclusive<usize>> {
        match self {
            Self::Audio => Some(client::AudioTypes::ARGUMENTS),
            Self::Size => self.client_arity(),
            other if other.is_client_handshake() => other.client_arity(),
            _ => None,
        }
    }
}
