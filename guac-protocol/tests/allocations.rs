//! Nothing is allocated to decode, scan or encode: a counting allocator watches.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use guac_protocol::codepoint::{self, Level};
use guac_protocol::{Decoded, Decoder, Encoder, Limits, Scanner};

use support::recorded;
use support::synthetic::{self, Profile, Random};
use support::ways;

/// The system's allocator, with a count for each thread: other tests run beside this one.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is at its end has no count any more; nobody asks for it either.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: everything is passed on to the system's allocator as it is; the count is a
// plain number of the thread, without destructor, and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; and the pointer came from there.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs something that must not allocate.
#[track_caller]
fn free_of_allocations<T>(run: impl FnOnce() -> T) -> T {
    let before = ALLOCATIONS.get();
    let result = run();
    let count = ALLOCATIONS.get() - before;
    assert_eq!(count, 0, "allocations");
    result
}

#[test]
fn the_watch_works() {
    let before = ALLOCATIONS.get();
    let mut room = std::hint::black_box(Vec::<u8>::with_capacity(10));
    assert_eq!(ALLOCATIONS.get(), before + 1);
    room.reserve(100);
    assert_eq!(ALLOCATIONS.get(), before + 2);
}

/// Valid streams, broken ones, and such as end anywhere.
fn streams() -> Vec<Vec<u8>> {
    let profiles = Profile::ALL.map(|profile| synthetic::stream(profile, 1, 100_000).bytes);
    let recorded = recorded::vectors();
    let recorded = recorded.iter().map(|stream| stream.bytes().unwrap());
    let cases = synthetic::adversarial(1, 20_000, 2000);
    let cases = cases.into_iter().map(|case| case.bytes);
    profiles.into_iter().chain(recorded).chain(cases).collect()
}

/// Calls something with what a caller has at a time: what is left, and a piece more.
fn feed(stream: &[u8], most: usize, mut parse: impl FnMut(&[u8]) -> Option<usize>) {
    let mut random = Random::new(1);
    let (mut start, mut end) = (0, 0);
    while end < stream.len() {
        end = (end + 1 + random.below(most)).min(stream.len());
        match parse(&stream[start..end]) {
            Some(taken) => start += taken,
            None => return,
        }
    }
}

/// Decodes all instructions one by one, and looks at every value.
fn decode(decoder: &mut Decoder, buffer: &[u8]) -> Option<usize> {
    let mut taken = 0;
    loop {
        match decoder.decode(&buffer[taken..]) {
            Ok(Decoded::Complete {
                instruction,
                consumed,
            }) => {
                let sizes = instruction.elements().map(str::len);
                assert!(sizes.sum::<usize>() < instruction.raw().len());
                assert_eq!(instruction.get(0), Some(instruction.opcode_str()));
                std::hint::black_box(instruction.opcode());
                taken += consumed;
            }
            Ok(Decoded::Incomplete) => return Some(taken),
            Err(_) => return None,
        }
    }
}

fn decode_all(decoder: &mut Decoder, buffer: &[u8]) -> Option<usize> {
    let scan = decoder.decode_all(buffer, |instruction| {
        let sizes = instruction.args().map(str::len);
        assert!(sizes.sum::<usize>() < instruction.raw().len());
    });
    scan.into_result().ok()
}

fn scan(scanner: &mut Scanner, buffer: &[u8]) -> Option<usize> {
    let scan = scanner.scan(buffer, |found| {
        assert!(found.opcode_str(buffer).len() < found.range.len());
    });
    scan.into_result().ok()
}

/// Parses a stream in every way.
fn parse(limits: Limits, level: Level, stream: &[u8], most: usize) {
    let mut decoder = Decoder::with_level(limits, level);
    feed(stream, most, |buffer| decode(&mut decoder, buffer));
    let mut decoder = Decoder::with_level(limits, level);
    feed(stream, most, |buffer| decode_all(&mut decoder, buffer));
    let mut scanner = Scanner::with_level(limits, level);
    feed(stream, most, |buffer| scan(&mut scanner, buffer));
}

#[test]
fn parsing() {
    for stream in streams() {
        for level in ways::levels() {
            for limits in [Limits::GUACD, Limits::JAVA, Limits::NONE] {
                for most in [usize::MAX / 2, 700] {
                    free_of_allocations(|| parse(limits, level, &stream, most));
                }
            }
        }
    }
}

#[test]
fn parsing_by_bytes() {
    for stream in streams().iter().filter(|stream| stream.len() < 150_000) {
        free_of_allocations(|| parse(Limits::GUACD, Level::detect(), stream, 1));
    }
}

#[test]
fn choosing_a_kernel() {
    free_of_allocations(|| {
        assert!(Level::detect().available());
        codepoint::count(&[b'a'; 100])
            + codepoint::offset_of_nth(&[b'a'; 100], 50).unwrap()
            + codepoint::validate(&[b'a'; 100]).unwrap().len()
    });
}

/// Encodes every instruction of a stream again, into room that is there.
fn encode(stream: &[u8], mut put: impl FnMut(&Encoder, guac_protocol::Instruction<'_>)) {
    let encoder = Encoder::new(Limits::NONE);
    let mut decoder = Decoder::new(Limits::NONE);
    free_of_allocations(|| {
        let _ = decoder.decode_all(stream, |instruction| put(&encoder, instruction));
    });
}

#[test]
fn encoding_to_a_slice() {
    for stream in streams() {
        let mut room = vec![0; stream.len()];
        encode(&stream, |encoder, instruction| {
            let length = encoder.encode_slice(&instruction, &mut room).unwrap();
            assert_eq!(&room[..length], instruction.raw());
        });
    }
}

#[test]
fn encoding_to_text() {
    for stream in streams() {
        let mut room = String::with_capacity(stream.len());
        encode(&stream, |encoder, instruction| {
            encoder.encode_fmt(&instruction, &mut room).unwrap();
        });
        assert!(stream.starts_with(room.as_bytes()));
    }
}

#[test]
#[cfg(feature = "alloc")]
fn encoding_to_a_vector() {
    for stream in streams() {
        let mut room = Vec::with_capacity(stream.len());
        encode(&stream, |encoder, instruction| {
            encoder.encode_vec(&instruction, &mut room).unwrap();
        });
        assert!(stream.starts_with(&room));
    }
}

#[test]
#[cfg(feature = "bytes")]
fn encoding_to_bytes() {
    for stream in streams() {
        let mut room = bytes::BytesMut::with_capacity(stream.len());
        encode(&stream, |encoder, instruction| {
            encoder.encode_buf(&instruction, &mut room).unwrap();
        });
        assert!(stream.starts_with(&room));
    }
}

/// What is refused costs nothing either.
#[test]
fn refused_instructions() {
    let value = "世".repeat(9000);
    let many = ["a"; 200];
    free_of_allocations(|| {
        let encoder = Encoder::new(Limits::GUACD);
        assert!(
            encoder
                .encode_slice(&["blob", "1", &value], &mut [0; 10])
                .is_err()
        );
        assert!(encoder.encode_slice(&many, &mut [0; 10]).is_err());
        assert!(encoder.encode_slice(&["nop"], &mut [0; 5]).is_err());
    });
}
