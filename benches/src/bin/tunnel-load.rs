//! Opens many tunnels against one server after the other, checks what comes through them,
//! and measures latency, throughput, processor time and memory.
//!
//! ```text
//! tunnel-load [--idle N] [--busy N] [--rate 250KiB] [--seconds S] [--stalled N]
//!             [--reads N] [--log-ins N] [--launches N] [--wrk N] [--guesses N] [--limits]
//!             [--control]
//!             [--stream FILE] [--target NAME]…
//!             [--smoke] [--save]
//! ```
//!
//! Targets are direct, relay, daas and guacamole-lite; without one it measures all. Each is
//! started here as a process of its own, with a scripted guacd behind it. It fails where a
//! tunnel ended before its time, or brought anything else than was played; with `--smoke`
//! that is all that is of interest. Requests beside the tunnels are made of daas alone, by
//! turns; with `--limits` it limits them as it does by default. With `--control` the
//! connections that are measured go to guacd itself, past the server that answers requests.
//! `--save` writes the figures into `benches/results/`.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use benches::load::{Beside, Load, Result, Smoke, Target, run};
use benches::machine::Machine;
use benches::streams;
use lexopt::Arg::Long;
use lexopt::{Parser, ValueExt as _};

struct Arguments {
    load: Load,
    targets: Vec<Target>,
    save: bool,
}

fn main() -> ExitCode {
    match measure() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            eprintln!("tunnel-load: {failures} tunnels failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tunnel-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<usize> {
    let Arguments {
        load,
        targets,
        save,
    } = arguments()?;
    // One thread, as for guacd: the server is to have the others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(run(&load, &targets))?;
    print!("{}", report.markdown());
    if save {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        let file = report.save(&folder, &Machine::here())?;
        println!("\nwritten to {}", file.display());
    }
    Ok(report.failures())
}

fn arguments() -> Result<Arguments> {
    let (mut load, mut targets, mut save) = (default_load(), Vec::new(), false);
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("idle") => load.idle = parser.value()?.parse()?,
            Long("busy") => load.busy = parser.value()?.parse()?,
            Long("stalled") => load.stalled = parser.value()?.parse()?,
            Long("rate") => load.rate = parser.value()?.parse_with(rate)?,
            Long("reads") => load.beside.reads = parser.value()?.parse()?,
            Long("log-ins") => load.beside.log_ins = parser.value()?.parse()?,
            Long("launches") => load.beside.launches = parser.value()?.parse()?,
            Long("wrk") => load.beside.wrk = parser.value()?.parse()?,
            Long("guesses") => load.beside.guesses = parser.value()?.parse()?,
            Long("control") => load.control = true,
            Long("limits") => load.limits = true,
            Long("seconds") => load.time = Duration::from_secs(parser.value()?.parse()?),
            Long("stream") => load.stream = parser.value()?.into(),
            Long("target") => targets.push(parser.value()?.parse()?),
            Long("smoke") => load = smoke(load),
            Long("save") => save = true,
            other => return Err(other.unexpected().into()),
        }
    }
    if load.stream.as_os_str().is_empty() {
        return Err("no recording is there; name one by --stream".into());
    }
    if targets.is_empty() {
        targets.extend(Target::ALL);
    }
    Ok(Arguments {
        load,
        targets,
        save,
    })
}

fn default_load() -> Load {
    Load {
        idle: 1000,
        busy: 200,
        rate: 250 * 1024,
        stalled: 20,
        beside: Beside::default(),
        control: false,
        limits: false,
        time: Duration::from_secs(20),
        stream: streams::default_recording().unwrap_or_default(),
        smoke: Smoke::No,
    }
}

fn smoke(load: Load) -> Load {
    Load {
        idle: 20,
        busy: 4,
        stalled: 0,
        time: Duration::from_secs(2),
        smoke: Smoke::Yes,
        ..load
    }
}

/// Bytes in a second: a number, or one of KiB or MiB.
fn rate(text: &str) -> std::result::Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("", 0)];
    let parsed = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_shl(*shift).filter(|&rate| rate > 0)
    });
    parsed.ok_or_else(|| format!("no rate: {text}"))
}
