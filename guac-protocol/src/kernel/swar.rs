//! Eight bytes in a `u64`: the kernel of targets without SIMD, and of pieces shorter
//! than a block.

use core::hint::select_unpredictable;

use super::{BLOCK, Kernel, low_bits};

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

/// 1 in each byte that is the first of a codepoint.
#[inline(always)]
fn lead_ones(word: u64) -> u64 {
    lead_bits(word) >> 7
}

/// The same for up to eight bytes; bytes that are not there count as none.
#[inline(always)]
fn short_lead_ones(bytes: &[u8]) -> u64 {
    let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // They overlap, but where they do they agree.
        (Some(first), Some(last)) => {
            let last = u64::from(u32::from_le_bytes(*last));
            u64::from(u32::from_le_bytes(*first)) | (last << (8 * (bytes.len() - 4)))
        }
        _ => (0..bytes.len()).fold(0, |word, i| word | (u64::from(bytes[i]) << (8 * i))),
    };
    lead_ones(word) & low_bits(8 * bytes.len())
}

/// Sums the bytes of a word of ones and zeros up to each byte; the last byte is the sum of
/// all.
#[inline(always)]
fn running_sums(ones: u64) -> u64 {
    ones.wrapping_mul(LOW)
}

/// Index of the byte whose running sum is the first above `n`, which is below the sum of
/// all.
#[inline(always)]
fn first_above(sums: u64, n: u64) -> usize {
    // No sum is above eight: bit 7 of each byte is free to tell what remains.
    let above = ((sums | HIGH) - (n + 1) * LOW) & HIGH;
    (above.trailing_zeros() / 8) as usize
}

/// Two words that hold up to sixteen bytes, as [`lead_ones`]. The second one starts at
/// byte eight.
#[inline(always)]
fn two_words(bytes: &[u8]) -> (u64, u64) {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            // The last word overlaps the first one: what is in both goes.
            let overlap = 8 * (2 * WORD - bytes.len()) as u32;
            let rest = lead_ones(word(last)).checked_shr(overlap).unwrap_or(0);
            (lead_ones(word(first)), rest)
        }
        _ => (short_lead_ones(bytes), 0),
    }
}

/// Counts up to sixteen bytes.
#[inline(always)]
pub(crate) fn count_short(bytes: &[u8]) -> usize {
    let (first, rest) = two_words(bytes);
    (running_sums(first + rest) >> 56) as usize
}

/// As [`super::offset_of_nth`], for up to sixteen bytes.
#[inline(always)]
pub(crate) fn offset_of_nth_short(bytes: &[u8], n: usize) -> Result<usize, usize> {
    let (first, rest) = two_words(bytes);
    let (first, rest) = (running_sums(first), running_sums(rest));
    let (in_first, in_rest) = ((first >> 56) as usize, (rest >> 56) as usize);
    if n < in_first {
        Ok(first_above(first, n as u64))
    } else if n - in_first < in_rest {
        Ok(WORD + first_above(rest, (n - in_first) as u64))
    } else {
        Err(in_first + in_rest)
    }
}

type Found = (u64, u64, usize);

#[inline(always)]
fn select(condition: bool, yes: Found, no: Found) -> Found {
    (
        select_unpredictable(condition, yes.0, no.0),
        select_unpredictable(condition, yes.1, no.1),
        select_unpredictable(condition, yes.2, no.2),
    )
}

/// Where codepoint `n` begins, if it does within the first three words. Which word holds it is anyone's guess, so no branch
/// asks.
#[inline(always)]
pub(crate) fn offset_of_nth_head(bytes: &[u8; 3 * WORD], n: usize) -> Option<usize> {
    let mut sums = [0; 3];
    for (sums, bytes) in sums.iter_mut().zip(bytes.as_chunks().0) {
        *sums = running_sums(lead_ones(word(bytes)));
    }
    let n = n as u64;
    let one = sums[0] >> 56;
    let two = one + (sums[1] >> 56);
    if n >= two + (sums[2] >> 56) {
        return None;
    }
    let first = (sums[0], 0, 0);
    let second = select(n >= one, (sums[1], one, WORD), first);
    let (sums, before, offset) = select(n >= two, (sums[2], two, 2 * WORD), second);
    Some(offset + first_above(sums, n - before))
}

/// Counts a piece that is at least a word and at most a block.
#[inline(always)]
pub(crate) fn count_words(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<WORD>();
    let mut ones = 0;
    for bytes in words {
        ones += lead_ones(word(bytes));
    }
    if let Some(last) = bytes.last_chunk() {
        let overlap = 8 * (WORD - tail.len()) as u32;
        ones += lead_ones(word(last)).checked_shr(overlap).unwrap_or(0);
    }
    // Nine words at most: no byte of the sums overflows.
    (running_sums(ones) >> 56) as usize
}

/// Counts a piece shorter than a block.
#[inline(always)]
pub(crate) fn count(bytes: &[u8]) -> usize {
    if bytes.len() < WORD {
        count_short(bytes)
    } else {
        count_words(bytes)
    }
}

/// As [`super::offset_of_nth`], for a piece shorter than a block.
#[inline(never)]
pub(crate) fn offset_of_nth(bytes: &[u8], n: usize) -> Result<usize, usize> {
    let (mut left, mut offset) = (n as u64, 0);
    let (words, tail) = bytes.as_chunks::<WORD>();
    for bytes in words {
        let sums = running_sums(lead_ones(word(bytes)));
        let found = sums >> 56;
        if left < found {
            return Ok(offset + first_above(sums, left));
        }
        left -= found;
        offset += WORD;
    }
    let sums = running_sums(short_lead_ones(tail));
    if left < sums >> 56 {
        return Ok(offset + first_above(sums, left));
    }
    Err(n - (left - (sums >> 56)) as usize)
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
    fn digits(self, block: Self::Block) -> u64 {
        self.mask(block, |word| {
            // Bit 7 is set by adding where the low bits are 0x3A or more, and 0x30 or more.
            let low = word & !HIGH;
            let above = low + LOW * 0x46;
            let from_zero = low + LOW * 0x50;
            from_zero & !above & !word & HIGH
        })
    }

    #[inline(always)]
    fn bit(self, block: Self::Block, bit: u32) -> u64 {
        self.mask(block, |word| (word << (7 - bit)) & HIGH)
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
