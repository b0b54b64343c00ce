//! The tunnel's own instructions, and its id.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use guac_protocol::tunnel::{Internal, InvalidTunnelId, TunnelId};
use guac_protocol::{Decoded, Decoder, Encode, Encoder, Instruction, Limits};
use proptest::prelude::*;

fn bytes(instruction: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = Encoder::new(Limits::GUACD);
    encoder.encode_vec(instruction, &mut out).unwrap();
    out
}

fn with_instruction<R>(wire: &str, check: impl FnOnce(Instruction<'_>) -> R) -> R {
    let mut decoder = Decoder::new(Limits::GUACD);
    match decoder.decode(wire.as_bytes()) {
        Ok(Decoded::Complete { instruction, .. }) => check(instruction),
        other => panic!("{other:?}"),
    }
}

fn check(wire: &str, expected: Option<Internal<'_>>, encoded: &str) {
    with_instruction(wire, |instruction| {
        let internal = Internal::parse(instruction);
        assert_eq!(internal, expected);
        let encoded_again = internal.map(|internal| bytes(&internal));
        assert_eq!(encoded_again.unwrap_or_default(), encoded.as_bytes());
    });
}

#[test]
fn pings_come_back_whole() {
    for timestamp in ["1790000000000", "", "1790000000000.5", "né"] {
        let length = timestamp.chars().count();
        let wire = format!("0.,4.ping,{length}.{timestamp};");
        check(&wire, Some(Internal::Ping { timestamp }), &wire);
    }
    // As the Java endpoint: what is more than a ping is left out.
    let ping = Internal::Ping { timestamp: "12" };
    check("0.,4.ping,2.12,1.x;", Some(ping), "0.,4.ping,2.12;");
}

#[test]
fn ids_and_what_else_there_is() {
    let wire = "0.,36.8a6b3d1e-0c4f-4f6e-9b7a-2f1d3c5e7a90;";
    let uuid = "8a6b3d1e-0c4f-4f6e-9b7a-2f1d3c5e7a90";
    check(wire, Some(Internal::Uuid(uuid)), wire);
    // A browser takes whatever stands alone for the id.
    check("0.,4.ping;", Some(Internal::Uuid("ping")), "0.,4.ping;");
    for wire in ["0.;", "0.,4.pong,2.12;", "0.,0.,0.,0.;"] {
        with_instruction(wire, |instruction| {
            check(wire, Some(Internal::Unknown(instruction)), wire);
        });
    }
    for wire in ["4.ping,2.12;", "3.nop;", "1. ,4.ping,2.12;"] {
        check(wire, None, "");
    }
}

#[test]
fn ids_are_uuids() {
    let text = "8a6b3d1e-0c4f-4f6e-9b7a-2f1d3c5e7a90";
    let id: TunnelId = text.parse().unwrap();
    assert_eq!(id.as_str(), text);
    assert_eq!(text.to_uppercase().parse(), Ok(id));
    assert_eq!(format!("{id} {id:?}"), format!("{text} TunnelId({text:?})"));
    for (index, _) in text.char_indices() {
        for wrong in ["g", " ", "-", "0", "é"] {
            let changed = format!("{}{wrong}{}", &text[..index], &text[index + 1..]);
            let hyphen = text[index..].starts_with('-');
            let fits = if hyphen { wrong == "-" } else { wrong == "0" };
            assert_eq!(changed.parse::<TunnelId>().is_ok(), fits, "{changed}");
        }
    }
    let simple = text.replace('-', "");
    for wrong in [
        "",
        &text[1..],
        &simple,
        &format!("{text}0"),
        &format!("{{{}}}", &text[2..]),
    ] {
        assert_eq!(wrong.parse::<TunnelId>(), Err(InvalidTunnelId), "{wrong}");
    }
}

#[test]
fn random_ids_have_version_and_variant() {
    for (byte, text) in [
        (0x00, "00000000-0000-4000-8000-000000000000"),
        (0xFF, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
    ] {
        assert_eq!(TunnelId::from_random([byte; 16]).as_str(), text);
    }
    let counting = std::array::from_fn(|i| 0x11 * i as u8);
    let id = TunnelId::from_random(counting);
    assert_eq!(id.as_str(), "00112233-4455-4677-8899-aabbccddeeff");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_ids_read_back(random in any::<[u8; 16]>()) {
        let id = TunnelId::from_random(random);
        prop_assert_eq!(id.as_str().parse(), Ok(id));
        // All bits but those of version and variant are the caller's.
        let hex = id.as_str().replace('-', "");
        let value = u128::from_str_radix(&hex, 16).unwrap();
        let fixed = 0xF000_C000_0000_0000_0000_u128;
        prop_assert_eq!(value & !fixed, u128::from_be_bytes(random) & !fixed);
        prop_assert_eq!(value & fixed, 0x4000_8000_0000_0000_0000);
        let wire = bytes(&Internal::Uuid(id.as_str()));
        prop_assert_eq!(wire, format!("0.,36.{id};").into_bytes());
    }
}
