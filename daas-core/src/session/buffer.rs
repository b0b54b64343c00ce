//! The buffer of what comes from the gateway.

use std::io;

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes at first, and when little comes.
const SMALL: usize = 16 * 1024;
/// Most bytes: an instruction of guacd's limit that is not whole yet, and as much again.
pub(super) const LARGE: usize = 64 * 1024;

/// Grows where reads fill it, and shrinks where they do not.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    room: usize,
    /// Whether the last read filled it.
    full: bool,
}

impl Buffer {
    pub(super) fn new(read_ahead: Vec<u8>) -> Self {
        let mut bytes = Vec::with_capacity(SMALL.max(2 * read_ahead.len()));
        bytes.extend_from_slice(&read_ahead);
        Self {
            room: bytes.capacity(),
            bytes,
            full: false,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory that it takes.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Reads once behind what is there. Nothing is lost where the future is dropped.
    pub(super) async fn read(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<usize> {
        let free = self.room.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(free);
        let read = reader.read_buf(&mut (&mut self.bytes).limit(free)).await?;
        self.full = read == free;
        Ok(read)
    }

    /// Takes bytes from the front.
    pub(super) fn consume(&mut self, length: usize) {
        self.bytes.drain(..length.min(self.bytes.len()));
        if self.full && self.room < LARGE {
            self.room = (2 * self.room).min(LARGE);
        } else if !self.full && self.room > SMALL && self.bytes.len() < SMALL / 2 {
            self.room = SMALL;
            self.bytes.shrink_to(SMALL);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[tokio::test]
    async fn grows_to_its_limit_and_shrinks() {
        let mut buffer = Buffer::new(b"read ahead".to_vec());
        assert_eq!(buffer.bytes(), b"read ahead");
        let mut endless = tokio::io::repeat(7);
        for _ in 0..4 {
            assert!(buffer.read(&mut endless).await.unwrap() > 0);
            assert!(buffer.capacity() <= LARGE);
            buffer.consume(buffer.bytes().len());
        }
        assert_eq!(buffer.capacity(), LARGE);
        let mut little = &b"x"[..];
        assert_eq!(buffer.read(&mut little).await.unwrap(), 1);
        buffer.consume(0);
        assert_eq!(buffer.capacity(), SMALL);
        assert_eq!(buffer.bytes(), b"x");
    }

    #[tokio::test]
    async fn there_is_room_behind_the_longest_part() {
        let mut buffer = Buffer::new(Vec::new());
        let mut endless = tokio::io::repeat(7);
        while buffer.bytes().len() < 32 * 1024 {
            assert!(buffer.read(&mut endless).await.unwrap() > 0);
            buffer.consume(0);
        }
        assert!(buffer.read(&mut endless).await.unwrap() > 0);
    }
}
