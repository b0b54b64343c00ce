//! Whether a guacd is there, and can do what is needed.

use std::time::Duration;

use guac_protocol::handshake::ReceiveBuffer;
use guac_protocol::{Encoder, Limits, Opcode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{BoxError, Error, Result};

/// Asks a guacd at `host:port` for a VNC connection, and hangs up when it asks back for
/// arguments: then it speaks Guacamole and has its VNC plugin. Nothing is connected.
///
/// # Errors
/// [`Error::Unavailable`], with the reason as source.
pub async fn probe_guacd(address: &str, within: Duration) -> Result<()> {
    let probed = match timeout(within, probe(address)).await {
        Ok(probed) => probed,
        Err(late) => Err(late.into()),
    };
    probed.map_err(|source| Error::Unavailable {
        backend: "guacd",
        operation: "asking it for VNC",
        source: Some(source),
    })
}

async fn probe(address: &str) -> Result<(), BoxError> {
    let mut stream = TcpStream::connect(address).await?;
    let mut select = Vec::new();
    Encoder::new(Limits::GUACD).encode_vec(&["select", "vnc"][..], &mut select)?;
    stream.write_all(&select).await?;
    let mut received = ReceiveBuffer::new(Limits::GUACD);
    let mut buffer = [0; 1024];
    loop {
        let read = stream.read(&mut buffer).await?;
        // guacd answers an unknown protocol by hanging up (src/guacd/connection.c).
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Err("it hung up; its VNC plugin may be missing".into());
        }
        received.extend(bytes);
        if let Some(instruction) = received.poll_instruction()? {
            return match instruction.opcode() {
                Opcode::Args => Ok(()),
                _ => Err("it answered something else than what it needs for VNC".into()),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use tokio::net::TcpListener;

    /// Probes a peer that answers this, in two parts, and hangs up.
    async fn against(answer: &'static str) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut select = [0; 15];
            stream.read_exact(&mut select).await.unwrap();
            assert_eq!(&select, b"6.select,3.vnc;");
            let (first, second) = answer.split_at(answer.len() / 2);
            stream.write_all(first.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
            stream.write_all(second.as_bytes()).await.unwrap();
        });
        let probed = probe_guacd(&address, Duration::from_secs(5)).await;
        peer.await.unwrap();
        probed
    }

    #[tokio::test]
    async fn only_guacd_with_vnc_will_do() {
        against("4.args,13.VERSION_1_3_0,8.hostname;")
            .await
            .unwrap();
        for other in [
            "",
            "4.arg",
            "5.error,4.none,3.519;",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
        ] {
            assert!(against(other).await.is_err(), "{other}");
        }
    }

    #[tokio::test]
    async fn silence_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let probed = probe_guacd(&address, Duration::from_millis(50)).await;
        assert!(matches!(probed, Err(Error::Unavailable { .. })));
    }
}
