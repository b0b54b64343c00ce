//! What a receiver accepts, as a value.

/// Limits on one instruction, checked while it is parsed or before it is written.
///
/// Start from a preset and change fields:
///
/// ```
/// use guac_protocol::Limits;
/// let limits = Limits { elements: 32, ..Limits::GUACD };
/// assert_eq!(limits.element_codepoints, 8192);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Most decimal digits of a length prefix.
    pub length_digits: u32,
    /// Most Unicode codepoints in the value of one element.
    pub element_codepoints: u64,
    /// Most elements in an instruction, the opcode included.
    pub elements: usize,
    /// Most bytes of an instruction on the wire, length prefixes, separators
    /// and the final `;` included.
    pub instruction_bytes: u64,
    /// Most UTF-16 code units of an instruction, counted like
    /// [`instruction_bytes`](Self::instruction_bytes). Peers written in Java keep an
    /// instruction as UTF-16, so this is what bounds them.
    pub instruction_utf16_units: u64,
}

impl Limits {
    /// What guacd accepts: 5 digits, 8192 codepoints an element, 128 elements
    /// (guacamole-server, `src/libguac/guacamole/parser-constants.h`) and a buffer of
    /// 32768 bytes for one instruction (`src/libguac/parser.c`).
    pub const GUACD: Self = Self {
        length_digits: 5,
        element_codepoints: 8192,
        elements: 128,
        instruction_bytes: 32_768,
        instruction_utf16_units: u64::MAX,
    };

    /// What guacamole-common for Java accepts: as guacd, but the whole instruction
    /// must fit 8192 UTF-16 code units (guacamole-client, `GuacamoleParser`, the
    /// array `rawInstruction`).
    pub const JAVA: Self = Self {
        instruction_bytes: u64::MAX,
        instruction_utf16_units: 8192,
        ..Self::GUACD
    };

    /// The grammar alone. A length whose digits have ended must still be below
    /// 10^12: no more can ever arrive.
    ///
    /// Use it for files that you trust, never for a peer: the caller's buffer has to
    /// hold a whole instruction, however long it is.
    pub const NONE: Self = Self {
        length_digits: u32::MAX,
        element_codepoints: u64::MAX,
        elements: usize::MAX,
        instruction_bytes: u64::MAX,
        instruction_utf16_units: u64::MAX,
    };
}

impl Default for Limits {
    /// [`Limits::GUACD`].
    fn default() -> Self {
        Self::GUACD
    }
}
