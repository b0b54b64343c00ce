//! Whether a desktop answers, seen from outside.
//!
//! A container or machine that runs says little: its screen may not be there yet, or hang. A connection
//! says more, and costs less than a command inside. VNC and SSH servers speak first
//! (RFC 6143, 7.1.1 and RFC 4253, 4.2), so a server that hangs is told from one that works:
//! the kernel accepts connections for both.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::model::Endpoint;

/// What a server on a port says first; nothing where it waits for the client.
const fn greeting(port: u16) -> &'static [u8] {
    match port {
        5900..=5999 => b"RFB ",
        22 | 2222 => b"SSH-",
        _ => b"",
    }
}

/// Whether a desktop answers as it should within a time.
pub(in crate::hypervisor) async fn answers(endpoint: Endpoint, within: Duration) -> bool {
    timeout(within, greets(endpoint)).await.unwrap_or(false)
}

async fn greets(endpoint: Endpoint) -> bool {
    let Ok(mut stream) = TcpStream::connect((endpoint.address, endpoint.port)).await else {
        return false;
    };
    let expected = greeting(endpoint.port);
    let mut heard = [0; 4];
    let heard = &mut heard[..expected.len()];
    let greets = stream.read_exact(heard).await.is_ok() && heard == expected;
    // Nothing depends on how it ends.
    let _ = stream.shutdown().await;
    greets
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use tokio::net::TcpListener;

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A listener on a port where VNC is expected.
    async fn listener() -> (TcpListener, Endpoint) {
        for port in 5950..=5999 {
            if let Ok(listener) = TcpListener::bind((LOCALHOST, port)).await {
                let address = LOCALHOST;
                return (listener, Endpoint { address, port });
            }
        }
        panic!("no port is free");
    }

    async fn check(says: &'static [u8], expected: bool) {
        let (listener, endpoint) = listener().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(says).await.unwrap();
            // Until the other side has gone.
            let _ = stream.read(&mut [0]).await;
        });
        assert_eq!(
            answers(endpoint, Duration::from_millis(200)).await,
            expected
        );
        server.await.unwrap();
    }

    #[tokio::test]
    async fn only_a_server_that_greets_answers() {
        check(b"RFB 003.008\n", true).await;
        check(b"HTTP/1.1 400\r\n", false).await;
        check(b"RF", false).await;
        check(b"", false).await;
    }

    #[tokio::test]
    async fn a_closed_port_does_not_answer() {
        let (listener, endpoint) = listener().await;
        drop(listener);
        assert!(!answers(endpoint, Duration::from_secs(5)).await);
    }
}
