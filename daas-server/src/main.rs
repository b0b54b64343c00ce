//! `daas-server [--listen ADDRESS]`.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: daas-server [--listen ADDRESS]   (default 127.0.0.1:8080)";

fn main() -> ExitCode {
    let address = match parse(std::env::args().skip(1)) {
        Ok(address) => address,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match run(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<SocketAddr, String> {
    let mut address = SocketAddr::from(([127, 0, 0, 1], 8080));
    while let Some(arg) = args.next() {
        if arg != "--listen" {
            return Err(format!("unknown argument {arg:?}"));
        }
        let value = args.next().ok_or("--listen needs an address")?;
        address = value
            .parse()
            .map_err(|_| format!("{value:?} is not an address and port"))?;
    }
    Ok(address)
}

#[tokio::main]
async fn run(address: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    daas_server::serve(listener, shutdown).await
}
