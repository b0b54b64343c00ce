//! Eight bytes in a `u64`: the kernel of targets without SIMD, and of pieces shorter
//! than a block.

use super::{BLOCK, Kernel, low_bits, select};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Swar;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const WORD: usize = 8;

/// Bit 7 of each byte that is the first of a codepoint: bit 7 clear or bit 6 set.
#[inline(always)]
fn lead_bits(word: u64) -> u64 {
    (!word | (word << 1)) & HIGH
}

/// Packs bit 7 of each byte into eight bits, the first byte lowest.
#[inline(always)]
fn pack(bits: u64) -> u64 {
    (bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[inline(always)]
fn word(bytes: &[u8; WORD]) -> u64 {
    u64::from_le_bytes(*bytes)
}

/// Up to eight bytes with zeros after them.
#[inline(always)]
fn padded(bytes: &[u8]) -> u64 {
    let mut padded = 0;
    for (i, &byte) in bytes.iter().take(WORD).enumerate() {
        padded |= u64::from(byte) << (8 * i);
    }
    padded
}

/// Counts a short piece.
#[inline(always)]
pub(crate) fn count(bytes: &[u8]) -> usize {
    if let Some(last) = bytes.last_chunk::<WORD>() {
        let (words, tail) = bytes.as_chunks::<WORD>();
        let mut total = 0;
        for bytes in words {
            total += lead_bits(word(bytes)).count_ones() as usize;
        }
        // The last word overlaps what was counted: shift that out.
        let overlap = 8 * (WORD - tail.len());
        let rest = lead_bits(word(last)).checked_shr(overlap as u32);
        return total + rest.unwrap_or(0).count_ones() as usize;
    }
    bytes.iter().filter(|&&b| super::scalar::is_lead(b)).count()
}

/// As [`super::offset_of_nth`], for a piece shorter than a block.
#[inline(always)]
pub(crate) fn offset_of_nth(bytes: &[u8], n: usize) -> Result<usize, usize> {
    let (mut left, mut offset) = (n, 0);
    for piece in bytes.chunks(WORD) {
        let bits = match piece.first_chunk::<WORD>() {
            Some(piece) => pack(lead_bits(word(piece))),
            None => pack(lead_bits(padded(piece))) & low_bits(piece.len()),
        };
        let found = bits.count_ones() as usize;
        if found > left {
            return Ok(offset + select(bits, left as u32) as usize);
        }
        left -= found;
        offset += piece.len();
    }
    Err(n - left)
}

impl Swar {
    #[inline(always)]
    fn mask(self, block: [u64; 8], bits: impl Fn(u64) -> u64) -> u64 {
        let mut mask = 0;
        for (i, &word) in block.iter().enumerate() {
            mask |= pack(bits(word)) << (8 * i);
        }
        mask
    }
}

impl Kernel for Swar {
    type Block = [u64; 8];
    type Tally = u64;

    const MASKS: bool = false;
    /// Each byte of a tally grows by at most eight with a block.
    const TALLY_BLOCKS: usize = 31;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        let mut block = [0; 8];
        for (to, from) in block.iter_mut().zip(bytes.as_chunks::<WORD>().0) {
            *to = word(from);
        }
        block
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        let all = LOW * u64::from(byte);
        self.mask(block, |word| {
            let differs = word ^ all;
            // Exact, unlike the shorter trick: no carry crosses a byte.
            !(((differs & !HIGH) + !HIGH) | differs) & HIGH
        })
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        self.mask(block, |word| word & HIGH)
    }

    #[inline(always)]
    fn any_non_ascii(self, blocks: [Self::Block; 4]) -> bool {
        blocks.iter().flatten().fold(0, |any, word| any | word) & HIGH != 0
    }

    #[inline(always)]
    fn leads(self, block: Self::Block) -> u64 {
        self.mask(block, lead_bits)
    }

    #[inline(always)]
    fn tally(self) -> u64 {
        0
    }

    #[inline(always)]
    fn tally_add(self, tally: u64, block: Self::Block) -> u64 {
        block
            .iter()
            .fold(tally, |tally, &word| tally + (lead_bits(word) >> 7))
    }

    #[inline(always)]
    fn tally_sum(self, tally: u64) -> usize {
        // Adds neighbours to 16-bit sums, so that the total cannot overflow a byte.
        let even = 0x00FF_00FF_00FF_00FF;
        let pairs = (tally & even) + ((tally >> 8) & even);
        (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize
    }
}
