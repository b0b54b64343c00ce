//! What a guest says of its network. It says what it wants to: believe nothing of it.

use std::net::IpAddr;

use serde_json::Value;

use super::cluster::unreadable;
use super::guests::parts;
use super::lenient::text;
use super::{Client, Fault, Form, Guest, Kind};

/// Most interfaces of a guest that are looked at, and most addresses of one.
const MOST: usize = 64;

/// An interface of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address, in lower case.
    pub mac: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// What a guest says.
impl Client {
    /// The interfaces of a guest that runs: of a machine, by its agent; of a container, by its
    /// node, since version 8.
    ///
    /// # Errors
    /// `Conflict` where it or its agent does not run; those of every call: see [`Fault`].
    pub async fn interfaces(&self, guest: &Guest) -> Result<Vec<Interface>, Fault> {
        let number = guest.vmid.to_string();
        let rest: &[&str] = match guest.kind {
            Kind::Qemu => &["agent", "network-get-interfaces"],
            Kind::Lxc => &["interfaces"],
        };
        let data = self.get(&parts(guest, &number, rest), Form::new()).await?;
        let interfaces = match guest.kind {
            Kind::Qemu => data.get("result"),
            Kind::Lxc => Some(&data),
        };
        let interfaces = interfaces.and_then(Value::as_array);
        let interfaces = interfaces.ok_or_else(|| unreadable("it is no list of interfaces"))?;
        Ok(interfaces.iter().take(MOST).map(interface).collect())
    }
}

fn interface(value: &Value) -> Interface {
    let of = |key: &str| value.get(key).and_then(text);
    let mac = of("hardware-address").or_else(|| of("hwaddr"));
    Interface {
        name: of("name").unwrap_or_default(),
        mac: mac.unwrap_or_default().to_ascii_lowercase(),
        addresses: addresses(value),
    }
}

/// In the list that the agent makes, and in what containers had before that.
fn addresses(value: &Value) -> Vec<IpAddr> {
    let listed = value.get("ip-addresses").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().take(MOST);
    let listed = listed.filter_map(|entry| text(entry.get("ip-address")?));
    let plain = ["inet", "inet6"].into_iter();
    let plain = plain.filter_map(|key| text(value.get(key)?));
    let mut all: Vec<IpAddr> = Vec::new();
    for text in listed.chain(plain) {
        let bare = text.split('/').next().unwrap_or_default();
        if let Some(address) = bare.parse().ok().filter(|address| !all.contains(address)) {
            all.push(address);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use serde_json::json;

    #[test]
    fn both_kinds_of_interfaces_are_read() {
        let machine = interface(&json!({
            "name": "ens18", "hardware-address": "BC:24:11:00:00:01",
            "ip-addresses": [
                {"ip-address": "10.1.2.3", "ip-address-type": "ipv4", "prefix": 24},
                {"ip-address": "fe80::1", "prefix": "64"},
                {"ip-address": "none"}, {}, 7,
            ],
        }));
        assert_eq!(machine.mac, "bc:24:11:00:00:01");
        let expected: [IpAddr; 2] = ["10.1.2.3".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(machine.addresses, expected);
        let container = interface(&json!({
            "name": "eth0", "hwaddr": "bc:24:11:00:00:02",
            "inet": "10.1.2.4/24", "inet6": "fe80::2/64",
        }));
        assert_eq!(container.addresses.len(), 2);
        for odd in [json!(null), json!([]), json!({"ip-addresses": {}})] {
            assert_eq!(interface(&odd), Interface::default());
        }
    }
}
