//! Argon2id (RFC 9106) of one lane, in steps with pauses between them.
//!
//! The crate `argon2` computes a hash in one go, 14 ms of a processor, and offers no place to
//! pause. Linux hands a thread that waits for one processor to another only once that one has
//! nothing to do at all, so computations in one go keep others waiting, whatever their
//! priority: beside 20 log-ins a second the p99 of busy tunnels on two processors grew by 40
//! to 80 %. With pauses every 150 µs it grows by 4 %.
//!
//! New hashes are made by the crate, and what this module computes is only compared with them:
//! were it wrong, no password would be right. It has 15 ms of work where the crate has 14, and
//! takes 24 ms with its pauses.

use argon2::{Algorithm, Block, Params, Version};
use blake2::digest::Output;
use blake2::{Blake2b256, Blake2b512, Digest};
use fearless_simd::Level;

/// The hash of a password.
pub(super) type Tag = [u8; TAG];

const TAG: usize = 32;
/// Parts of a pass. A block refers to others of its own part or of parts that are done.
const SLICES: usize = 4;
/// Blocks between two pauses, of 38,912 for a password.
const STEP: usize = 384;
/// The first two blocks come from the password.
const FIRST: usize = 2;
const LOW: u64 = 0xffff_ffff;

/// Whether hashes of this kind can be computed here: those of all passwords that were set here.
pub(super) fn can(algorithm: Algorithm, version: Version, params: &Params, tag: usize) -> bool {
    let kind = (algorithm, version) == (Algorithm::Argon2id, Version::V0x13);
    let plain = params.data().is_empty() && params.keyid().is_empty();
    kind && plain && params.p_cost() == 1 && tag == TAG
}

/// Computes the hash in the given memory, which has to have as many blocks as `params` say.
pub(super) fn hash(
    password: &[u8],
    salt: &[u8],
    params: &Params,
    memory: &mut [Block],
    pause: impl FnMut(),
) -> Tag {
    let seed = seed(password, salt, params);
    for (number, block) in (0..).zip(memory.iter_mut().take(FIRST)) {
        expand(&seed, number, block);
    }
    fill(memory, params.t_cost(), pause);
    tag(memory.last().unwrap_or(&Block::new()))
}

/// H0 of section 3.2.
fn seed(password: &[u8], salt: &[u8], params: &Params) -> Output<Blake2b512> {
    let mut seed = Blake2b512::new();
    let (lanes, tag) = (params.p_cost(), TAG as u32);
    let (version, kind) = (u32::from(Version::V0x13), Algorithm::Argon2id as u32);
    for number in [lanes, tag, params.m_cost(), params.t_cost(), version, kind] {
        seed.update(number.to_le_bytes());
    }
    // There is neither a secret nor associated data.
    for text in [password, salt, &[], &[]] {
        seed.update((text.len() as u32).to_le_bytes());
        seed.update(text);
    }
    seed.finalize()
}

/// H' of section 3.3, for a block: half of each hash of the one before, and all of the last.
fn expand(seed: &[u8], number: u32, block: &mut Block) {
    let (words, _) = block.as_mut().as_chunks_mut::<4>();
    let mut hash = Blake2b512::new()
        .chain_update((Block::SIZE as u32).to_le_bytes())
        .chain_update(seed)
        .chain_update(number.to_le_bytes())
        .chain_update(0_u32.to_le_bytes()) // the lane
        .finalize();
    let Some((last, halves)) = words.split_last_mut() else {
        return;
    };
    for (number, half) in halves.iter_mut().enumerate() {
        if number > 0 {
            hash = Blake2b512::digest(hash);
        }
        load(half, &hash[..TAG]);
    }
    load(last, &hash[TAG..]);
}

fn load(words: &mut [u64; 4], bytes: &[u8]) {
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
}

/// H' of section 3.3, for what fits into one hash.
fn tag(last: &Block) -> Tag {
    let mut tag = Blake2b256::new_with_prefix((TAG as u32).to_le_bytes());
    for word in last.as_ref() {
        tag.update(word.to_le_bytes());
    }
    tag.finalize().into()
}

fn fill(memory: &mut [Block], passes: u32, mut pause: impl FnMut()) {
    let all = All {
        level: Level::new(),
        blocks: memory.len(),
        passes,
    };
    let mut filled = FIRST;
    for pass in 0..passes {
        for slice in 0..SLICES {
            let mut segment = Segment::new(all, pass, slice);
            for index in segment.start()..all.segment() {
                segment.fill(memory, index);
                filled += 1;
                if filled.is_multiple_of(STEP) {
                    pause();
                }
            }
        }
    }
}

