//! Frames of WebSockets (RFC 6455, section 5), as far as the way to a screen has them.
//!
//! What a node takes is narrower than the standard: each message is one frame, masked, and of
//! at most 128 KiB.

/// Most bytes that are put into a frame.
pub(super) const PAYLOAD_MAX: usize = 32 * 1024;
/// Most bytes of a frame that is taken.
const TAKEN_MAX: u64 = 16 * 1024 * 1024;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Close,
    Ping,
    Pong,
}

/// The beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Bytes that follow.
    pub(super) length: u64,
}

/// Reads the beginning of a frame, and how many bytes it has; `None` where some are missing.
pub(super) fn head(bytes: &[u8]) -> Result<Option<(Head, usize)>, &'static str> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err("an extension that nobody asked for");
    }
    if second & 0x80 != 0 {
        return Err("a server that masks");
    }
    let is_last = first & 0x80 != 0;
    let kind = match first & 0x0F {
        // A proxy in between may cut messages; for a stream that is no matter.
        0..=2 => Kind::Data,
        8 => Kind::Close,
        9 => Kind::Ping,
        10 => Kind::Pong,
        _ => return Err("an unknown kind of frame"),
    };
    let (length, size) = match (second & 0x7F, rest) {
        (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            let bytes = [*a, *b, *c, *d, *e, *f, *g, *h];
            (u64::from_be_bytes(bytes), 10)
        }
        (126 | 127, _) => return Ok(None),
        (length, _) => (u64::from(length), 2),
    };
    if length > TAKEN_MAX {
        return Err("a frame that is too long");
    }
    if kind != Kind::Data && (length > 125 || !is_last) {
        return Err("a frame of control that is too long");
    }
    Ok(Some((Head { kind, length }, size)))
}

/// Puts a whole frame behind what is there. The payload is short enough for one.
pub(super) fn put(kind: Kind, mask: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    debug_assert!(payload.len() <= PAYLOAD_MAX, "cut before");
    out.push(match kind {
        Kind::Data => 0x82,
        Kind::Close => 0x88,
        Kind::Ping => 0x89,
        Kind::Pong => 0x8A,
    });
    match u8::try_from(payload.len()) {
        Ok(length @ 0..=125) => out.push(0x80 | length),
        _ => {
            let [.., a, b] = payload.len().to_be_bytes();
            out.extend([0x80 | 126, a, b]);
        }
    }
    out.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    out.extend(masked.map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(bytes: &[u8], expected: Result<Option<(Kind, u64, usize)>, ()>) {
        let found = head(bytes).map_err(drop);
        let found = found.map(|found| found.map(|(head, size)| (head.kind, head.length, size)));
        assert_eq!(found, expected, "{bytes:?}");
    }

    #[test]
    fn heads_are_read() {
        check(&[0x82, 5], Ok(Some((Kind::Data, 5, 2))));
        check(&[0x82, 126, 1, 0], Ok(Some((Kind::Data, 256, 4))));
        check(
            &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, 9],
            Ok(Some((Kind::Data, 65536, 10))),
        );
        check(&[0x02, 0], Ok(Some((Kind::Data, 0, 2))));
        check(&[0x88, 2], Ok(Some((Kind::Close, 2, 2))));
        for short in [&[][..], &[0x82], &[0x82, 126, 1], &[0x82, 127, 0, 0, 0]] {
            check(short, Ok(None));
        }
        for wrong in [
            &[0xC2, 5][..],
            &[0x82, 0x85],
            &[0x83, 5],
            &[0x8B, 0],
            &[0x89, 126, 0, 200],
            &[0x09, 1],
            &[0x82, 127, 0, 0, 0, 0, 2, 0, 0, 0],
            &[0x82, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0],
        ] {
            check(wrong, Err(()));
        }
    }

    #[test]
    fn frames_are_masked_and_whole() {
        let mut out = Vec::new();
        put(Kind::Data, [1, 2, 3, 4], b"abcde", &mut out);
        assert_eq!(out, [0x82, 0x85, 1, 2, 3, 4, 0x60, 0x60, 0x60, 0x60, 0x64]);
        out.clear();
        put(Kind::Data, [0; 4], &[7; PAYLOAD_MAX], &mut out);
        assert_eq!(out[..4], [0x82, 0xFE, 0x80, 0]);
        assert_eq!(out.len(), 8 + PAYLOAD_MAX);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(Some((_, size))) = head(&bytes) {
                prop_assert!(size <= bytes.len());
            }
        }
    }
}
