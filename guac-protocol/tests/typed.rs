//! Instructions with typed arguments: every opcode of both directions, values of every
//! kind there and back, and real streams.
#![cfg(feature = "alloc")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

#[path = "typed/cases.rs"]
mod cases;
#[path = "typed/corpus.rs"]
mod corpus;
#[path = "typed/table.rs"]
mod table;
#[path = "typed/values.rs"]
mod values;

use std::fmt::Debug;

use guac_protocol::{
    ArgumentError, ClientInstruction, Decoded, Decoder, Encode, Encoder, Instruction, Limits,
    Opcode, ServerInstruction,
};

/// One of the two enums.
trait Direction {
    type Typed<'a>: Encode + PartialEq + Debug + Copy;

    fn parse(instruction: Instruction<'_>) -> Result<Self::Typed<'_>, ArgumentError>;
    fn opcode(typed: &Self::Typed<'_>) -> Opcode;
    fn is_unknown(typed: &Self::Typed<'_>) -> bool;
    fn assert_same(one: &Self::Typed<'_>, other: &Self::Typed<'_>);
}

/// What clients send.
struct FromClient;

/// What guacd sends.
struct FromServer;

macro_rules! direction {
    ($name:ident, $enum:ident) => {
        impl Direction for $name {
            type Typed<'a> = $enum<'a>;

            fn parse(instruction: Instruction<'_>) -> Result<$enum<'_>, ArgumentError> {
                $enum::parse(instruction)
            }

            fn opcode(typed: &$enum<'_>) -> Opcode {
                typed.opcode()
            }

            fn is_unknown(typed: &$enum<'_>) -> bool {
                matches!(typed, $enum::Unknown(_))
            }

            fn assert_same(one: &$enum<'_>, other: &$enum<'_>) {
                assert_eq!(one, other);
            }
        }
    };
}

direction!(FromClient, ClientInstruction);
direction!(FromServer, ServerInstruction);

/// The bytes of an instruction.
fn bytes<T: Encode + ?Sized>(instruction: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = Encoder::new(Limits::NONE);
    let length = encoder.encode_vec(instruction, &mut out).unwrap();
    assert_eq!(length, out.len());
    out
}

/// Calls `check` with the instruction that has these elements.
fn with_instruction<T: Encode + ?Sized, R>(
    elements: &T,
    check: impl FnOnce(Instruction<'_>) -> R,
) -> R {
    let bytes = bytes(elements);
    let mut decoder = Decoder::new(Limits::NONE);
    match decoder.decode(&bytes) {
        Ok(Decoded::Complete {
            instruction,
            consumed,
        }) => {
            assert_eq!(consumed, bytes.len());
            check(instruction)
        }
        other => panic!("{other:?}"),
    }
}
