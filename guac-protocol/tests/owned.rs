//! Owned instructions: the same as borrowed ones, without a copy, for as long as anyone
//! wants them.
#![cfg(feature = "bytes")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bytes::{Bytes, BytesMut};
use guac_protocol::{
    Decoder, Encoder, Error, ErrorKind, Limits, Opcode, OwnedElements, OwnedInstruction,
};
use proptest::prelude::*;

use support::recorded;
use support::reference::Found;
use support::synthetic::{self, Profile, Random};
use support::ways;

/// Checks that an owned instruction gives what the reference found.
fn check(owned: &OwnedInstruction, expected: &Found, raw: &[u8]) {
    let elements: Vec<&str> = expected.elements.iter().map(String::as_str).collect();
    assert_eq!(owned.raw(), raw);
    assert_eq!(owned.raw_str().as_bytes(), raw);
    assert_eq!(owned.len(), elements.len());
    assert!(!owned.is_empty());
    assert!(owned.elements().eq(elements.iter().copied()));
    assert!(owned.args().eq(elements[1..].iter().copied()));
    // Each one far behind is searched for from the start: look at some.
    let step = elements.len() / 200 + 1;
    for (i, element) in elements.iter().enumerate().step_by(step) {
        assert_eq!(owned.get(i), Some(*element), "element {i}");
    }
    assert_eq!(owned.get(elements.len()), None);
    assert_eq!(owned.opcode_str(), elements[0]);
    assert_eq!(owned.opcode(), Opcode::from(elements[0]));
    check_size_hints(owned.elements());
}

fn check_size_hints(mut elements: OwnedElements<'_>) {
    for left in (0..elements.len()).rev() {
        assert!(elements.next().is_some());
        assert_eq!(elements.size_hint(), (left, Some(left)));
    }
    assert_eq!((elements.next(), elements.next()), (None, None));
}

/// Decodes a stream that arrives in pieces, all from one buffer.
fn decode(limits: Limits, stream: &[u8], seed: u64) -> Result<Vec<OwnedInstruction>, Error> {
    let mut random = Random::new(seed);
    let mut decoder = Decoder::new(limits);
    let (mut buffer, mut rest, mut found) = (BytesMut::new(), stream, Vec::new());
    loop {
        let most = random.choose(&[2, 100, 20_000]);
        let (piece, after) = rest.split_at(random.below(most).min(rest.len()));
        buffer.extend_from_slice(piece);
        rest = after;
        while let Some(owned) = OwnedInstruction::decode(&mut decoder, &mut buffer)? {
            found.push(owned);
        }
        if rest.is_empty() {
            return Ok(found);
        }
    }
}

fn check_stream(limits: Limits, stream: &[u8]) {
    let expected = ways::expected(&limits, stream).instructions;
    let found = decode(limits, stream, 1).unwrap();
    assert_eq!(found.len(), expected.len());
    for (owned, expected) in found.iter().zip(&expected) {
        check(owned, expected, &stream[expected.range.clone()]);
    }
}

#[test]
fn synthetic_streams() {
    for profile in Profile::ALL {
        check_stream(Limits::GUACD, &synthetic::stream(profile, 1, 200_000).bytes);
    }
}

#[test]
fn recorded_streams() {
    for stream in recorded::vectors() {
        if stream.counts["error"].is_null() {
            check_stream(Limits::NONE, &stream.bytes().unwrap());
        }
    }
}

#[test]
fn many_elements() {
    for count in [1, 11, 12, 13, 14, 127, 128, 129, 130, 1000] {
        let values: Vec<String> = (0..count).map(|i| "é".repeat(i % 20)).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let stream = [&synthetic::instruction(&values)[..], b"3.nop;"].concat();
        check_stream(Limits::NONE, &stream);
    }
}

