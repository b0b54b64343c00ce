//! The codec in `tokio_util`'s frames, over streams in memory.
#![cfg(feature = "tokio-util")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use futures::executor::block_on;
use futures::{SinkExt, StreamExt};
use guac_protocol::{
    CodecError, EncodeError, Error, ErrorKind, GuacamoleCodec, Limits, Opcode, OwnedInstruction,
};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::codec::{Decoder, Encoder, Framed, FramedRead, FramedWrite};

use support::recorded;
use support::synthetic::{self, Profile, Random};
use support::ways;

/// A stream that gives a few bytes at a time, and then fails or ends.
struct Pieces<'a> {
    rest: &'a [u8],
    random: Random,
    fails: bool,
}

impl<'a> Pieces<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self {
            rest,
            random: Random::new(1),
            fails: false,
        }
    }
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() && self.fails {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let most = self.random.choose(&[1, 50, 10_000]);
        let size = 1 + self.random.below(most);
        let (piece, rest) = self
            .rest
            .split_at(size.min(buffer.remaining()).min(self.rest.len()));
        buffer.put_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

/// Reads all there is: the instructions, and the error after them.
fn read(limits: Limits, stream: Pieces<'_>) -> (Vec<OwnedInstruction>, Option<CodecError>) {
    let mut frames = FramedRead::new(stream, GuacamoleCodec::new(limits));
    let mut found = Vec::new();
    block_on(async {
        while let Some(next) = frames.next().await {
            match next {
                Ok(instruction) => found.push(instruction),
                Err(error) => return (found, Some(error)),
            }
        }
        (found, None)
    })
}

fn check(limits: Limits, stream: &[u8]) -> Option<CodecError> {
    let expected = ways::expected(&limits, stream).instructions;
    let (found, error) = read(limits, Pieces::new(stream));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.raw(), &stream[expected.range.clone()]);
        assert!(
            found
                .elements()
                .eq(expected.elements.iter().map(String::as_str))
        );
    }
    error
}

#[test]
fn reads_synthetic_streams() {
    for profile in Profile::ALL {
        let stream = synthetic::stream(profile, 1, 300_000).bytes;
        let error = check(Limits::GUACD, &stream);
        assert!(error.is_none(), "{error:?}");
    }
}

#[test]
fn reads_recorded_streams() {
    for stream in recorded::vectors() {
        let bytes = stream.bytes().unwrap();
        let error = check(Limits::NONE, &bytes);
        let tail = stream.counts["tail_bytes"].as_u64().unwrap();
        match error {
            None => assert_eq!(tail, 0),
            Some(CodecError::UnexpectedEnd { bytes }) => assert_eq!(bytes as u64, tail),
            Some(CodecError::Decode(error)) => {
                assert_eq!(
                    Some(error.offset),
                    stream.counts["error"]["offset"].as_u64()
                );
            }
            Some(error) => panic!("{}: {error}", stream.name()),
        }
    }
}

#[test]
fn the_end_of_a_stream() {
    let end = |stream: &str| check(Limits::GUACD, stream.as_bytes());
    assert!(end("").is_none());
    assert!(end("3.nop;").is_none());
    for stream in [
        "3",
        "3.",
        "3.nop",
        "3.nop,",
        "3.nop;4.sync,1",
        "10.disconnect;4.rect,",
    ] {
        let tail = stream.len() - stream.find(';').map_or(0, |end| end + 1);
        let error = end(stream).expect(stream);
        assert!(matches!(error, CodecError::UnexpectedEnd { bytes } if bytes == tail));
        assert!(error.to_string().contains(&format!("{tail} bytes")));
        assert!(error.source().is_none());
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
    }
}

/// What came before the end is given out first, all of it.
#[test]
fn what_is_left_at_the_end() {
    let mut codec = GuacamoleCodec::default();
    let mut buffer = BytesMut::from("3.nop;4.sync,1.1;3.no");
    let opcode = |found: Option<OwnedInstruction>| found.map(|found| found.opcode());
    assert_eq!(
        opcode(codec.decode_eof(&mut buffer).unwrap()),
        Some(Opcode::Nop)
    );
    assert_eq!(
        opcode(codec.decode_eof(&mut buffer).unwrap()),
        Some(Opcode::Sync)
    );
    let error = codec.decode_eof(&mut buffer).unwrap_err();
    assert!(matches!(error, CodecError::UnexpectedEnd { bytes: 4 }));
}

#[test]
fn malformed_streams() {
    let error = check(Limits::GUACD, b"3.nop;4.sync;3.nope;3.nop;");
    let Some(CodecError::Decode(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (error.kind, error.offset),
        (ErrorKind::InvalidTerminator, 18)
    );
    let error = CodecError::from(error);
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<Error>());
    assert_eq!(source.map(|error| error.offset), Some(18));
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
}

