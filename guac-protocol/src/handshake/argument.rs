//! Values of parameters that are sent after `connect`, by `argv` streams.

use core::fmt;

use super::WriteError;
use super::output::{self, Message, Output, Sink};
use crate::encode::Decimal;
use crate::instruction::Base64;
use crate::{EncodeError, Encoder};

/// Most bytes that one `blob` holds before base64 (guacamole-server,
/// `src/libguac/guacamole/protocol-constants.h`, `GUAC_PROTOCOL_BLOB_MAX_LENGTH`).
const BLOB: usize = 6048;

/// The value of one parameter as a stream: `argv`, then `blob`s, then `end`.
///
/// This is how a client answers `required`, and how it changes a parameter later on
/// (guacamole-client, `Client.js`, `createArgumentValueStream`). guacd answers the
/// `argv` by `ack`: status 0, or one that refuses (guacamole-server,
/// `src/libguac/argv.c`); there is no need to wait for it.
///
/// ```
/// use guac_protocol::handshake::Argument;
/// use guac_protocol::Encoder;
///
/// let mut room = [0; 100];
/// let password = Argument::text(0, "password", "secret");
/// let written = password.write(&Encoder::default(), &mut &mut room[..])?;
/// assert_eq!(
///     &room[..written],
///     b"4.argv,1.0,10.text/plain,8.password;4.blob,1.0,8.c2VjcmV0;3.end,1.0;"
/// );
/// # Ok::<(), guac_protocol::handshake::WriteError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Argument<'a> {
    /// Index of the stream, which no other open stream of the client may have. guacd
    /// knows 512 of them (`src/libguac/guacamole/user-constants.h`).
    pub stream: u32,
    /// Type of the value; guacd is given `text/plain`.
    pub mimetype: &'a str,
    /// Name of the parameter.
    pub name: &'a str,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Argument<'a> {
    /// Most bytes of a name that guacd keeps
    /// (`src/libguac/guacamole/argv-constants.h`, as the next two).
    pub const NAME_MAX: usize = 255;
    /// Most bytes of a type that guacd keeps.
    pub const MIMETYPE_MAX: usize = 4095;
    /// Most bytes of a value that guacd keeps. It cuts longer ones without a word, so
    /// they are not written.
    pub const VALUE_MAX: usize = 16_383;

    /// A value that is text.
    #[must_use]
    pub const fn text(stream: u32, name: &'a str, value: &'a str) -> Self {
        Self {
            stream,
            mimetype: "text/plain",
            name,
            value: value.as_bytes(),
        }
    }

    /// Writes the whole stream, and answers how many bytes that took.
    ///
    /// # Errors
    /// Where a part is longer than guacd keeps, the limits refuse it, or the output has
    /// no room; nothing is written then.
    pub fn write(
        &self,
        encoder: &Encoder,
        out: &mut (impl Output + ?Sized),
    ) -> Result<usize, WriteError> {
        let fits = self.name.len() <= Self::NAME_MAX
            && self.mimetype.len() <= Self::MIMETYPE_MAX
            && self.value.len() <= Self::VALUE_MAX;
        if !fits {
            return Err(WriteError::ArgumentTooLong);
        }
        Ok(output::write(encoder, self, out)?)
    }
}

impl Message for Argument<'_> {
    fn put_into(&self, sink: &mut impl Sink) -> Result<(), EncodeError> {
        let mut digits = Decimal::default();
        let stream = digits.format(self.stream.into());
        sink.put(&["argv", stream, self.mimetype, self.name])?;
        let mut room = [0; Base64::encoded_len(BLOB)];
        for blob in self.value.chunks(BLOB) {
            let data = Base64::encode_into(blob, &mut room).map_err(|_| EncodeError::NoRoom)?;
            sink.put(&["blob", stream, data.as_str()])?;
        }
        sink.put(&["end", stream])
    }
}

impl fmt::Debug for Argument<'_> {
    /// Without the value, which is a password as a rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Argument")
            .field("stream", &self.stream)
            .field("mimetype", &self.mimetype)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