#[test]
fn shares_the_buffer() {
    let mut decoder = Decoder::new(Limits::GUACD);
    let mut buffer = BytesMut::from("4.sync,3.123;3.nop;4.si");
    let start = buffer.as_ptr();
    let mut take = || OwnedInstruction::decode(&mut decoder, &mut buffer).unwrap();
    let (sync, nop) = (take().unwrap(), take().unwrap());
    assert_eq!(take(), None);
    assert_eq!(buffer, "4.si");
    assert_eq!(sync.raw().as_ptr(), start);
    assert_eq!(nop.raw().as_ptr(), start.wrapping_add(13));
    let raw = sync.clone().into_raw();
    assert_eq!((raw.as_ptr(), raw.len()), (start, 13));
}

#[test]
fn from_a_whole_message() {
    let mut message = Bytes::from_static(b"0.,4.ping,1.7;3.nop;4.sy");
    let start = message.as_ptr();
    let mut decoder = Decoder::new(Limits::GUACD);
    let mut take = || OwnedInstruction::decode_bytes(&mut decoder, &mut message).unwrap();
    let (ping, nop) = (take().unwrap(), take().unwrap());
    assert_eq!(take(), None);
    assert_eq!(message, "4.sy");
    assert_eq!(
        (ping.opcode(), nop.opcode()),
        (Opcode::Internal, Opcode::Nop)
    );
    assert_eq!(ping.raw().as_ptr(), start);
    assert_eq!(ping.get(2), Some("7"));
}

#[test]
fn lives_on_elsewhere() {
    let mut decoder = Decoder::new(Limits::GUACD);
    let mut buffer = BytesMut::from("4.name,5.世界🚀é!;");
    let owned = OwnedInstruction::decode(&mut decoder, &mut buffer)
        .unwrap()
        .unwrap();
    drop((decoder, buffer));
    let copy = owned.clone();
    let value = std::thread::spawn(move || copy.get(1).map(str::to_owned));
    assert_eq!(value.join().unwrap().as_deref(), Some("世界🚀é!"));
    assert_eq!(format!("{owned:?}"), r#"["name", "世界🚀é!"]"#);
}

#[test]
fn copied_from_a_borrowed_one() {
    let mut copies = Vec::new();
    let stream = "4.sync,3.123;4.name,1.é;3.nop;".as_bytes();
    let _ = Decoder::new(Limits::GUACD).decode_all(stream, |instruction| {
        copies.push(OwnedInstruction::from(instruction));
    });
    let owned = decode(Limits::GUACD, stream, 2).unwrap();
    assert_eq!(copies, owned);
    assert_ne!(copies[0], owned[1]);
    for (owned, expected) in copies
        .iter()
        .zip(ways::expected(&Limits::GUACD, stream).instructions)
    {
        check(owned, &expected, &stream[expected.range.clone()]);
    }
}

#[test]
fn an_error_leaves_the_buffer() {
    let mut decoder = Decoder::new(Limits::GUACD);
    let mut buffer = BytesMut::from("3.nop;3.nope;");
    let mut take = || OwnedInstruction::decode(&mut decoder, &mut buffer);
    assert!(take().unwrap().is_some());
    let error = take().unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (ErrorKind::InvalidTerminator, 11)
    );
    assert_eq!(take(), Err(error));
    assert_eq!(buffer, "3.nope;");
}

proptest! {
    #[test]
    fn any_elements(
        elements in proptest::collection::vec(any::<String>(), 1..30),
        seed in any::<u64>(),
    ) {
        let texts: Vec<&str> = elements.iter().map(String::as_str).collect();
        let stream = synthetic::instruction(&texts).repeat(3);
        let found = decode(Limits::NONE, &stream, seed).unwrap();
        prop_assert_eq!(found.len(), 3);
        for owned in found {
            let range = 0..owned.raw().len();
            check(&owned, &Found { elements: elements.clone(), range }, &stream[..stream.len() / 3]);
            let mut again = BytesMut::new();
            let length = Encoder::new(Limits::NONE).encode_buf(&owned, &mut again);
            prop_assert_eq!(length, Ok(again.len()));
            prop_assert_eq!(again, owned.into_raw());
        }
    }
}
