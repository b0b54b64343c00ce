//! Connection parameters: an allow-list for each protocol.
//!
//! Names are those of guacamole-server (`src/protocols/{vnc,rdp,ssh}/settings.c`). Nothing
//! of it comes from whoever looks at the desktop. What a version of guacd does not ask for
//! is left out by the handshake.

use guac_protocol::handshake::Args;

use super::open::Place;
use crate::gateway::Target;
use crate::model::{LogIn, Protocol};

/// Off in every protocol that has it: ways out of the desktop, and packets to third
/// machines.
const OFF: &[&str] = &["enable-sftp", "wol-send-packet"];

/// Off in RDP besides.
const OFF_RDP: &[&str] = &[
    "console-audio",
    "create-drive-path",
    "create-recording-path",
    "enable-audio-input",
    "enable-drive",
    "enable-printing",
];

/// Name and value of each parameter.
pub(super) fn parameters(target: &Target, place: &Place) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("hostname", place.endpoint.address.to_string()),
        ("port", place.endpoint.port.to_string()),
        ("password", place.password.expose().clone()),
        ("read-only", target.read_only.to_string()),
    ];
    off(&mut all, OFF);
    let log_in = &target.log_in;
    match target.protocol {
        // What asks for a password here is the host, and not the desktop.
        Protocol::Console => vnc(&mut all),
        Protocol::Vnc => {
            vnc(&mut all);
            given(&mut all, "username", &log_in.user);
        }
        Protocol::Rdp => rdp(&mut all, log_in),
        Protocol::Ssh => given(&mut all, "username", &log_in.user),
    }
    all
}

fn given(all: &mut Vec<(&'static str, String)>, name: &'static str, value: &str) {
    if !value.is_empty() {
        all.push((name, value.to_owned()));
    }
}

fn off(all: &mut Vec<(&'static str, String)>, names: &[&'static str]) {
    all.extend(names.iter().map(|&name| (name, "false".to_owned())));
}

/// Text of the clipboard is UTF-8 on both sides, and the browser draws the pointer, so that
/// it does not lag behind the hand.
fn vnc(all: &mut Vec<(&'static str, String)>) {
    all.push(("clipboard-encoding", "UTF-8".to_owned()));
    all.push(("cursor", "local".to_owned()));
    off(all, &["enable-audio", "disable-display-resize"]);
}

fn rdp(all: &mut Vec<(&'static str, String)>, log_in: &LogIn) {
    off(all, OFF_RDP);
    for name in ["disable-audio", "disable-download", "disable-upload"] {
        all.push((name, "true".to_owned()));
    }
    all.push(("resize-method", "display-update".to_owned()));
    given(all, "username", &log_in.user);
    given(all, "domain", &log_in.domain);
    all.push(("security", log_in.security.as_str().to_owned()));
    all.push(("ignore-cert", log_in.certificate_unchecked.to_string()));
}

/// Whether guacd hands `size` on to the desktop. For VNC that is so since 1.6.0, which has
/// a parameter to switch it off (guacamole-server, `src/protocols/vnc/settings.c`).
pub(super) fn resizes(protocol: Protocol, args: &Args<'_>) -> bool {
    match protocol {
        Protocol::Vnc | Protocol::Console => args.asks_for("disable-display-resize"),
        Protocol::Rdp => args.asks_for("resize-method"),
        Protocol::Ssh => true,
    }
}
