//! Where machines write to.

use crate::{Encode, EncodeError, Encoder};

/// Where a machine writes its instructions.
///
/// A vector grows as needed. A slice is written from its start and then stands for the
/// room that is left, as `std::io::Write` does it.
pub trait Output {
    /// Room for exactly so many bytes at the end of what is written; all of them are
    /// then set. `None` where there is not so much: nothing is changed then.
    fn room(&mut self, length: usize) -> Option<&mut [u8]>;
}

impl Output for &mut [u8] {
    fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        if length > self.len() {
            return None;
        }
        let (room, rest) = core::mem::take(self).split_at_mut(length);
        *self = rest;
        Some(room)
    }
}

#[cfg(feature = "alloc")]
impl Output for alloc::vec::Vec<u8> {
    fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        let start = self.len();
        self.try_reserve(length).ok()?;
        self.resize(start + length, 0);
        self.get_mut(start..)
    }
}

#[cfg(feature = "bytes")]
impl Output for bytes::BytesMut {
    fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        let start = self.len();
        self.resize(start.checked_add(length)?, 0);
        self.get_mut(start..)
    }
}

/// Some instructions that are written together or not at all.
pub(super) trait Message {
    /// Puts all of them into the sink; has to give the same ones every time.
    fn put_into(&self, sink: &mut impl Sink) -> Result<(), EncodeError>;
}

/// Takes instructions.
pub(super) trait Sink {
    fn put<T: Encode + ?Sized>(&mut self, instruction: &T) -> Result<(), EncodeError>;
}

/// A message of one instruction.
pub(super) struct Single<T>(pub(super) T);

impl<T: Encode> Message for Single<T> {
    fn put_into(&self, sink: &mut impl Sink) -> Result<(), EncodeError> {
        sink.put(&self.0)
    }
}

/// Writes a message, and answers how many bytes that took.
pub(super) fn write(
    encoder: &Encoder,
    message: &impl Message,
    out: &mut (impl Output + ?Sized),
) -> Result<usize, EncodeError> {
    let mut measure = Measure { encoder, length: 0 };
    message.put_into(&mut measure)?;
    let length = measure.length;
    let rest = out.room(length).ok_or(EncodeError::NoRoom)?;
    message.put_into(&mut Fill { encoder, rest })?;
    Ok(length)
}

struct Measure<'e> {
    encoder: &'e Encoder,
    length: usize,
}

impl Sink for Measure<'_> {
    fn put<T: Encode + ?Sized>(&mut self, instruction: &T) -> Result<(), EncodeError> {
        let more = self.encoder.encoded_len(instruction)?;
        self.length = self.length.checked_add(more).ok_or(EncodeError::NoRoom)?;
        Ok(())
    }
}

struct Fill<'e, 'o> {
    encoder: &'e Encoder,
    rest: &'o mut [u8],
}

impl Sink for Fill<'_, '_> {
    fn put<T: Encode + ?Sized>(&mut self, instruction: &T) -> Result<(), EncodeError> {
        let length = self.encoder.encode_slice(instruction, self.rest)?;
        self.rest.room(length).ok_or(EncodeError::NoRoom)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    struct Two;

    impl Message for Two {
        fn put_into(&self, sink: &mut impl Sink) -> Result<(), EncodeError> {
            sink.put(&["nop"])?;
            sink.put(&["sync", "1"])
        }
    }

    const TWO: &[u8] = b"3.nop;4.sync,1.1;";

    #[test]
    fn a_slice_shrinks_to_what_is_left() {
        let mut room = [b'_'; TWO.len() + 3];
        let mut out = &mut room[..];
        let encoder = Encoder::new(Limits::GUACD);
        assert_eq!(write(&encoder, &Two, &mut out), Ok(TWO.len()));
        assert_eq!(out, b"___");
        assert_eq!(write(&encoder, &Two, &mut out), Err(EncodeError::NoRoom));
        assert_eq!(out, b"___");
        assert_eq!(&room[..TWO.len()], TWO);
    }

    #[cfg(feature = "bytes")]
    #[test]
    fn a_buffer_grows() {
        let mut out = bytes::BytesMut::from(&b"_"[..]);
        let written = write(&Encoder::default(), &Two, &mut out);
        assert_eq!((written, &out[1..]), (Ok(TWO.len()), TWO));
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_vector_grows() {
        let mut out = alloc::vec::Vec::from(*b"_");
        let written = write(&Encoder::default(), &Two, &mut out);
        assert_eq!((written, &out[1..]), (Ok(TWO.len()), TWO));
    }
}
