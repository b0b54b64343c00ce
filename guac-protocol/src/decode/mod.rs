//! From bytes to instructions.

mod instruction;
mod progress;
mod short;

#[cfg(feature = "bytes")]
pub(crate) use instruction::element_at;
pub use instruction::{Elements, Instruction};
pub(crate) use progress::{NoTable, Progress, Step};
pub(crate) use short::{Parts, opcode};

use crate::kernel::{self, Extent, Fields, Kernel, Level, Places, Selected, Task};
use crate::{Error, Limits, Scan, ScanEnd};

/// What [`Decoder::decode`] found at the start of the buffer.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// A whole instruction.
    Complete {
        /// The instruction, borrowed from the buffer and from the decoder.
        instruction: Instruction<'a>,
        /// Bytes that it takes. The next call wants the bytes after them.
        consumed: usize,
    },
    /// The buffer ends inside an instruction, or is empty. The next call wants the same
    /// bytes again with more after them.
    Incomplete,
}

/// Streaming decoder over the caller's buffer.
///
/// It holds no bytes. It remembers how far it came in an instruction that is not
/// complete yet, and goes on from there: each byte is parsed once, however the stream
/// is cut into pieces.
///
/// ```
/// use guac_protocol::{Decoded, Decoder, Limits};
///
/// let mut decoder = Decoder::new(Limits::GUACD);
/// let mut buffer = b"4.sync,3.1".to_vec();
/// assert!(matches!(decoder.decode(&buffer)?, Decoded::Incomplete));
/// buffer.extend_from_slice(b"23;3.nop;");
/// let Decoded::Complete { instruction, consumed } = decoder.decode(&buffer)? else {
///     unreachable!();
/// };
/// assert_eq!(instruction.get(1), Some("123"));
/// buffer.drain(..consumed);
/// # Ok::<(), guac_protocol::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    places: Places,
}

/// What decoder and scanner share.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) kernel: Selected,
    /// Whether the limits let through all that fits a block.
    pub(crate) short: bool,
    pub(crate) progress: Progress,
    /// Bytes of the stream before the present instruction.
    pub(crate) offset: u64,
    pub(crate) failed: Option<Error>,
}

impl State {
    pub(crate) const fn new(limits: Limits, kernel: Selected) -> Self {
        Self {
            short: short::allowed(&limits),
            limits,
            kernel,
            progress: Progress::START,
            offset: 0,
            failed: None,
        }
    }

    /// Makes an error of an instruction one of the stream, and remembers it.
    #[cold]
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        let error = Error::new(error.kind, self.offset + error.offset);
        self.failed = Some(error);
        error
    }

    #[inline(always)]
    pub(crate) fn complete(&mut self, length: usize) {
        self.progress = Progress::START;
        self.offset += length as u64;
    }
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::with_kernel(limits, Selected::best())
    }

    /// A decoder that uses a given kernel, for tests and measurements. Where it is not
    /// available, the reference is used.
    #[must_use]
    pub fn with_level(limits: Limits, level: Level) -> Self {
        Self::with_kernel(limits, Selected::new(level))
    }

    fn with_kernel(limits: Limits, kernel: Selected) -> Self {
        Self {
            state: State::new(limits, kernel),
            places: Places::EMPTY,
        }
    }

    /// Decodes the instruction at the start of `buffer`.
    ///
    /// After [`Decoded::Complete`], pass what follows the consumed bytes. After
    /// [`Decoded::Incomplete`], pass the same bytes again with more after them; passing
    /// other bytes gives errors or wrong elements, never more than that.
    ///
    /// # Errors
    /// The first thing wrong in the stream. The decoder then stays failed and answers
    /// the same from now on: there is no way to find the next instruction.
    #[inline]
    pub fn decode<'a>(&'a mut self, buffer: &'a [u8]) -> Result<Decoded<'a>, Error> {
        let task = DecodeOne {
            state: &mut self.state,
            places: &mut self.places,
            buffer,
        };
        kernel::run(task.state.kernel, task)
    }

    /// Decodes all whole instructions at the start of `buffer`, and calls `found` for
    /// each: as [`decode`](Self::decode) in a loop, but faster.
    ///
    /// The next call wants the bytes after [`Scan::length`]: the rest of this buffer, if
    /// there is any, with more after it. After an error the decoder stays failed.
    ///
    /// ```
    /// use guac_protocol::{Decoder, Limits};
    ///
    /// let mut total = 0;
    /// let mut decoder = Decoder::new(Limits::GUACD);
    /// let scan = decoder.decode_all(b"4.size,1.0,4.1024,3.768;4.sync,", |instruction| {
    ///     total += instruction.args().map(str::len).sum::<usize>();
    /// });
    /// assert_eq!((scan.length, total), (24, 8));
    /// ```
    #[inline]
    pub fn decode_all(&mut self, buffer: &[u8], found: impl FnMut(Instruction<'_>)) -> Scan {
        let task = DecodeAll {
            state: &mut self.state,
            places: &mut self.places,
            buffer,
            found,
        };
        kernel::run(task.state.kernel, task)
    }

    /// Bytes of the stream in front of the instruction that is decoded next.
    #[must_use]
    pub fn stream_offset(&self) -> u64 {
        self.state.offset
    }

    /// Limits that the decoder was made with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.state.limits
    }
}