#[test]
fn limits_for_reading() {
    let stream = b"5.hello,5.world;";
    let small = Limits {
        element_codepoints: 4,
        ..Limits::GUACD
    };
    let error = check(small, stream);
    assert!(
        matches!(error, Some(CodecError::Decode(error)) if error.kind == ErrorKind::ElementTooLong)
    );
    // Only for what is written:
    let codec = GuacamoleCodec::new(Limits::GUACD).with_peer_limits(small);
    let mut frames = FramedRead::new(&stream[..], codec);
    assert!(block_on(frames.next()).unwrap().is_ok());
}

#[test]
fn a_failing_connection() {
    let mut stream = Pieces::new(b"3.nop;4.sy");
    stream.fails = true;
    let (found, error) = read(Limits::GUACD, stream);
    assert_eq!(found.len(), 1);
    let error = error.unwrap();
    assert!(
        matches!(&error, CodecError::Io(error) if error.kind() == io::ErrorKind::ConnectionReset)
    );
    assert!(error.source().is_some());
    assert_eq!(
        io::Error::from(error).kind(),
        io::ErrorKind::ConnectionReset
    );
}

#[test]
fn writes() {
    let mut frames = FramedWrite::new(Vec::new(), GuacamoleCodec::new(Limits::GUACD));
    let mut buffer = BytesMut::from("4.sync,3.123;");
    let sync = GuacamoleCodec::default()
        .decode(&mut buffer)
        .unwrap()
        .unwrap();
    block_on(async {
        frames.send(&["select", "vnc"]).await.unwrap();
        frames.send(&["name", "Grüße 世界;"][..]).await.unwrap();
        frames.send(&sync).await.unwrap();
        frames.send(sync).await.unwrap();
    });
    let written = "6.select,3.vnc;4.name,9.Grüße 世界;;4.sync,3.123;4.sync,3.123;";
    assert_eq!(frames.get_ref(), written.as_bytes());
}

#[test]
fn limits_for_writing() {
    let codec = GuacamoleCodec::new(Limits::GUACD).with_peer_limits(Limits::JAVA);
    let mut buffer = BytesMut::from("before");
    let value = "A".repeat(8192);
    let error = codec
        .clone()
        .encode(&["blob", "1", &value], &mut buffer)
        .unwrap_err();
    assert!(matches!(
        error,
        CodecError::Encode(EncodeError::InstructionTooLong)
    ));
    assert!(error.source().is_some());
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
    assert_eq!(buffer, "before");
    let mut same = GuacamoleCodec::new(Limits::GUACD);
    same.encode(&["blob", "1", &value], &mut buffer).unwrap();
    assert_eq!(buffer.len(), "before4.blob,1.1,8192.;".len() + value.len());
}

#[test]
fn both_ways() {
    let (client, server) = tokio::io::duplex(64);
    let mut client = Framed::new(client, GuacamoleCodec::default());
    let mut server = Framed::new(server, GuacamoleCodec::default());
    let value = "世界🚀".repeat(2000);
    block_on(async {
        let ask = async {
            client.send(&["blob", "0", &value]).await.unwrap();
            client.next().await.unwrap().unwrap()
        };
        let answer = async {
            let asked = server.next().await.unwrap().unwrap();
            server.send(&asked).await.unwrap();
        };
        let (answered, ()) = futures::future::join(ask, answer).await;
        assert_eq!(answered.get(2), Some(&value[..]));
    });
    drop(client);
    assert!(block_on(server.next()).is_none());
}

/// However much a peer announces, memory is taken only for what it sends.
#[test]
fn memory_is_bounded() {
    let mut codec = GuacamoleCodec::new(Limits::NONE);
    let mut buffer = BytesMut::from("4.blob,12.999999999999,999999999999.");
    for _ in 0..100 {
        assert!(codec.decode(&mut buffer).unwrap().is_none());
    }
    assert!(buffer.capacity() <= 16 << 10, "{} bytes", buffer.capacity());
    // A stream of many megabytes needs no more than an instruction and a read.
    let stream = synthetic::stream(Profile::Blob, 3, 3 << 20).bytes;
    let mut frames = FramedRead::new(&stream[..], GuacamoleCodec::default());
    let mut largest = 0;
    while let Some(next) = block_on(frames.next()) {
        assert!(next.is_ok());
        largest = largest.max(frames.read_buffer().capacity());
    }
    assert!(largest <= 64 << 10, "{largest} bytes");
}
