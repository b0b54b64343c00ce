//! Connections: accept, answer, and end without cutting anyone off.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::router::route;

/// Time for a client to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of the head of a request.
const HEAD_MAX: usize = 16 * 1024;
/// Time for requests under way, once the server is to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after an error of accept that will pass, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is ready, then lets requests under way finish, for at most ten
/// seconds.
///
/// # Errors
/// Where the listener is not usable at all.
pub async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    listener.local_addr()?;
    let graceful = GracefulShutdown::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let service = service_fn(|request| async move {
                        Ok::<_, Infallible>(route(&request))
                    });
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEADER_TIMEOUT)
                        .max_buf_size(HEAD_MAX)
                        .serve_connection(TokioIo::new(stream), service);
                    let connection = graceful.watch(connection);
                    // What goes wrong on one connection is the client's to see.
                    tokio::spawn(async move { drop(connection.await) });
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    // Past the limit, what is left is cut off.
    drop(timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await);
    Ok(())
}