struct DecodeOne<'a> {
    state: &'a mut State,
    places: &'a mut Places,
    buffer: &'a [u8],
}

impl<'a> Task for DecodeOne<'a> {
    type Output = Result<Decoded<'a>, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Self {
            state,
            mut places,
            buffer,
        } = self;
        if let Some(error) = state.failed {
            return Err(error);
        }
        if state.short
            && state.progress.is_start()
            && let Some(block) = buffer.first_chunk()
        {
            match Fields::parse_run(kernel, block, Extent::One, places) {
                Ok(run) => {
                    let part = Parts::first(run.ends, run.terminators);
                    state.offset += part.bytes.end as u64;
                    return Ok(Decoded::Complete {
                        instruction: Instruction::part(run.fields, &part),
                        consumed: part.bytes.end,
                    });
                }
                Err(unused) => places = unused,
            }
        }
        DecodeLong {
            state,
            places,
            buffer,
        }
        .call(kernel)
    }
}

struct DecodeAll<'s, 'b, F> {
    state: &'s mut State,
    places: &'s mut Places,
    buffer: &'b [u8],
    found: F,
}

impl<F: FnMut(Instruction<'_>)> Task for DecodeAll<'_, '_, F> {
    type Output = Scan;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Scan {
        let Self {
            state,
            places,
            buffer,
            mut found,
        } = self;
        if let Some(error) = state.failed {
            return Scan::failed(error);
        }
        let (mut length, mut instructions) = (0, 0);
        let end = loop {
            if state.short && state.progress.is_start() {
                let began = length;
                while let Some(block) = buffer[length..].first_chunk()
                    && let Ok(run) = Fields::parse_run(kernel, block, Extent::All, places)
                {
                    for part in Parts::new(run.ends, run.terminators) {
                        instructions += 1;
                        found(Instruction::part(run.fields, &part));
                    }
                    length += run.fields.text().len();
                }
                state.offset += (length - began) as u64;
            }
            let rest = &buffer[length..];
            let long = DecodeLong {
                state,
                places,
                buffer: rest,
            };
            match long.call(kernel) {
                Ok(Decoded::Incomplete) => break ScanEnd::incomplete(rest),
                Ok(Decoded::Complete {
                    instruction,
                    consumed,
                }) => {
                    length += consumed;
                    instructions += 1;
                    rarely(&mut found, instruction);
                }
                Err(error) => break ScanEnd::Error(error),
            }
        };
        Scan {
            length,
            instructions,
            end,
        }
    }
}

/// A call of the callback that is not to be inlined, so that the other one is.
#[cold]
#[inline(never)]
fn rarely<T>(found: &mut impl FnMut(T), instruction: T) {
    found(instruction);
}

struct DecodeLong<'a> {
    state: &'a mut State,
    places: &'a mut Places,
    buffer: &'a [u8],
}

impl<'a> DecodeLong<'a> {
    /// Out of the way of the quick parser, whose registers it would take.
    #[cold]
    #[inline(never)]
    fn call<K: Kernel>(self, kernel: K) -> Result<Decoded<'a>, Error> {
        kernel.call(self)
    }
}

impl<'a> Task for DecodeLong<'a> {
    type Output = Result<Decoded<'a>, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Self {
            state,
            places,
            buffer,
        } = self;
        let began = state.progress.position();
        if state.progress.is_start() {
            places.clear();
        }
        match state.progress.go_on(kernel, &state.limits, buffer, places) {
            Ok(Step::Complete(cursor)) => {
                let length = cursor.position();
                // Where the front was checked in an earlier call, only the caller knows
                // that the bytes are still the same.
                let text = cursor
                    .as_str()
                    .or_else(|| kernel::text(kernel, &buffer[..length]));
                let fields = text.and_then(|text| Fields::new(text, places));
                let fields = fields.ok_or_else(|| state.fail(Progress::changed(began)))?;
                state.complete(length);
                Ok(Decoded::Complete {
                    instruction: Instruction::whole(fields, places.count()),
                    consumed: length,
                })
            }
            Ok(Step::Incomplete) => Ok(Decoded::Incomplete),
            Err(error) => Err(state.fail(error)),
        }
    }
}
