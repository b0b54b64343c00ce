//! Instructions that own their bytes.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;

use bytes::{Bytes, BytesMut};

use crate::decode::element_at;
use crate::{Decoded, Decoder, Encode, Error, Instruction, Opcode, codepoint};

/// Elements whose ends are kept. Only `args`, `connect` and lists in the handshake have
/// more (guacamole-server, `src/libguac/protocol.c`).
const KEPT: usize = 12;

/// A whole, valid instruction that outlives the buffer it was decoded from: to be sent to
/// another task, or put in a queue.
///
/// Nothing is copied: it shares the memory of the buffer, and so keeps all of it
/// allocated. Cloning is a reference count.
///
/// What it costs, next to an [`Instruction`]: atomic operations when it is made and
/// dropped, and each look at a value checks again that it is UTF-8, as [`Bytes`] carry no
/// such promise. [`elements`](Self::elements) checks the whole instruction once.
///
/// ```
/// use bytes::BytesMut;
/// use guac_protocol::{Decoder, Limits, Opcode, OwnedInstruction};
///
/// let mut decoder = Decoder::new(Limits::GUACD);
/// let mut buffer = BytesMut::from("4.sync,3.123;3.no");
/// let sync = OwnedInstruction::decode(&mut decoder, &mut buffer)?.expect("it is whole");
/// assert_eq!(buffer, "3.no");
/// drop(buffer);
/// assert_eq!((sync.opcode(), sync.get(1)), (Opcode::Sync, Some("123")));
/// assert_eq!(sync.raw(), "4.sync,3.123;");
/// # Ok::<(), guac_protocol::Error>(())
/// ```
#[derive(Clone)]
pub struct OwnedInstruction {
    raw: Bytes,
    shape: Shape,
}

/// What is known of an instruction besides its bytes.
#[derive(Clone, Copy)]
struct Shape {
    opcode: Opcode,
    /// Elements in all.
    count: usize,
    /// Elements whose end is kept.
    kept: usize,
    /// Offset of the byte after each element.
    ends: [u32; KEPT],
}

impl Shape {
    fn new(instruction: &Instruction<'_>) -> Self {
        let (mut ends, mut kept) = ([0; KEPT], 0);
        for (i, to) in ends.iter_mut().enumerate() {
            let Some(end) = instruction.end(i).and_then(|end| end.try_into().ok()) else {
                break;
            };
            *to = end;
            kept = i + 1;
        }
        Self {
            opcode: instruction.opcode(),
            count: instruction.len(),
            kept,
            ends,
        }
    }

    /// Decodes the front of a buffer, and answers the length of the instruction there.
    fn decode(decoder: &mut Decoder, buffer: &[u8]) -> Result<Option<(Self, usize)>, Error> {
        Ok(match decoder.decode(buffer)? {
            Decoded::Complete {
                instruction,
                consumed,
            } => Some((Self::new(&instruction), consumed)),
            Decoded::Incomplete => None,
        })
    }

    /// Offset of the byte after an element, where it is kept.
    fn end(&self, index: usize) -> Option<usize> {
        let kept = self.ends.get(..self.kept)?;
        kept.get(index).map(|&end| end as usize)
    }
}

impl OwnedInstruction {
    /// Takes the instruction at the start of a buffer off it. `None` where it is not
    /// whole yet: the buffer stays as it is, and the next call wants it with more bytes
    /// at its end.
    ///
    /// # Errors
    /// As [`Decoder::decode`]; the buffer stays as it is.
    pub fn decode(decoder: &mut Decoder, buffer: &mut BytesMut) -> Result<Option<Self>, Error> {
        let found = Shape::decode(decoder, buffer)?;
        Ok(found.map(|(shape, length)| Self {
            raw: buffer.split_to(length).freeze(),
            shape,
        }))
    }

    /// As [`decode`](Self::decode), for a message that is whole already.
    ///
    /// # Errors
    /// As [`Decoder::decode`]; the buffer stays as it is.
    pub fn decode_bytes(decoder: &mut Decoder, buffer: &mut Bytes) -> Result<Option<Self>, Error> {
        let found = Shape::decode(decoder, buffer)?;
        Ok(found.map(|(shape, length)| Self {
            raw: buffer.split_to(length),
            shape,
        }))
    }

    /// The opcode as an enum.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.shape.opcode
    }

    /// The opcode as it stands in the instruction.
    #[must_use]
    pub fn opcode_str(&self) -> &str {
        self.get(0).unwrap_or_default()
    }

    /// Number of elements, the opcode included; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.count
    }

    /// Never true: an instruction has at least an opcode.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shape.count == 0
    }

    /// Value of the element at an index. The first 12 are at hand; those after them are
    /// searched for from the start.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        let Some(end) = self.shape.end(index) else {
            return self.elements().nth(index);
        };
        let before = index
            .checked_sub(1)
            .and_then(|before| self.shape.end(before));
        let start = before.map_or(0, |end| end + 1);
        let element = codepoint::validate(self.raw.get(start..end)?).ok()?;
        element.split_once('.').map(|(_, value)| value)
    }

    /// Values of all elements, the opcode first.
    #[must_use]
    pub fn elements(&self) -> OwnedElements<'_> {
        OwnedElements {
            text: self.raw_str(),
            shape: &self.shape,
            next: 0,
            start: 0,
        }
    }

    /// Values of the arguments: all elements but the opcode.
    #[must_use]
    pub fn args(&self) -> OwnedElements<'_> {
        let mut elements = self.elements();
        elements.next();
        elements
    }

    /// The instruction as it stands on the wire, from its first digit to the `;`.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// [`raw`](Self::raw) as text.
    #[must_use]
    pub fn raw_str(&self) -> &str {
        codepoint::validate(&self.raw).unwrap_or_default()
    }

    /// The instruction as it stands on the wire.
    #[must_use]
    pub fn into_raw(self) -> Bytes {
        self.raw
    }
}

impl From<Instruction<'_>> for OwnedInstruction {
    /// Copies the instruction.
    fn from(instruction: Instruction<'_>) -> Self {
        Self {
            shape: Shape::new(&instruction),
            raw: Bytes::copy_from_slice(instruction.raw()),
        }
    }
}

/// Element by element; who passes it on unchanged takes [`OwnedInstruction::raw`]
/// instead.
impl Encode for OwnedInstruction {
    fn elements<E>(&self, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        OwnedInstruction::elements(self).try_for_each(each)
    }
}

impl fmt::Debug for OwnedInstruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.elements()).finish()
    }
}

impl PartialEq for OwnedInstruction {
    /// Equal on the wire, which is the same as equal elements: each instruction has
    /// exactly one spelling.
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for OwnedInstruction {}

impl Hash for OwnedInstruction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

/// Iterator over the values of an [`OwnedInstruction`].
#[derive(Clone)]
pub struct OwnedElements<'a> {
    text: &'a str,
    shape: &'a Shape,
    /// Index of the next element, and its offset.
    next: usize,
    start: usize,
}

impl<'a> OwnedElements<'a> {
    /// The next value, and the offset of the element after it.
    fn value(&self) -> Option<(&'a str, usize)> {
        let Some(end) = self.shape.end(self.next) else {
            return element_at(self.text, self.start);
        };
        let (_, value) = self.text.get(self.start..end)?.split_once('.')?;
        Some((value, end + 1))
    }
}

impl fmt::Debug for OwnedElements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> Iterator for OwnedElements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (value, after) = self.value()?;
        self.next += 1;
        self.start = after;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.shape.count - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for OwnedElements<'_> {}
impl FusedIterator for OwnedElements<'_> {}
