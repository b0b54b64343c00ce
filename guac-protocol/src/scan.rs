//! Boundaries of instructions, for those who pass them on.

use core::ops::Range;

use crate::decode::{NoTable, Parts, State, Step, opcode};
use crate::kernel::{self, BLOCK, Extent, Kernel, Level, Selected, Task};
use crate::{Error, Limits, Opcode};

/// One instruction that a [`Scanner`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scanned {
    /// Its opcode.
    pub opcode: Opcode,
    /// Its bytes in the buffer, from the first digit to the `;`.
    pub range: Range<usize>,
}

/// What a [`Scanner`] found in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Scan {
    /// How many leading bytes are whole, valid instructions.
    pub length: usize,
    /// How many instructions these are.
    pub instructions: usize,
    /// Why the scan ended there.
    pub end: ScanEnd,
}

/// Why a scan ended where it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanEnd {
    /// The buffer ends with an instruction.
    Boundary,
    /// The buffer ends inside an instruction.
    Incomplete,
    /// What follows is not an instruction.
    Error(Error),
}

impl ScanEnd {
    /// The end of a scan that is no error.
    pub(crate) fn incomplete(rest: &[u8]) -> Self {
        if rest.is_empty() {
            Self::Boundary
        } else {
            Self::Incomplete
        }
    }
}

impl Scan {
    /// Nothing, for an error of an earlier call.
    pub(crate) fn failed(error: Error) -> Self {
        Self {
            length: 0,
            instructions: 0,
            end: ScanEnd::Error(error),
        }
    }

    /// The length, or the error that ended the scan.
    ///
    /// # Errors
    /// That of [`ScanEnd::Error`].
    pub fn into_result(self) -> Result<usize, Error> {
        match self.end {
            ScanEnd::Error(error) => Err(error),
            ScanEnd::Boundary | ScanEnd::Incomplete => Ok(self.length),
        }
    }
}

/// Finds how many leading bytes of a buffer are whole, valid instructions, and their
/// opcodes; it checks all that a [`Decoder`](crate::Decoder) checks, but keeps no
/// values.
///
/// ```
/// use guac_protocol::{Limits, Opcode, ScanEnd, Scanner};
///
/// let mut scanner = Scanner::new(Limits::GUACD);
/// let mut syncs = 0;
/// let scan = scanner.scan(b"4.sync,3.123;3.nop;5.mou", |instruction| {
///     syncs += usize::from(instruction.opcode == Opcode::Sync);
/// });
/// assert_eq!((scan.length, scan.instructions, syncs), (19, 2, 1));
/// assert_eq!(scan.end, ScanEnd::Incomplete);
/// ```
#[derive(Clone, Debug)]
pub struct Scanner {
    state: State,
}

impl Scanner {
    /// A scanner at the start of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::with_kernel(limits, Selected::best())
    }

    /// A scanner that uses a given kernel, for tests and measurements. Where it is not
    /// available, the reference is used.
    #[must_use]
    pub fn with_level(limits: Limits, level: Level) -> Self {
        Self::with_kernel(limits, Selected::new(level))
    }

    fn with_kernel(limits: Limits, kernel: Selected) -> Self {
        Self {
            state: State::new(limits, kernel),
        }
    }

    /// Scans a buffer, and calls `found` for each instruction in it.
    ///
    /// The next call wants the bytes after [`Scan::length`]: the rest of this buffer, if
    /// there is any, with more after it. The rest is not parsed again.
    ///
    /// After an error the scanner stays failed.
    #[inline]
    pub fn scan(&mut self, buffer: &[u8], found: impl FnMut(Scanned)) -> Scan {
        let task = ScanAll {
            state: &mut self.state,
            buffer,
            found,
        };
        kernel::run(task.state.kernel, task)
    }

    /// Bytes of the stream in front of the instruction that is scanned next.
    #[must_use]
    pub fn stream_offset(&self) -> u64 {
        self.state.offset
    }

    /// Limits that the scanner was made with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.state.limits
    }
}

struct ScanAll<'s, 'b, F> {
    state: &'s mut State,
    buffer: &'b [u8],
    found: F,
}

impl<F: FnMut(Scanned)> Task for ScanAll<'_, '_, F> {
    type Output = Scan;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Scan {
        let Self {
            state,
            buffer,
            mut found,
        } = self;
        let (mut length, mut instructions) = (0, 0);
        if let Some(error) = state.failed {
            return Scan::failed(error);
        }
        let mut report = |opcode, from: usize, taken: usize| {
            instructions += 1;
            let range = from..from + taken;
            found(Scanned { opcode, range });
        };
        let end = loop {
            if state.short && state.progress.is_start() {
                let began = length;
                while let Some(block) = buffer[length..].first_chunk()
                    && let Some(run) = kernel::find_run(kernel, block, Extent::All)
                    && kernel.elements(block, run.block, run.ends, None).is_some()
                {
                    for part in Parts::new(run.ends, run.terminators) {
                        let from = length + part.bytes.start;
                        report(opcode(block, &part, run.ends), from, part.bytes.len());
                    }
                    length += BLOCK - run.terminators.leading_zeros() as usize;
                }
                state.offset += (length - began) as u64;
            }
            let rest = &buffer[length..];
            let long = ScanLong {
                state,
                buffer: rest,
            };
            match long.call(kernel) {
                Ok(0) => break ScanEnd::incomplete(rest),
                Ok(taken) => {
                    report(opcode_of(rest), length, taken);
                    length += taken;
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

/// Finds the length of the instruction at the start of the buffer, or 0 where it is not
/// whole.
struct ScanLong<'s, 'b> {
    state: &'s mut State,
    buffer: &'b [u8],
}

impl ScanLong<'_, '_> {
    /// Out of the way of the quick parser, whose registers it would take.
    #[cold]
    #[inline(never)]
    fn call<K: Kernel>(self, kernel: K) -> Result<usize, Error> {
        kernel.call(self)
    }
}

impl Task for ScanLong<'_, '_> {
    type Output = Result<usize, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let State {
            limits, progress, ..
        } = self.state;
        match progress.go_on(kernel, limits, self.buffer, &mut NoTable) {
            Ok(Step::Complete(cursor)) => {
                self.state.complete(cursor.position());
                Ok(cursor.position())
            }
            Ok(Step::Incomplete) => Ok(0),
            Err(error) => Err(self.state.fail(error)),
        }
    }
}

/// Opcode of a valid instruction, told from its first element.
fn opcode_of(instruction: &[u8]) -> Opcode {
    first_value(instruction).map_or(Opcode::Unknown, Opcode::from_bytes)
}

/// First value of a valid instruction.
fn first_value(instruction: &[u8]) -> Option<&[u8]> {
    let dot = instruction.iter().position(|&byte| byte == b'.')?;
    let digits = core::str::from_utf8(&instruction[..dot]).ok()?;
    let value = &instruction[dot + 1..];
    let length = crate::codepoint::offset_of_nth(value, digits.parse().ok()?)?;
    value.get(..length)
}

impl Scanned {
    /// The opcode as it stands in the buffer that was scanned; what an
    /// [`Opcode::Unknown`] is called. Empty where another buffer is given.
    #[must_use]
    pub fn opcode_str<'a>(&self, buffer: &'a [u8]) -> &'a str {
        let instruction = buffer.get(self.range.clone()).unwrap_or_default();
        let value = first_value(instruction).unwrap_or_default();
        core::str::from_utf8(value).unwrap_or_default()
    }
}
