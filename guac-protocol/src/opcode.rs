//! The opcodes of both directions as an enum.

use core::fmt;

/// Slots of the perfect hash table; a power of two.
const SLOTS: usize = 256;
/// Multiplier of the hash; found by search, and checked by the compiler: building
/// [`TABLE`] fails on a collision.
const MULTIPLIER: u64 = 0x137e_0822_68b6_d261;

macro_rules! opcodes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The opcode of an instruction.
        ///
        /// Opcodes of guacamole-server (`src/libguac/protocol.c`,
        /// `src/libguac/user-handlers.c`, `src/libguac/user-handshake.c`) and of
        /// guacamole-common-js (`Client.js`, `Tunnel.js`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Opcode {
            $($(#[$doc])* $variant,)*
            /// Any other opcode. Peers pass such instructions on untouched.
            Unknown,
        }

        impl Opcode {
            /// Every known opcode, in the order of the enum, without
            /// [`Unknown`](Self::Unknown).
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            const TEXTS: &'static [&'static str] = &[$($text,)*];
        }
    };
}

opcodes! {
    /// `""`: internal to a tunnel, never sent to guacd.
    Internal = "",
    /// `ack`: receipt of a blob, or refusal of a stream.
    Ack = "ack",
    /// `arc`: adds an arc to the path.
    Arc = "arc",
    /// `args`: names of the connection parameters.
    Args = "args",
    /// `argv`: opens a stream with the value of one parameter.
    Argv = "argv",
    /// `audio`: opens an audio stream; in the handshake, the audio types supported.
    Audio = "audio",
    /// `blob`: base64 data on a stream.
    Blob = "blob",
    /// `body`: opens a stream with the content of an object.
    Body = "body",
    /// `cfill`: fills the path with a colour.
    Cfill = "cfill",
    /// `clip`: clips a layer to the path.
    Clip = "clip",
    /// `clipboard`: opens a stream with clipboard content.
    Clipboard = "clipboard",
    /// `close`: closes the path.
    Close = "close",
    /// `connect`: values of the connection parameters.
    Connect = "connect",
    /// `copy`: copies a rectangle between layers.
    Copy = "copy",
    /// `cstroke`: strokes the path with a colour.
    Cstroke = "cstroke",
    /// `cursor`: sets the mouse cursor.
    Cursor = "cursor",
    /// `curve`: adds a Bézier curve to the path.
    Curve = "curve",
    /// `disconnect`: the end of the connection.
    Disconnect = "disconnect",
    /// `dispose`: removes a layer.
    Dispose = "dispose",
    /// `distort`: sets the transform of a layer itself.
    Distort = "distort",
    /// `end`: ends a stream.
    End = "end",
    /// `error`: the connection failed, with a status.
    Error = "error",
    /// `file`: opens a stream with a file.
    File = "file",
    /// `filesystem`: announces an object that is a file system.
    Filesystem = "filesystem",
    /// `get`: asks for the content of an object.
    Get = "get",
    /// `identity`: resets the transform of a layer.
    Identity = "identity",
    /// `image`: in the handshake, the image types supported.
    Image = "image",
    /// `img`: opens a stream with an image.
    Img = "img",
    /// `jpeg`: an image in the instruction itself; only clients know it.
    Jpeg = "jpeg",
    /// `key`: a key was pressed or released.
    Key = "key",
    /// `lfill`: fills the path with a layer.
    Lfill = "lfill",
    /// `line`: adds a line to the path.
    Line = "line",
    /// `log`: a message for the log of the client.
    Log = "log",
    /// `lstroke`: strokes the path with a layer.
    Lstroke = "lstroke",
    /// `mouse`: position and buttons of the mouse.
    Mouse = "mouse",
    /// `move`: moves a layer.
    Move = "move",
    /// `msg`: a message for the user, as a code.
    Msg = "msg",
    /// `name`: name of the connection; in the handshake, of the user.
    Name = "name",
    /// `nest`: an instruction in an instruction; deprecated.
    Nest = "nest",
    /// `nop`: nothing; keeps the connection alive.
    Nop = "nop",
    /// `pipe`: opens a named pipe.
    Pipe = "pipe",
    /// `png`: an image in the instruction itself; up to 0.9.7.
    Png = "png",
    /// `pop`: restores the state of a layer.
    Pop = "pop",
    /// `push`: saves the state of a layer.
    Push = "push",
    /// `put`: opens a stream to the content of an object.
    Put = "put",
    /// `ready`: the handshake is complete; holds the id of the connection.
    Ready = "ready",
    /// `rect`: adds a rectangle to the path.
    Rect = "rect",
    /// `required`: names of parameters that the server still needs.
    Required = "required",
    /// `reset`: clears the state of a layer.
    Reset = "reset",
    /// `select`: protocol to use, or connection to join.
    Select = "select",
    /// `set`: sets a property of a layer.
    Set = "set",
    /// `shade`: sets the opacity of a layer.
    Shade = "shade",
    /// `size`: size of a layer; from the client, of the display.
    Size = "size",
    /// `start`: begins a sub-path.
    Start = "start",
    /// `sync`: end of a frame; from the client, its receipt.
    Sync = "sync",
    /// `timezone`: in the handshake, the time zone of the user.
    Timezone = "timezone",
    /// `touch`: state of one touch point.
    Touch = "touch",
    /// `transfer`: combines a rectangle of two layers by a raster operation.
    Transfer = "transfer",
    /// `transform`: sets the transform of the path.
    Transform = "transform",
    /// `undefine`: removes an object.
    Undefine = "undefine",
    /// `usbconnect`: a USB device of the client is offered.
    Usbconnect = "usbconnect",
    /// `usbdata`: data of a USB device.
    Usbdata = "usbdata",
    /// `usbdisconnect`: a USB device is gone.
    Usbdisconnect = "usbdisconnect",
    /// `video`: opens a video stream; in the handshake, the video types supported.
    Video = "video",
}

