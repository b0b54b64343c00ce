//! Prints or counts the instructions of a stream of any length.
//!
//! The idea: decode from a bounded buffer. [`Decoder::decode_all`] hands out the fields of
//! each instruction, [`Scanner::scan`] only its opcode and its place, which is several
//! times faster; both say how many bytes they are done with, and go on where they stopped
//! when the rest comes back with more bytes after it.
//!
//! A stream that ends inside an instruction is reported as `truncated at byte N`, where N
//! is the length of the whole stream, that is the byte at which it was cut: what to compare
//! with the length it should have, and where to go on with a download. Where the incomplete
//! instruction starts follows from what was printed before it.
//!
//! Memory: the buffer, which grows only where one instruction does not fit it, and with
//! `--count` one entry for each different opcode that is not a known one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use examples::{Buffer, Failure, finish, print_help};
use guac_protocol::{Decoder, Instruction, Limits, Opcode, Scan, Scanned, Scanner};

const HELP: &str = "\
usage: guac-dump [--count] [--limits guacd|java|none] [FILE]

Prints each instruction of FILE as a JSON array of strings, one on a line. Reads
stdin where there is no FILE or where it is `-`.

  --count          print one JSON object instead: how many instructions there
                   are of each opcode
  --limits PRESET  how long an instruction may be: what guacd accepts (the
                   default), what clients in Java accept, or any length
  -h, --help       print this

Exit codes:
  0   the stream is whole and valid
  64  wrong arguments
  65  `error at byte N: REASON`, N counted from 0 at the start of the stream, or
      `truncated at byte N`: the stream ends there, inside an instruction. All
      instructions before it are printed or counted
  66  FILE cannot be opened
  74  reading or writing failed
";

/// Bytes read at once, and room for the output. Large enough for a system call to be
/// cheap, small enough for the second-level cache of a core.
const CHUNK: usize = 256 * 1024;

fn main() -> ExitCode {
    finish(run(), HELP)
}

fn run() -> Result<(), Failure> {
    let Some(options) = Options::parse(lexopt::Parser::from_env())? else {
        return print_help(HELP);
    };
    let mut input = Input::open(options.file)?;
    let mut out = BufWriter::with_capacity(CHUNK, io::stdout().lock());
    let end = if options.count {
        count(&mut input, options.limits, &mut out)
    } else {
        dump(&mut input, options.limits, &mut out)
    };
    // All output comes before the line on stderr.
    end.and(out.flush().map_err(Failure::stdout))
}

struct Options {
    count: bool,
    limits: Limits,
    file: Option<PathBuf>,
}

impl Options {
    /// The options, or `None` where help is wanted.
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, Failure> {
        use lexopt::prelude::*;
        let mut options = Self {
            count: false,
            limits: Limits::GUACD,
            file: None,
        };
        while let Some(argument) = arguments.next().map_err(Failure::usage)? {
            match argument {
                Long("count") => options.count = true,
                Long("limits") => {
                    let preset = arguments.value().map_err(Failure::usage)?;
                    options.limits = limits(&preset.to_string_lossy())?;
                }
                Long("help") | Short('h') => return Ok(None),
                Value(file) if options.file.is_none() => options.file = Some(file.into()),
                other => return Err(Failure::usage(other.unexpected())),
            }
        }
        Ok(Some(options))
    }
}

fn limits(preset: &str) -> Result<Limits, Failure> {
    match preset {
        "guacd" => Ok(Limits::GUACD),
        "java" => Ok(Limits::JAVA),
        "none" => Ok(Limits::NONE),
        other => Err(Failure::usage(format_args!("no such limits: {other:?}"))),
    }
}

/// A file or stdin, and what to call it.
struct Input {
    name: String,
    reader: Box<dyn Read>,
}

impl Input {
    fn open(file: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(path) = file.filter(|path| path.as_os_str() != "-") else {
            return Ok(Self {
                name: "stdin".to_owned(),
                reader: Box::new(io::stdin().lock()),
            });
        };
        let name = path.display().to_string();
        match File::open(&path) {
            Ok(file) => Ok(Self {
                name,
                reader: Box::new(file),
            }),
            Err(error) => Err(Failure::Open(name, error)),
        }
    }

