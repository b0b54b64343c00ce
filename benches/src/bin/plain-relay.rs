//! Passes bytes on between clients and a guacd, without a look at them: the least that
//! anything in between can do.
//!
//! ```text
//! plain-relay GUACD_ADDRESS
//! ```

#![forbid(unsafe_code)]

use std::env;
use std::net::SocketAddr;

use benches::load::{Result, say_listening};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

fn main() -> Result<()> {
    let guacd = env::args().nth(1).ok_or("which guacd?")?.parse()?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build()?.block_on(serve(guacd))
}

async fn serve(guacd: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say_listening(listener.local_addr()?)?;
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(async move {
            // Either side may leave at any time.
            drop(pass_on(client, guacd).await);
        });
    }
}

async fn pass_on(mut client: TcpStream, guacd: SocketAddr) -> std::io::Result<()> {
    let mut server = TcpStream::connect(guacd).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
