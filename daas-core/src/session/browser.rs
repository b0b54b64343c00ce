//! What becomes of an instruction of the browser.

use guac_protocol::tunnel::Internal;
use guac_protocol::{ClientInstruction, Instruction, Opcode};

use super::clipboard::{Clipboard, Ways};
use super::end::{End, Refusal};
use super::held::Held;
use super::machine::Output;
use super::peer::ScreenSize;

/// Longest side of a screen, in pixels (guacamole-server,
/// `src/protocols/rdp/settings.h`, `GUAC_RDP_MAX_WIDTH` is half of it).
const SIDE_MAX: u32 = 8192;

/// What is remembered about a browser.
#[derive(Debug)]
pub(super) struct Browser {
    pub(super) read_only: bool,
    /// Whether the gateway passes `size` on.
    pub(super) resizes: bool,
    /// Whether the desktop has shown its first frame, so that input may go to it.
    pub(super) is_open: bool,
    pub(super) held: Held,
    pub(super) clipboard: Clipboard,
}

impl Browser {
    /// Takes one instruction.
    pub(super) fn handle(
        &mut self,
        instruction: Instruction<'_>,
        out: &mut Output,
    ) -> Result<(), End> {
        let raw = instruction.raw();
        if let Some(internal) = Internal::parse(instruction) {
            if matches!(internal, Internal::Ping { .. }) {
                out.to_browser.extend_from_slice(raw);
            }
            return Ok(());
        }
        let typed = ClientInstruction::parse(instruction)
            .map_err(|error| End::BrowserRefused(Refusal::Arguments(error)))?;
        allowed(&typed, &instruction).map_err(End::BrowserRefused)?;
        if self.read_only && !is_for_viewers(typed.opcode()) {
            return Ok(());
        }
        self.route(typed, raw, out)
    }

    fn route(
        &mut self,
        typed: ClientInstruction<'_>,
        raw: &[u8],
        out: &mut Output,
    ) -> Result<(), End> {
        use ClientInstruction as C;
        let opcode = typed.opcode();
        match typed {
            C::Disconnect(_) => return Err(End::BrowserLeft { code: None }),
            C::Size(size) => self.size(&size, raw, out),
            C::Mouse(_) | C::Key(_) | C::Touch(_) => {
                out.has_input = true;
                if self.is_open {
                    out.to_gateway.extend_from_slice(raw);
                } else {
                    self.held.push(opcode, raw);
                }
            }
            C::Clipboard(opened) => {
                if self.clipboard.open(&opened, &mut out.ways()) {
                    out.to_gateway.extend_from_slice(raw);
                }
            }
            C::Blob(blob) => {
                let taken = self.clipboard.blob(&blob, &mut out.ways());
                if !taken.map_err(End::BrowserRefused)? {
                    blob.base64()
                        .map_err(|_| End::BrowserRefused(Refusal::Blob))?;
                    out.to_gateway.extend_from_slice(raw);
                }
            }
            C::End(end) => {
                if !self.clipboard.end(end.stream.get()) {
                    out.to_gateway.extend_from_slice(raw);
                }
            }
            other => {
                if let Some(index) = opened(&other) {
                    self.clipboard.forget(index);
                }
                out.to_gateway.extend_from_slice(raw);
            }
        }
        Ok(())
    }

    /// A viewer does not change the size of what others see.
    fn size(
        &mut self,
        size: &guac_protocol::instruction::client::Size<'_>,
        raw: &[u8],
        out: &mut Output,
    ) {
        if self.read_only {
            return;
        }
        if self.resizes {
            out.to_gateway.extend_from_slice(raw);
            return;
        }
        let side = |pixels: u16| u32::from(pixels).clamp(1, SIDE_MAX);
        out.resize = Some(ScreenSize {
            width: side(size.width.pixels()),
            height: side(size.height.pixels()),
        });
    }
}

impl Output {
    fn ways(&mut self) -> Ways<'_> {
        Ways {
            gateway: &mut self.to_gateway,
            browser: &mut self.to_browser,
        }
    }
}

/// Whether a browser may send it in a session at all. Values of parameters are the
/// server's to set, and USB devices stay at home.
fn allowed(typed: &ClientInstruction<'_>, instruction: &Instruction<'_>) -> Result<(), Refusal> {
    let opcode = typed.opcode();
    if matches!(typed, ClientInstruction::Unknown(_)) {
        return Err(match opcode {
            Opcode::Unknown => {
                let text = instruction.opcode_str().chars().take(32);
                Refusal::Unknown(text.collect())
            }
            known => Refusal::Forbidden(known),
        });
    }
    let parameters = matches!(opcode, Opcode::Argv);
    let usb = matches!(
        opcode,
        Opcode::Usbconnect | Opcode::Usbdata | Opcode::Usbdisconnect
    );
    if typed.is_handshake() || parameters || usb {
        return Err(Refusal::Forbidden(opcode));
    }
    Ok(())
}

/// What goes on from somebody who only looks.
fn is_for_viewers(opcode: Opcode) -> bool {
    matches!(
        opcode,
        Opcode::Ack | Opcode::Disconnect | Opcode::Nop | Opcode::Size | Opcode::Sync
    )
}

/// The stream that an instruction opens.
fn opened(typed: &ClientInstruction<'_>) -> Option<u16> {
    match typed {
        ClientInstruction::Audio(audio) => Some(audio.stream.get()),
        ClientInstruction::File(file) => Some(file.stream.get()),
        ClientInstruction::Pipe(pipe) => Some(pipe.stream.get()),
        ClientInstruction::Put(put) => Some(put.stream.get()),
        _ => None,
    }
}
