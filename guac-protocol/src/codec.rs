//! A codec for `tokio_util::codec::Framed`.

use std::fmt;
use std::io;

use bytes::BytesMut;
use tokio_util::codec;

use crate::{Decoder, Encode, EncodeError, Encoder, Error, Limits, OwnedInstruction};

/// Room that is made for the next read, whenever an instruction is not whole: about one
/// instruction with a full blob.
const READ_BYTES: usize = 8 * 1024;

/// Instructions over a byte stream, for `tokio_util::codec::Framed` and its kin.
///
/// Reads [`OwnedInstruction`]s, and writes anything that is [`Encode`]. It buffers no
/// more of an instruction than the limits allow, and one read more.
///
/// Who only passes instructions on is better off with a [`Scanner`](crate::Scanner):
/// there, a buffer of many instructions stays one piece.
///
/// ```
/// use futures::{SinkExt, StreamExt, executor::block_on};
/// use guac_protocol::{GuacamoleCodec, Limits, Opcode};
/// use tokio_util::codec::Framed;
///
/// # let guacd = tokio::io::join(&b"4.args,13.VERSION_1_5_0,8.hostname;"[..], Vec::new());
/// let mut guacd = Framed::new(guacd, GuacamoleCodec::new(Limits::GUACD));
/// # block_on(async {
/// guacd.send(&["select", "vnc"]).await?;
/// while let Some(instruction) = guacd.next().await.transpose()? {
///     assert_eq!(instruction.opcode(), Opcode::Args);
/// }
/// # Ok::<(), guac_protocol::CodecError>(())
/// # })?;
/// # Ok::<(), guac_protocol::CodecError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GuacamoleCodec {
    decoder: Decoder,
    encoder: Encoder,
}

impl GuacamoleCodec {
    /// A codec that reads and writes within the same limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            encoder: Encoder::new(limits),
        }
    }

    /// The same codec with other limits for what it writes: those of the peer.
    #[must_use]
    pub fn with_peer_limits(mut self, limits: Limits) -> Self {
        self.encoder = Encoder::new(limits);
        self
    }
}

impl Default for GuacamoleCodec {
    /// With [`Limits::GUACD`].
    fn default() -> Self {
        Self::new(Limits::GUACD)
    }
}

impl codec::Decoder for GuacamoleCodec {
    type Item = OwnedInstruction;
    type Error = CodecError;

    /// Takes the next instruction off the buffer, if it is whole.
    ///
    /// # Errors
    /// [`CodecError::Decode`], from then on.
    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<OwnedInstruction>, CodecError> {
        let found = OwnedInstruction::decode(&mut self.decoder, source)?;
        if found.is_none() {
            // The same for every length that a peer announces: what it does not send,
            // costs nothing.
            source.reserve(READ_BYTES);
        }
        Ok(found)
    }

    /// As `decode`, when nothing more will come.
    ///
    /// # Errors
    /// As `decode`; and [`CodecError::UnexpectedEnd`], where an instruction is not whole.
    fn decode_eof(
        &mut self,
        source: &mut BytesMut,
    ) -> Result<Option<OwnedInstruction>, CodecError> {
        match OwnedInstruction::decode(&mut self.decoder, source)? {
            None if !source.is_empty() => {
                let bytes = source.len();
                Err(CodecError::UnexpectedEnd { bytes })
            }
            found => Ok(found),
        }
    }
}

impl<T: Encode + ?Sized> codec::Encoder<&T> for GuacamoleCodec {
    type Error = CodecError;

    /// Appends an instruction to the buffer.
    ///
    /// # Errors
    /// [`CodecError::Encode`], where the limits of the peer refuse the instruction;
    /// nothing is written then.
    fn encode(&mut self, item: &T, destination: &mut BytesMut) -> Result<(), CodecError> {
        self.encoder.encode_buf(item, destination)?;
        Ok(())
    }
}

impl codec::Encoder<OwnedInstruction> for GuacamoleCodec {
    type Error = CodecError;

    /// Appends an instruction to the buffer.
    ///
    /// # Errors
    /// As for a reference.
    fn encode(
        &mut self,
        item: OwnedInstruction,
        destination: &mut BytesMut,
    ) -> Result<(), CodecError> {
        codec::Encoder::encode(self, &item, destination)
    }
}

/// Why a [`GuacamoleCodec`] could not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum CodecError {
    /// The peer sent what is no instruction, or one beyond the limits.
    Decode(Error),
    /// An instruction is beyond the limits of the peer.
    Encode(EncodeError),
    /// The stream ended inside an instruction.
    UnexpectedEnd {
        /// Bytes of the instruction that had come.
        bytes: usize,
    },
    /// Reading or writing failed.
    Io(io::Error),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(_) => f.write_str("the peer sent no valid instruction"),
            Self::Encode(_) => f.write_str("the instruction cannot be sent"),
            Self::UnexpectedEnd { bytes } => {
                write!(f, "the stream ended after {bytes} bytes of an instruction")
            }
            Self::Io(_) => f.write_str("the connection failed"),
        }
    }
}

impl std::error::Error for CodecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::UnexpectedEnd { .. } => None,
            Self::Io(error) => Some(error),
        }
    }
}

impl From<Error> for CodecError {
    fn from(error: Error) -> Self {
        Self::Decode(error)
    }
}

impl From<EncodeError> for CodecError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<io::Error> for CodecError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CodecError> for io::Error {
    /// The error itself where it is one of input or output; else one that says what
    /// happened, of kind `InvalidData`, `InvalidInput` or `UnexpectedEof`.
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Io(error) => error,
            CodecError::Decode(error) => error.into(),
            CodecError::Encode(error) => error.into(),
            CodecError::UnexpectedEnd { .. } => Self::new(io::ErrorKind::UnexpectedEof, error),
        }
    }
}
