//! Counts processor instructions per element, by callgrind.
//!
//! ```text
//! cargo run --release -p benches --bin bench-instructions [-- STREAM…]
//! ```
//!
//! Without arguments it counts on all streams; synthetic ones have 1 MiB here.
//!
//! Unlike time, the counts hardly differ from run to run, on a busy machine too. They
//! are no substitute for it: mispredicted branches and waits do not show.
//!
//! valgrind hides instruction sets that it does not know, so that the kernel for AVX-512
//! may give way to the one for AVX2. The output says which one was counted.
//!
//! The program runs itself under valgrind, once for each count and with the arguments
//! `--run WORK STREAM`, and lets callgrind collect inside [`measured`] only.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::process::Command;

use benches::plain;
use benches::streams::{self, Stream};
use benches::work::{self, Texts};
use guac_protocol::codepoint::Level;
use guac_protocol::{Decoder, Limits, Scanner};

/// Bytes of a synthetic stream.
const SIZE: usize = 1 << 20;

const WORKS: [&str; 8] = [
    "plain-scan",
    "scan",
    "plain-decode",
    "plain-walk",
    "decode",
    "decode_all",
    "plain-encode",
    "encode_vec",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match &arguments[..] {
        [run, work, stream] if run == "--run" => {
            let stream = stream_by_name(stream)?;
            self::run(work, &stream.bytes).ok_or("no such work")?;
            println!("{:?} {}", Level::detect(), stream.values.elements);
            Ok(())
        }
        [] => {
            let sources = streams::sources()?.into_iter();
            table(&sources.map(|source| source.name).collect::<Vec<_>>())
        }
        names => table(names),
    }
}

fn stream_by_name(name: &str) -> Result<Stream, Box<dyn Error>> {
    let mut sources = streams::sources()?.into_iter();
    let source = sources.find(|source| source.name == name);
    let stream = source.map(|source| source.stream(SIZE)).transpose()?;
    Ok(stream.flatten().ok_or(format!("no stream {name}"))?)
}

/// Prints the counts of all works on some streams.
fn table(streams: &[String]) -> Result<(), Box<dyn Error>> {
    let mut rows = String::new();
    let mut kernel = String::new();
    for stream in streams {
        rows += &format!("| {stream} |");
        for work in WORKS {
            let counted = count(work, stream)?;
            rows += &format!(" {:.1} |", counted.per_element);
            kernel = counted.kernel;
        }
        rows.push('\n');
    }
    println!("Instructions per element, kernel {kernel}.\n");
    println!("| stream | {} |", WORKS.join(" | "));
    print!("| --- |{}\n{rows}", " --: |".repeat(WORKS.len()));
    Ok(())
}

struct Counted {
    kernel: String,
    per_element: f64,
}

/// Runs this program under callgrind.
fn count(work: &str, stream: &str) -> Result<Counted, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*::measured*")
        .arg(env::current_exe()?)
        .args(["--run", work, stream])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let [said, report] = [output.stdout, output.stderr].map(String::from_utf8);
    let (said, report) = (said?, report?);
    if !output.status.success() {
        return Err(report.into());
    }
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected :"));
    let (_, collected) = collected.ok_or("callgrind reports nothing")?;
    let (kernel, elements) = said.trim().split_once(' ').ok_or("no elements")?;
    let collected: f64 = collected.trim().parse()?;
    if collected == 0.0 {
        return Err("callgrind did not see the function to collect in".into());
    }
    Ok(Counted {
        kernel: kernel.to_owned(),
        per_element: collected / elements.parse::<f64>()?,
    })
}

/// Does one work on a stream, or answers `None` where there is no such work.
fn run(work: &str, bytes: &[u8]) -> Option<()> {
    let texts = Texts::new(bytes);
    let mut out = Vec::with_capacity(2 * SIZE);
    let decoder = Decoder::new(Limits::GUACD);
    let scanner = Scanner::new(Limits::GUACD);
    match work {
        "plain-scan" => drop(black_box(measured(|| {
            work::plain_scan(bytes, plain::by_blocks)
        }))),
        "scan" => drop(black_box(measured(|| work::scan(scanner, bytes)))),
        "plain-decode" => drop(black_box(measured(|| {
            work::plain_decode(bytes, plain::by_blocks)
        }))),
        "plain-walk" => drop(black_box(measured(|| work::plain_walk(bytes)))),
        "decode" => drop(black_box(measured(|| work::decode(decoder, bytes)))),
        "decode_all" => drop(black_box(measured(|| work::decode_all(decoder, bytes)))),
        "plain-encode" => drop(black_box(measured(|| work::plain_encode(&texts, &mut out)))),
        "encode_vec" => drop(black_box(measured(|| work::encode(&texts, &mut out)))),
        _ => return None,
    }
    Some(())
}

/// What callgrind looks for by its name.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    work()
}