/// First and last eight bytes of an opcode, little-endian, and its length: enough to tell
/// all known ones apart. Up to eight bytes, the last ones are left out.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    head: u64,
    tail: u64,
    len: usize,
}

const WORD: usize = 8;

impl Key {
    const EMPTY: Self = Self {
        head: 0,
        tail: 0,
        len: usize::MAX,
    };

    /// Reads byte by byte: for the table, and for texts at the very end of a buffer.
    const fn new(text: &[u8]) -> Self {
        let (mut head, mut tail, mut i) = (0, 0, 0);
        while i < text.len() && i < WORD {
            head |= (text[i] as u64) << (8 * i);
            i += 1;
        }
        while text.len() > WORD && i > 0 {
            tail = (tail << 8) | text[text.len() - WORD + i - 1] as u64;
            i -= 1;
        }
        Self {
            head,
            tail,
            len: text.len(),
        }
    }

    #[inline(always)]
    const fn slot(self) -> usize {
        (self
            .head
            .wrapping_add(self.len as u64)
            .wrapping_mul(MULTIPLIER)
            >> 56) as usize
            % SLOTS
    }
}

const _: () = assert!(SLOTS == 256);

/// Key and opcode of each slot.
static TABLE: [(Key, Opcode); SLOTS] = {
    let mut table = [(Key::EMPTY, Opcode::Unknown); SLOTS];
    let mut i = 0;
    while i < Opcode::ALL.len() {
        let text = Opcode::TEXTS[i].as_bytes();
        // So that head and tail cover it.
        assert!(text.len() <= 2 * WORD);
        let key = Key::new(text);
        assert!(table[key.slot()].0.len == usize::MAX, "hash collision");
        table[key.slot()] = (key, Opcode::ALL[i]);
        i += 1;
    }
    table
};

impl Opcode {
    /// The opcode with this text, or [`Unknown`](Self::Unknown).
    #[inline]
    #[must_use]
    pub fn from_bytes(text: &[u8]) -> Self {
        Self::lookup(match (text.first_chunk(), text.last_chunk()) {
            (Some(head), Some(tail)) => Key {
                head: u64::from_le_bytes(*head),
                tail: if text.len() > WORD {
                    u64::from_le_bytes(*tail)
                } else {
                    0
                },
                len: text.len(),
            },
            _ => Key::new(text),
        })
    }

    /// As [`from_bytes`](Self::from_bytes), for the text at `start..end`; bytes after a
    /// short one are read along, where there are any.
    #[inline(always)]
    pub(crate) fn from_range(bytes: &[u8], start: usize, end: usize) -> Self {
        let len = end.wrapping_sub(start);
        match bytes.get(start..).and_then(<[u8]>::first_chunk::<WORD>) {
            Some(head) if len <= WORD => {
                let unused = 8 * (WORD - len) as u32;
                let mask = u64::MAX.checked_shr(unused).unwrap_or(0);
                Self::lookup(Key {
                    head: u64::from_le_bytes(*head) & mask,
                    tail: 0,
                    len,
                })
            }
            _ => Self::from_bytes(bytes.get(start..end).unwrap_or_default()),
        }
    }

    #[inline(always)]
    fn lookup(key: Key) -> Self {
        let (found, opcode) = &TABLE[key.slot()];
        if *found == key {
            *opcode
        } else {
            Self::Unknown
        }
    }

    /// Text of the opcode on the wire; empty for [`Unknown`](Self::Unknown), as for
    /// [`Internal`](Self::Internal).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let index = self as usize;
        if index < Self::TEXTS.len() {
            Self::TEXTS[index]
        } else {
            ""
        }
    }
}

impl From<&str> for Opcode {
    fn from(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("(unknown)"),
            Self::Internal => f.write_str("(internal)"),
            known => f.write_str(known.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_maps_back() {
        for &opcode in Opcode::ALL {
            let text = opcode.as_str();
            assert_eq!(Opcode::from(text), opcode);
            for after in ["", ";", ",1.0;3.nop;4.sync"] {
                let bytes = std::format!("9.{text}{after}");
                let found = Opcode::from_range(bytes.as_bytes(), 2, 2 + text.len());
                assert_eq!(found, opcode, "{bytes}");
            }
        }
    }

    #[test]
    fn near_misses_are_unknown() {
        for text in [
            "syn",
            "sync2",
            "SYNC",
            "disconnecu",
            "disconnec",
            "\0",
            "usbdisconnected",
        ] {
            assert_eq!(Opcode::from(text), Opcode::Unknown, "{text}");
        }
    }
}