/// What is the same for the whole of a hash.
#[derive(Clone, Copy)]
struct All {
    level: Level,
    blocks: usize,
    passes: u32,
}

impl All {
    /// Blocks of a slice.
    const fn segment(self) -> usize {
        self.blocks / SLICES
    }
}

/// A slice of a pass.
struct Segment {
    all: All,
    pass: u32,
    slice: usize,
    /// Where blocks refer to, as long as that does not depend on the password.
    addresses: Option<Addresses>,
}

impl Segment {
    fn new(all: All, pass: u32, slice: usize) -> Self {
        let independent = pass == 0 && slice < SLICES / 2;
        Self {
            all,
            pass,
            slice,
            addresses: independent.then(|| Addresses::new(all, slice)),
        }
    }

    const fn start(&self) -> usize {
        if self.pass == 0 && self.slice == 0 {
            FIRST
        } else {
            0
        }
    }

    fn fill(&mut self, memory: &mut [Block], index: usize) {
        let this = self.slice * self.all.segment() + index;
        let previous = this.checked_sub(1).unwrap_or(self.all.blocks - 1);
        let random = match &mut self.addresses {
            Some(addresses) => addresses.get(self.all.level, index),
            None => memory[previous].as_ref()[0],
        };
        let other = self.reference(index, random);
        let block = compress(self.all.level, &memory[previous], &memory[other]);
        if self.pass == 0 {
            memory[this] = block;
        } else {
            memory[this] ^= &block;
        }
    }

    /// Section 3.4: a number turned into one of the blocks that may be referred to, the nearer
    /// the likelier.
    const fn reference(&self, index: usize, random: u64) -> usize {
        let (blocks, segment) = (self.all.blocks, self.all.segment());
        // In the first pass those from the beginning on, then those after this slice.
        let (from, size) = if self.pass == 0 {
            (0, self.slice * segment + index - 1)
        } else {
            let next = (self.slice + 1) % SLICES;
            (next * segment, blocks - segment + index - 1)
        };
        let square = ((random & LOW) * (random & LOW)) >> 32;
        let back = (size as u64 * square) >> 32;
        (from + size - 1 - back as usize) % blocks
    }
}

/// Numbers that depend on nothing but the place; section 3.4.1.2.
struct Addresses {
    input: Block,
    numbers: Block,
}

impl Addresses {
    /// Those of a slice of the first pass.
    fn new(all: All, slice: usize) -> Self {
        let mut input = Block::new();
        let (pass, lane, kind) = (0, 0, Algorithm::Argon2id as u64);
        let (blocks, passes) = (all.blocks as u64, all.passes.into());
        let place = [pass, lane, slice as u64, blocks, passes, kind];
        for (word, value) in input.as_mut().iter_mut().zip(place) {
            *word = value;
        }
        let mut addresses = Self {
            input,
            numbers: Block::new(),
        };
        addresses.next(all.level);
        addresses
    }

    fn next(&mut self, level: Level) {
        let zero = Block::new();
        self.input.as_mut()[6] += 1;
        let once = compress(level, &zero, &self.input);
        self.numbers = compress(level, &zero, &once);
    }

    /// They have to be asked for one after the other.
    fn get(&mut self, level: Level, index: usize) -> u64 {
        let numbers = self.numbers.as_ref().len();
        if index > 0 && index.is_multiple_of(numbers) {
            self.next(level);
        }
        self.numbers.as_ref()[index % numbers]
    }
}

