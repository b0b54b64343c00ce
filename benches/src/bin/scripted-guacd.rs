//! A guacd that plays a recorded stream to whoever connects.
//!
//! ```text
//! scripted-guacd [--stream FILE] [--listen ADDRESS]
//! ```
//!
//! What is played on a connection stands in the parameter `password`: `busy-START-RATE` for
//! the stream from piece START on at RATE bytes a second, again and again, or
//! `idle-PHASE-RATE` for a picture and signs of life. Each piece ends in a `sync` with the
//! microseconds since 1970 at which it was written.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;

use benches::load::{Library, Result, guacd, say_listening};
use benches::streams;
use lexopt::Arg::Long;
use lexopt::{Parser, ValueExt as _};
use tokio::net::TcpListener;

fn main() -> Result<()> {
    let (stream, listen) = arguments()?;
    let library = Library::read(&stream)?;
    // One thread, as there is as much to do for all servers, and they are to have the others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        say_listening(listener.local_addr()?)?;
        Ok(guacd::serve(listener, library).await?)
    })
}

fn arguments() -> Result<(PathBuf, SocketAddr)> {
    let (mut stream, mut parser) = (None, Parser::from_env());
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 0));
    while let Some(argument) = parser.next()? {
        match argument {
            Long("stream") => stream = Some(PathBuf::from(parser.value()?)),
            Long("listen") => listen = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if !listen.ip().is_loopback() {
        return Err("it listens for this machine alone".into());
    }
    let stream = stream.or_else(streams::default_recording);
    Ok((
        stream.ok_or("no recording is there; name one by --stream")?,
        listen,
    ))
}
