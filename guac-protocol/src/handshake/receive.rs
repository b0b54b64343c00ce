//! A buffer and a decoder in one.

use alloc::vec::Vec;

use crate::{Decoded, Decoder, Error, Instruction, Limits};

/// Bytes of a stream as they come, and instructions out of them.
///
/// It holds what was given and not taken yet: at most one instruction and the last
/// read, where the caller takes all instructions before it reads again.
///
/// ```
/// use guac_protocol::Limits;
/// use guac_protocol::handshake::ReceiveBuffer;
///
/// let mut buffer = ReceiveBuffer::new(Limits::GUACD);
/// buffer.extend(b"5.ready,2.$");
/// assert_eq!(buffer.poll_instruction()?, None);
/// buffer.extend(b"1;4.sync,1.5;");
/// let ready = buffer.poll_instruction()?.and_then(|instruction| instruction.get(1));
/// assert_eq!(ready, Some("$1"));
/// // Of use after the handshake.
/// assert_eq!(buffer.into_remaining(), b"4.sync,1.5;");
/// # Ok::<(), guac_protocol::Error>(())
/// ```
#[derive(Clone)]
pub struct ReceiveBuffer {
    decoder: Decoder,
    bytes: Vec<u8>,
    /// Bytes of instructions that were taken.
    taken: usize,
}

impl ReceiveBuffer {
    /// An empty buffer at the start of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            bytes: Vec::new(),
            taken: 0,
        }
    }

    /// Appends bytes that were received.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next instruction, if it is whole.
    ///
    /// # Errors
    /// As [`Decoder::decode`]: the first thing wrong in the stream, again and again.
    pub fn poll_instruction(&mut self) -> Result<Option<Instruction<'_>>, Error> {
        match self.decoder.decode(&self.bytes[self.taken..])? {
            Decoded::Incomplete => Ok(None),
            Decoded::Complete {
                instruction,
                consumed,
            } => {
                self.taken += consumed;
                Ok(Some(instruction))
            }
        }
    }

    /// Bytes that were given and not taken.
    #[must_use]
    pub fn remaining(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Bytes that were given and not taken, for who goes on with the stream.
    #[must_use]
    pub fn into_remaining(mut self) -> Vec<u8> {
        self.bytes.drain(..self.taken);
        self.bytes
    }
}

impl core::fmt::Debug for ReceiveBuffer {
    /// Only how much there is: there may be passwords in it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ReceiveBuffer")
            .field("remaining", &self.remaining().len())
            .finish_non_exhaustive()
    }
}
