//! The desktops of guests: ports of addresses of this machine that accept connections.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[derive(Debug, Default)]
pub struct Desktops(BTreeMap<Ipv4Addr, (SocketAddrV4, Arc<AtomicBool>)>);

impl Desktops {
    /// Opens and closes until only those of some guests are open.
    pub fn keep(&mut self, up: &BTreeSet<Ipv4Addr>, port: u16) {
        let gone: Vec<_> = self
            .0
            .keys()
            .filter(|key| !up.contains(key))
            .copied()
            .collect();
        for address in gone {
            self.end(address);
        }
        for address in up {
            if !self.0.contains_key(address)
                && let Ok(listener) = TcpListener::bind((*address, port))
            {
                let is_over = Arc::new(AtomicBool::new(false));
                let place = SocketAddrV4::new(*address, port);
                self.0.insert(*address, (place, Arc::clone(&is_over)));
                thread::spawn(move || {
                    while let Ok((stream, _)) = listener.accept() {
                        if is_over.load(Ordering::SeqCst) {
                            return;
                        }
                        drop(stream);
                    }
                });
            }
        }
    }

    fn end(&mut self, address: Ipv4Addr) {
        if let Some((place, is_over)) = self.0.remove(&address) {
            is_over.store(true, Ordering::SeqCst);
            let _ = TcpStream::connect(place);
        }
    }

    pub fn close(&mut self) {
        self.keep(&BTreeSet::new(), 0);
    }
}
