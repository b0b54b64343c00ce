//! Bytes between a reader and a decoder. No I/O happens here, so that it serves blocking
//! and async readers alike.

/// A buffer that bytes are read into at its end and consumed from at its front.
///
/// A decoder wants the bytes of an incomplete instruction again, with more after them, so
/// these stay. The buffer grows only where a single instruction fills all of it: it never
/// holds more than twice the longest instruction or its first capacity, whichever is more.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: vec![0; bytes.max(1)],
            start: 0,
            end: 0,
        }
    }

    /// Room to read into, at least one byte.
    ///
    /// Each byte is moved at most once: what is left over when this is called begins an
    /// instruction, and stays at the front until all of it is there.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            self.bytes.resize(2 * self.end, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Tells that the first bytes of the room were read into.
    pub fn filled(&mut self, bytes: usize) {
        self.end = self.bytes.len().min(self.end + bytes);
    }

    /// Bytes that were read and not consumed.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Drops bytes from the front.
    pub fn consume(&mut self, bytes: usize) {
        self.start = self.end.min(self.start + bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buffer: &mut Buffer, text: &[u8]) {
        buffer.room()[..text.len()].copy_from_slice(text);
        buffer.filled(text.len());
    }

    #[test]
    fn what_is_left_over_moves_to_the_front() {
        let mut buffer = Buffer::with_capacity(8);
        read(&mut buffer, b"3.nop;3.");
        buffer.consume(6);
        assert_eq!(buffer.unread(), b"3.");
        assert_eq!(buffer.room().len(), 6);
        read(&mut buffer, b"nop;");
        assert_eq!(buffer.unread(), b"3.nop;");
    }

    #[test]
    fn grows_only_when_full() {
        let mut buffer = Buffer::with_capacity(4);
        read(&mut buffer, b"4.na");
        assert_eq!(buffer.room().len(), 4);
        read(&mut buffer, b"me,4");
        assert_eq!(buffer.unread(), b"4.name,4");
        buffer.consume(8);
        assert_eq!(buffer.room().len(), 8);
    }
}
