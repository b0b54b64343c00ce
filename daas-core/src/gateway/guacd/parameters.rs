//! Connection parameters: an allow-list for each protocol.
//!
//! Names are those of guacamole-server (`src/protocols/{vnc,rdp,ssh}/settings.c`). Nothing
//! of it comes from whoever looks at the desktop. What a version of guacd does not ask for
//! is left out by the handshake.

use guac_protocol::handshake::Args;

use super::GuacdConfig;
use crate::gateway::Target;
use crate::model::Protocol;

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
pub(super) fn parameters(target: &Target, config: &GuacdConfig) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("hostname", target.endpoint.address.to_string()),
        ("port", target.endpoint.port.to_string()),
        ("password", target.password.expose().clone()),
        ("read-only", target.read_only.to_string()),
    ];
    off(&mut all, OFF);
    match target.protocol {
        Protocol::Vnc => vnc(&mut all),
        Protocol::Rdp => rdp(&mut all, config),
        Protocol::Ssh => {}
    }
    all
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

fn rdp(all: &mut Vec<(&'static str, String)>, config: &GuacdConfig) {
    off(all, OFF_RDP);
    for name in ["disable-audio", "disable-download", "disable-upload"] {
        all.push((name, "true".to_owned()));
    }
    all.push(("resize-method", "display-update".to_owned()));
    all.push(("ignore-cert", config.rdp_certificates_unchecked.to_string()));
}

/// Whether guacd hands `size` on to the desktop. For VNC that is so since 1.6.0, which has
/// a parameter to switch it off (guacamole-server, `src/protocols/vnc/settings.c`).
pub(super) fn resizes(protocol: Protocol, args: &Args<'_>) -> bool {
    match protocol {
        Protocol::Vnc => args.asks_for("disable-display-resize"),
        Protocol::Rdp => args.asks_for("resize-method"),
        Protocol::Ssh => true,
    }
}
