//! Both handshake machines under any sequence of operations.
//!
//! The operations are those of the library's own tests, which check after each one that
//! the machines keep their word.

/// Input: see the tests of the library.
pub fn run(data: &[u8]) {
    crate::operations::run(data);
}
