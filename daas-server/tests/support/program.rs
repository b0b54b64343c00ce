//! The program itself, as somebody runs it.

#![allow(dead_code, unreachable_pub, reason = "not every test uses all of it")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// In a folder, and without what the environment says of another. It finds no Docker engine:
/// that of this machine may have the desktops of somebody, and the tests' own would keep what
/// a server makes at its start.
pub fn program(folder: &Path) -> Command {
    let mut command = plain_program(folder);
    command.env("DAAS_DOCKER__SOCKET", folder.join("no.sock"));
    command
}

/// The same without a word of Docker. Where it serves with the engine of this machine, an
/// installation of another name is to be set, and all that it makes is to be removed.
pub fn plain_program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daas-server"));
    command.current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DAAS_")) {
        command.env_remove(name);
    }
    command
}

/// A server that ends with the test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts it, and waits until it listens, by plain HTTP.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("listening on http://")?;
            Some(address.split(' ').next()?.parse().unwrap())
        });
        // The rest is read so that the program never waits to write.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address: address.expect("it ended before it listened"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
