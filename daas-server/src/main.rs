//! The command line of the server.

#![forbid(unsafe_code)]

use std::env;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{self, ExitCode};

use clap::{Args, Parser, Subcommand};
use daas_core::{Secret, chain};
use daas_server::command;
use daas_server::config::{ADMIN_PASSWORD, Config, Sources};

/// Exit code where the configuration cannot be used, as in sysexits.h.
const EX_CONFIG: u8 = 78;

/// Desktops and applications in the browser.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve,
    /// Tell whether all is there that the server needs, and what to do where it is not.
    Check,
    /// Print the configuration in effect.
    Config,
    #[command(flatten)]
    Desk(command::Command),
}

#[derive(Args)]
struct Options {
    /// The configuration, a TOML file; without it all is as by default.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen, such as 127.0.0.1:8080.
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The port to listen on.
    #[arg(long, global = true)]
    port: Option<u16>,
    /// Where the database is.
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let sources = Sources {
        file: cli.options.config,
        environment: env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        listen: cli.options.listen,
        port: cli.options.port,
        data_dir: cli.options.data_dir,
    };
    let done = match cli.command {
        Command::Serve => serve(&sources),
        Command::Check => check(&sources),
        Command::Config => Config::show(&sources)
            .map(|text| print!("{text}"))
            .map_err(|error| (EX_CONFIG, error.to_string())),
        Command::Desk(command) => desk(&sources, command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, text)) => {
            if !text.is_empty() {
                eprintln!("{text}");
            }
            ExitCode::from(code)
        }
    }
}

type Done = Result<(), (u8, String)>;

fn load(sources: &Sources) -> Result<Config, (u8, String)> {
    Config::load(sources).map_err(|error| (EX_CONFIG, error.to_string()))
}

/// Each password that is checked takes 19 MiB for a moment. glibc learns from that to keep
/// such blocks, once for each thread: 85 MiB after three log-ins, instead of 8. A fixed
/// threshold makes it give them back, and is read from the environment only when a process
/// begins: so the program starts itself again in its place, once.
fn give_memory_back() {
    const THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";
    if env::var_os(THRESHOLD).is_some() {
        return;
    }
    if let Ok(program) = env::current_exe() {
        let mut again = process::Command::new(program);
        again.args(env::args_os().skip(1)).env(THRESHOLD, "1048576");
        // Where it cannot be, there is more memory in use, and all else as well.
        drop(again.exec());
    }
}

fn serve(sources: &Sources) -> Done {
    let config = load(sources)?;
    give_memory_back();
    let password = env::var(ADMIN_PASSWORD).ok().map(Secret::new);
    daas_server::run(&config, password).map_err(|error| (1, chain(&error)))
}

fn check(sources: &Sources) -> Done {
    match daas_server::run_check(&load(sources).map_err(|(_, text)| (1, text))?) {
        Ok(true) => Ok(()),
        Ok(false) => Err((1, String::new())),
        Err(error) => Err((1, chain(&error))),
    }
}

fn desk(sources: &Sources, command: command::Command) -> Done {
    command::run(&load(sources)?, command).map_err(|error| (1, chain(&error)))
}
