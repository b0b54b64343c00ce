//! Input that comes before the desktop is there.

use guac_protocol::Opcode;

/// Most bytes that are held back. A person does not type as much in that time.
const MAX: usize = 4096;

/// Holds input back until the first `sync` of the gateway: guacd 1.6.1 may crash on a mouse
/// that moves before it has a display.
#[derive(Debug, Default)]
pub(super) struct Held {
    instructions: Vec<u8>,
    /// Where the last one begins, if it is of a mouse.
    mouse: Option<usize>,
    overflowed: bool,
}

impl Held {
    /// Holds one. Of a mouse that only moves the latest state counts. What is too much is
    /// forgotten as a whole, keys and their releases alike; a mouse is still kept then.
    pub(super) fn push(&mut self, opcode: Opcode, raw: &[u8]) {
        let is_mouse = opcode == Opcode::Mouse;
        if self.overflowed && !is_mouse {
            return;
        }
        if let (true, Some(start)) = (is_mouse, self.mouse) {
            self.instructions.truncate(start);
        }
        if self.instructions.len() + raw.len() > MAX {
            self.instructions.clear();
            self.overflowed = true;
            if !is_mouse {
                self.mouse = None;
                return;
            }
        }
        self.mouse = is_mouse.then_some(self.instructions.len());
        self.instructions.extend_from_slice(raw);
    }

    /// Gives all that is held, in order, and its memory back.
    pub(super) fn release(&mut self) -> Vec<u8> {
        std::mem::take(self).instructions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_position_wins_and_order_stays() {
        let mut held = Held::default();
        held.push(Opcode::Mouse, b"5.mouse,1.1,1.1,1.0;");
        held.push(Opcode::Mouse, b"5.mouse,1.2,1.2,1.0;");
        held.push(Opcode::Key, b"3.key,2.97,1.1;");
        held.push(Opcode::Mouse, b"5.mouse,1.3,1.3,1.1;");
        held.push(Opcode::Mouse, b"5.mouse,1.4,1.4,1.0;");
        let expected = b"5.mouse,1.2,1.2,1.0;3.key,2.97,1.1;5.mouse,1.4,1.4,1.0;";
        assert_eq!(held.release(), expected);
        assert_eq!(held.release(), b"");
    }

    #[test]
    fn too_much_leaves_the_mouse_only() {
        let mut held = Held::default();
        for _ in 0..1000 {
            held.push(Opcode::Key, b"3.key,2.97,1.1;");
            held.push(Opcode::Mouse, b"5.mouse,1.3,1.3,1.1;");
            assert!(held.instructions.len() <= MAX);
        }
        held.push(Opcode::Mouse, b"5.mouse,1.4,1.4,1.0;");
        assert_eq!(held.release(), b"5.mouse,1.4,1.4,1.0;");
    }
}
