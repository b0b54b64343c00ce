//! Relays TCP connections to guacd, and counts the instructions both ways.
//!
//! The idea: how the crate goes with tokio. A [`Scanner`] tells how much of the read buffer
//! is whole instructions, and that range is written at once. Nothing is read meanwhile: a
//! slow peer slows the other one down, and a connection takes two buffers of memory.

use std::io::{self, Write};
use std::{collections::BTreeMap, env, ffi::OsString, net::SocketAddr, process::ExitCode};

use examples::{Failure, finish, print_help};
use guac_protocol::{Limits, Opcode, ScanEnd, Scanner};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::{signal::ctrl_c, task::JoinSet};

const HELP: &str = "usage: guac-relay LISTEN TARGET\n
Relays connections to LISTEN (port 0: any) to guacd at TARGET until Ctrl-C. Prints
the address it listens on, and the counts per opcode when a connection ends.\n";
/// Connections at a time, which bounds memory and file descriptors.
const CONNECTIONS: usize = 256;
/// Twice the longest instruction: there is always room to read into.
const BUFFER: usize = 2 * Limits::GUACD.instruction_bytes as usize;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Result<Vec<_>, _> = env::args_os().skip(1).map(OsString::into_string).collect();
    let result = match arguments.as_deref() {
        Ok([option]) if option == "--help" || option == "-h" => print_help(HELP),
        Ok([listen, target]) if !listen.starts_with('-') => serve(listen, target).await,
        _ => Err(Failure::usage("two addresses are wanted")),
    };
    finish(result, HELP)
}

async fn serve(listen: &str, target: &str) -> Result<(), Failure> {
    let cannot_listen = |error| Failure::Listen(listen.to_owned(), error);
    let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    writeln!(io::stdout(), "listening on {address}").map_err(Failure::stdout)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased; // Ctrl-C first, as it is forgotten where another branch is taken.
            _ = ctrl_c() => break,
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                let (client, peer) = accepted.map_err(cannot_listen)?;
                connections.spawn(relay(client, peer, target.to_owned()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    connections.join_all().await; // Each of them hears of Ctrl-C itself.
    Ok(())
}

/// Relays a connection until both sides have ended it or one of them fails.
async fn relay(mut client: TcpStream, peer: SocketAddr, target: String) {
    let (mut up, mut down) = (BTreeMap::new(), BTreeMap::new());
    let both_ways = async {
        let mut guacd = TcpStream::connect(&target).await?;
        client.set_nodelay(true).and(guacd.set_nodelay(true))?;
        let ((from_client, to_client), (from_guacd, to_guacd)) = (client.split(), guacd.split());
        let up = forward("client", from_client, to_guacd, &mut up);
        tokio::try_join!(up, forward("guacd", from_guacd, to_client, &mut down))
    };
    let end = tokio::select! { end = both_ways => end, _ = ctrl_c() => Ok((0, 0)) };
    for (side, counts) in [("client", up), ("guacd", down)] {
        let counts = counts.iter().map(|(opcode, n)| format!(" {opcode}={n}"));
        let _ = writeln!(io::stdout(), "{peer} {side}{}", counts.collect::<String>());
    }
    let _ = match end {
        Ok((0, 0)) => Ok(()),
        Ok(cut) => writeln!(io::stderr(), "{peer} ended inside an instruction {cut:?}"),
        Err(error) => writeln!(io::stderr(), "{peer} to {target}: {error}"),
    };
}

/// Passes whole instructions on until the reader ends; answers how many bytes were left.
async fn forward(
    side: &str,
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    counts: &mut BTreeMap<Opcode, u64>,
) -> io::Result<usize> {
    let (mut scanner, mut buffer, mut end) = (Scanner::new(Limits::GUACD), vec![0; BUFFER], 0);
    let mut count = |opcode| *counts.entry(opcode).or_default() += 1;
    loop {
        let read = reader.read(&mut buffer[end..]).await?;
        end += read;
        let scan = scanner.scan(&buffer[..end], |found| count(found.opcode));
        writer.write_all(&buffer[..scan.length]).await?;
        match scan.end {
            ScanEnd::Error(error) => return Err(io::Error::other(format!("{side}: {error}"))),
            _ if read == 0 => return writer.shutdown().await.map(|()| end - scan.length),
            _ => buffer.copy_within(scan.length..end, 0),
        }
        end -= scan.length;
    }
}