/// G of section 3.5.
fn compress(level: Level, left: &Block, right: &Block) -> Block {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = level.as_avx2() {
        return fearless_simd::Simd::vectorize(
            avx2,
            #[inline(always)]
            || compressed(left, right),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = level;
    compressed(left, right)
}

/// The blocks are eight rows of eight pairs of words.
#[inline(always)]
fn compressed(left: &Block, right: &Block) -> Block {
    let mixed = *left ^ right;
    let mut block = mixed;
    let (rows, _) = block.as_mut().as_chunks_mut();
    for row in rows.iter_mut() {
        permute(row);
    }
    for column in 0..8 {
        permute_column(rows, 2 * column);
    }
    block ^= &mixed;
    block
}

#[inline(always)]
fn permute_column(rows: &mut [[u64; 16]], at: usize) {
    let mut column = [0; 16];
    for (pair, row) in column.as_chunks_mut().0.iter_mut().zip(rows.iter()) {
        *pair = [row[at], row[at + 1]];
    }
    permute(&mut column);
    for (pair, row) in column.as_chunks().0.iter().zip(rows) {
        [row[at], row[at + 1]] = *pair;
    }
}

/// P of section 3.6: the round of BLAKE2b without a message, and with products in its sums.
#[inline(always)]
fn permute(words: &mut [u64; 16]) {
    // As a loop it takes twice as long.
    quarter(words, [0, 4, 8, 12]);
    quarter(words, [1, 5, 9, 13]);
    quarter(words, [2, 6, 10, 14]);
    quarter(words, [3, 7, 11, 15]);
    quarter(words, [0, 5, 10, 15]);
    quarter(words, [1, 6, 11, 12]);
    quarter(words, [2, 7, 8, 13]);
    quarter(words, [3, 4, 9, 14]);
}

#[inline(always)]
fn quarter(words: &mut [u64; 16], [a, b, c, d]: [usize; 4]) {
    mix(words, [a, b, d], 32);
    mix(words, [c, d, b], 24);
    mix(words, [a, b, d], 16);
    mix(words, [c, d, b], 63);
}

#[inline(always)]
fn mix(words: &mut [u64; 16], [sum, more, turned]: [usize; 3], by: u32) {
    let (a, b) = (words[sum], words[more]);
    let product = (a & LOW) * (b & LOW);
    words[sum] = a.wrapping_add(b).wrapping_add(product << 1);
    words[turned] = (words[turned] ^ words[sum]).rotate_right(by);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use argon2::Argon2;

    fn here(password: &[u8], salt: &[u8], params: &Params) -> (Tag, usize) {
        // What was in the memory before does not matter.
        let mut memory = vec![Block::new(); params.block_count()];
        for block in &mut memory {
            block.as_mut().fill(0x5555_aaaa_0123_4567);
        }
        let mut pauses = 0;
        let tag = hash(password, salt, params, &mut memory, || pauses += 1);
        (tag, pauses)
    }

    /// Those of the reference implementation's own test with one lane.
    #[test]
    fn known_hashes() {
        for (memory, password, salt, known) in [
            (
                1 << 16,
                "password",
                "somesalt",
                "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
            ),
            (
                1 << 8,
                "password",
                "somesalt",
                "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
            ),
            (
                1 << 16,
                "differentpassword",
                "somesalt",
                "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde",
            ),
            (
                1 << 16,
                "password",
                "diffsalt",
                "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c",
            ),
        ] {
            let params = Params::new(memory, 2, 1, Some(TAG)).unwrap();
            let (tag, _) = here(password.as_bytes(), salt.as_bytes(), &params);
            let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(tag, known, "{memory} {password} {salt}");
        }
    }

    proptest::proptest! {
        #[test]
        fn as_the_crate_computes_it(
            password: Vec<u8>,
            salt in proptest::collection::vec(proptest::num::u8::ANY, 8..80),
            memory in 8_u32..3000,
            passes in 1_u32..5,
        ) {
            let params = Params::new(memory, passes, 1, Some(TAG)).unwrap();
            assert!(can(Algorithm::Argon2id, Version::V0x13, &params, TAG));
            let (tag, pauses) = here(&password, &salt, &params);
            assert_eq!(pauses, params.block_count() * passes as usize / STEP);
            let mut other = Tag::default();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            argon2.hash_password_into(&password, &salt, &mut other).unwrap();
            assert_eq!(tag, other);
        }
    }

    #[test]
    fn other_kinds_are_left_to_the_crate() {
        let [plain, lanes] = [1, 2].map(|lanes| Params::new(64, 2, lanes, None).unwrap());
        let keyid = argon2::KeyId::new(b"key").unwrap();
        let keyed = argon2::ParamsBuilder::new().keyid(keyid).build().unwrap();
        assert!(can(Algorithm::Argon2id, Version::V0x13, &plain, TAG));
        assert!(can(
            Algorithm::Argon2id,
            Version::V0x13,
            &Params::default(),
            TAG
        ));
        assert!(!can(Algorithm::Argon2i, Version::V0x13, &plain, TAG));
        assert!(!can(Algorithm::Argon2id, Version::V0x10, &plain, TAG));
        assert!(!can(Algorithm::Argon2id, Version::V0x13, &lanes, TAG));
        assert!(!can(Algorithm::Argon2id, Version::V0x13, &plain, 64));
        assert!(!can(Algorithm::Argon2id, Version::V0x13, &keyed, TAG));
    }
}
