//! The way to the screen of an instance.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use daas_core::Error;
use daas_core::hypervisor::Hypervisor as _;
use daas_core::hypervisor::proxmox::{Bridge, WAITS};
use daas_core::model::InstanceId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::lab::Lab;
use crate::support::conformance::launch;
use crate::support::pve::{Action, Rule, Timing};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

async fn opened(lab: &Lab) -> Bridge {
    let id = launch(lab).await;
    lab.proxmox.bridge(id, HERE, HERE).await.unwrap()
}

/// Connects, and hears how a VNC server greets.
async fn greeted(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut greeting = [0; 12];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"RFB 003.008\n");
    stream
}

/// Bytes that look random, always the same.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(next).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_go_both_ways() {
    for template in ["desktop", "small"] {
        let mut lab = Lab::new(|_| {});
        lab.template = template;
        let bridge = opened(&lab).await;
        assert!(bridge.password.expose().len() >= 8);
        let (mut read, mut write) = greeted(bridge.address).await.into_split();
        let sent = noise(16 << 20);
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            let mut rest = &sent[..];
            // In pieces of many sizes.
            for size in (0..).map(|turn: usize| 1 + turn * 7919 % 200_000) {
                let (piece, left) = rest.split_at(size.min(rest.len()));
                write.write_all(piece).await.unwrap();
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
            write
        });
        let mut heard = vec![0; expected.len()];
        read.read_exact(&mut heard).await.unwrap();
        assert!(heard == expected, "not what was sent");
        drop(writing.await.unwrap());
        bridge.ended().await.unwrap();
        let bad = lab.simulator.world(|world| world.bad_frames.clone());
        assert!(bad.is_empty(), "{bad:?}");
    }
}

#[tokio::test]
async fn one_connection_is_taken() {
    let lab = Lab::new(|_| {});
    let bridge = opened(&lab).await;
    let stream = greeted(bridge.address).await;
    let second = TcpStream::connect(bridge.address).await.unwrap_err();
    assert_eq!(second.kind(), ErrorKind::ConnectionRefused);
    drop(stream);
    bridge.ended().await.unwrap();
}

#[tokio::test]
async fn only_the_gateway_is_taken() {
    let lab = Lab::new(|_| {});
    let bridge = opened(&lab).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((ELSEWHERE, 0).into()).unwrap();
    let mut stranger = socket.connect(bridge.address).await.unwrap();
    let heard = timeout(Duration::from_secs(5), stranger.read(&mut [0; 12])).await;
    // Nothing is said to them.
    assert!(!matches!(heard.unwrap(), Ok(1..)));
    // And the gateway still can.
    drop(greeted(bridge.address).await);
    bridge.ended().await.unwrap();
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_the_node_does() {
    let timing = Timing {
        console: Duration::from_secs(30),
        ..Timing::short()
    };
    let lab = Lab::with(timing, |_| {});
    let bridge = opened(&lab).await;
    let (address, began) = (bridge.address, Instant::now());
    let ended = bridge.ended().await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::TimedOut);
    assert!(began.elapsed() < WAITS + Duration::from_secs(2));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_goes_wrong_is_told_at_once() {
    let lab = Lab::new(|_| {});
    let id = launch(&lab).await;
    // A console that nobody connects to in time is gone.
    let late = Action::Delay(Timing::short().console * 2);
    lab.simulator.rule(Rule::once("POST", "/vncproxy", late));
    let refused = lab.proxmox.bridge(id, HERE, HERE).await.unwrap_err();
    assert!(matches!(refused, Error::Backend { .. }), "{refused:?}");
    lab.simulator
        .rule(Rule::once("GET", "/vncwebsocket", Action::DropBefore));
    let lost = lab.proxmox.bridge(id, HERE, HERE).await.unwrap_err();
    assert!(matches!(lost, Error::Unavailable { .. }), "{lost:?}");
    let nobody = lab
        .proxmox
        .bridge(InstanceId::random(), HERE, HERE)
        .await
        .unwrap_err();
    assert!(matches!(nobody, Error::NotFound { .. }), "{nobody:?}");
    lab.proxmox.stop(id, Duration::ZERO).await.unwrap();
    let stopped = lab.proxmox.bridge(id, HERE, HERE).await.unwrap_err();
    assert!(matches!(stopped, Error::Conflict { .. }), "{stopped:?}");
}