    /// Reads what there is; 0 bytes at the end of the stream.
    fn read(&mut self, room: &mut [u8]) -> Result<usize, Failure> {
        loop {
            match self.reader.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|error| Failure::Read(self.name.clone(), error)),
            }
        }
    }

    /// Hands the whole stream to `scan`, piece by piece. Whatever a scan leaves of a piece
    /// is in front of the next one.
    fn scan_all(
        &mut self,
        mut scan: impl FnMut(&[u8]) -> Result<Scan, Failure>,
    ) -> Result<(), Failure> {
        let mut buffer = Buffer::with_capacity(CHUNK);
        let mut total = 0;
        loop {
            let read = self.read(buffer.room())?;
            if read == 0 {
                break;
            }
            total += read as u64;
            buffer.filled(read);
            let length = scan(buffer.unread())?.into_result()?;
            buffer.consume(length);
        }
        if buffer.unread().is_empty() {
            Ok(())
        } else {
            Err(Failure::Truncated(total))
        }
    }
}

/// Prints every instruction on a line.
fn dump(input: &mut Input, limits: Limits, out: &mut impl Write) -> Result<(), Failure> {
    let mut decoder = Decoder::new(limits);
    input.scan_all(|piece| {
        let mut written = Ok(());
        let scan = decoder.decode_all(piece, |instruction| {
            if written.is_ok() {
                written = write_line(out, &instruction);
            }
        });
        // A slow input may be a terminal or a live session: show what is there.
        written
            .and_then(|()| out.flush())
            .map_err(Failure::stdout)?;
        Ok(scan)
    })
}

fn write_line(out: &mut impl Write, instruction: &Instruction<'_>) -> io::Result<()> {
    let mut separator = b"[";
    for element in instruction.elements() {
        out.write_all(separator)?;
        write_string(out, element)?;
        separator = b",";
    }
    out.write_all(b"]\n")
}

/// Writes a JSON string: runs that stand for themselves as they are, the rest escaped
/// (RFC 8259, section 7).
fn write_string(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut rest = text.as_bytes();
    out.write_all(b"\"")?;
    while let Some(plain) = rest.iter().position(|&byte| needs_escape(byte)) {
        out.write_all(&rest[..plain])?;
        write_escape(out, rest[plain])?;
        rest = &rest[plain + 1..];
    }
    out.write_all(rest)?;
    out.write_all(b"\"")
}

const fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn write_escape(out: &mut impl Write, byte: u8) -> io::Result<()> {
    match byte {
        b'\n' => out.write_all(b"\\n"),
        b'\r' => out.write_all(b"\\r"),
        b'\t' => out.write_all(b"\\t"),
        b'"' | b'\\' => out.write_all(&[b'\\', byte]),
        control => write!(out, "\\u{control:04x}"),
    }
}

/// Prints how many instructions there are of each opcode, up to the end or to what ended
/// the stream.
fn count(input: &mut Input, limits: Limits, out: &mut impl Write) -> Result<(), Failure> {
    let mut scanner = Scanner::new(limits);
    let mut counts = Counts::default();
    let end = input
        .scan_all(|piece| Ok(scanner.scan(piece, |instruction| counts.add(piece, &instruction))));
    // Printed in any case; an error still comes first.
    end.and(counts.write(out).map_err(Failure::stdout))
}

/// Instructions per opcode. Known opcodes are an index, so that the usual case costs one
/// addition; only unknown ones are looked up by their text.
struct Counts {
    known: [u64; Opcode::ALL.len() + 1],
    unknown: BTreeMap<String, u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            known: [0; Opcode::ALL.len() + 1],
            unknown: BTreeMap::new(),
        }
    }
}

impl Counts {
    fn add(&mut self, piece: &[u8], instruction: &Scanned) {
        self.known[instruction.opcode as usize] += 1;
        if instruction.opcode == Opcode::Unknown {
            self.add_unknown(instruction.opcode_str(piece));
        }
    }

    #[cold]
    fn add_unknown(&mut self, opcode: &str) {
        match self.unknown.get_mut(opcode) {
            Some(count) => *count += 1,
            None => {
                self.unknown.insert(opcode.to_owned(), 1);
            }
        }
    }

    /// All counts above zero, sorted by opcode.
    fn sorted(&self) -> BTreeMap<&str, u64> {
        let known = Opcode::ALL.iter().map(|&opcode| {
            let count = self.known[opcode as usize];
            (opcode.as_str(), count)
        });
        let unknown = self.unknown.iter().map(|(text, &count)| (&**text, count));
        known
            .chain(unknown)
            .filter(|&(_, count)| count > 0)
            .collect()
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"{")?;
        for (index, (opcode, count)) in self.sorted().into_iter().enumerate() {
            out.write_all(if index > 0 { b"," } else { b"" })?;
            write_string(out, opcode)?;
            write!(out, ":{count}")?;
        }
        out.write_all(b"}\n")
    }
}
