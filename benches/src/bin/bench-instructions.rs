//! Counts processor instructions per element, by callgrind.
//!
//! ```text
//! cargo run --release -p benches --bin bench-instructions
//! ```
//!
//! Unlike time, the counts hardly differ from run to run, on a busy machine too. They
//! are no substitute for it: mispredicted branches and waits do not show.
//!
//! valgrind hides instruction sets that it does not know, so that the kernel for AVX-512
//! may give way to the one for AVX2. The output says which one was counted.
//!
//! The program runs itself under valgrind, once for each count and with the arguments
//! `WORK PROFILE`, and lets callgrind collect inside [`measured`] only.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::process::Command;

use benches::streams;
use benches::work::{self, Texts};
use guac_protocol::codepoint::Level;
use guac_protocol::{Decoder, Limits, Scanner};

/// Bytes of a stream.
const SIZE: usize = 1 << 20;

const PROFILES: [&str; 3] = ["blob", "small", "text"];

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
        [] => table(),
        [work, profile] => {
            let bytes = streams::synthetic_bytes(profile, SIZE).ok_or("no such profile")?;
            run(work, &bytes).ok_or("no such work")?;
            println!(
                "{:?} {}",
                Level::detect(),
                work::plain_decode(&bytes).elements
            );
            Ok(())
        }
        _ => Err("arguments: none, or WORK PROFILE".into()),
    }
}

/// Prints the counts of all works and profiles.
fn table() -> Result<(), Box<dyn Error>> {
    let mut rows = String::new();
    let mut kernel = String::new();
    for work in WORKS {
        rows += &format!("| {work} |");
        for profile in PROFILES {
            let counted = count(work, profile)?;
            rows += &format!(" {:.1} |", counted.per_element);
            kernel = counted.kernel;
        }
        rows.push('\n');
    }
    println!("Instructions per element, kernel {kernel}.\n");
    println!("| work | {} |", PROFILES.join(" | "));
    print!("| --- |{}\n{rows}", " --: |".repeat(PROFILES.len()));
    Ok(())
}

struct Counted {
    kernel: String,
    per_element: f64,
}

/// Runs this program under callgrind.
fn count(work: &str, profile: &str) -> Result<Counted, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*::measured*")
        .arg(env::current_exe()?)
        .args([work, profile])
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
        "plain-scan" => drop(black_box(measured(|| work::plain_scan(bytes)))),
        "scan" => drop(black_box(measured(|| work::scan(scanner, bytes)))),
        "plain-decode" => drop(black_box(measured(|| work::plain_decode(bytes)))),
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
