//! UTF-8: validation together with counting.
//!
//! The vector form is the algorithm of Keiser and Lemire, "Validating UTF-8 In Less
//! Than One Instruction Per Byte" (2020): three table look-ups by the nibbles of two
//! neighbouring bytes, whose conjunction names every error of two bytes; what is left
//! are continuation bytes in the third and fourth place.

use super::{BLOCK, Kernel};

/// The offset where exactly `n` codepoints end, and the check of what is in front of it,
/// one after the other; for kernels without [`Kernel::advance`] of their own.
#[inline(always)]
pub(super) fn advance_by_parts<K: Kernel>(kernel: K, bytes: &[u8], n: usize) -> Option<usize> {
    let ascii = ascii_prefix(kernel, bytes.get(..n)?);
    if ascii == n {
        return (n < bytes.len() && super::scalar::is_lead(bytes[n])).then_some(n);
    }
    let rest = &bytes[ascii..];
    let length = super::offset_of_nth(kernel, rest, n - ascii).ok()?;
    kernel.is_utf8(&rest[..length]).then_some(ascii + length)
}

/// A length of leading bytes that are ASCII: all of them, or some multiple of a block.
#[inline(always)]
pub(super) fn ascii_prefix<K: Kernel>(kernel: K, bytes: &[u8]) -> usize {
    let mut done = 0;
    while let Some(group) = bytes[done..].first_chunk::<{ 4 * BLOCK }>() {
        if kernel.any_non_ascii(kernel.load_four(group)) {
            return done;
        }
        done += group.len();
    }
    while let Some(block) = bytes[done..].first_chunk::<BLOCK>() {
        if kernel.non_ascii(kernel.load(block)) != 0 {
            return done;
        }
        done += BLOCK;
    }
    if bytes[done..].is_ascii() {
        bytes.len()
    } else {
        done
    }
}

/// Vector registers that can look up nibbles.
pub(super) trait Lookup: Kernel {
    /// The state between blocks: the block before, and the errors so far.
    type Check: Copy;
    fn check(self) -> Self::Check;
    /// Takes a block that is all ASCII.
    fn check_ascii(self, check: Self::Check) -> Self::Check;
    fn check_block(self, check: Self::Check, block: Self::Block) -> Self::Check;
    fn failed(self, check: Self::Check) -> bool;
}

/// State of [`Lookup`] between vectors `V`: the one before, and all errors.
#[derive(Clone, Copy)]
pub(crate) struct Check<V> {
    pub(super) before: V,
    pub(super) errors: V,
}

/// For the end of a vector: greater bytes there begin a sequence that the vector cuts.
pub(super) const fn complete_end<const N: usize>() -> [u8; N] {
    let mut bytes = [0xFF; N];
    bytes[N - 3] = 0xF0 - 1;
    bytes[N - 2] = 0xE0 - 1;
    bytes[N - 1] = 0xC0 - 1;
    bytes
}

/// [`Kernel::advance`] in one pass. The block in which the codepoints end also holds
/// the byte after them, so that a sequence cut short there is seen; what else follows
/// in the block may raise a false alarm, and then the careful path decides.
#[inline(always)]
pub(super) fn advance<K: Lookup>(kernel: K, bytes: &[u8], n: usize) -> Option<usize> {
    let mut left = n;
    let mut offset = 0;
    let mut check = kernel.check();
    while let Some(block) = bytes[offset..].first_chunk::<BLOCK>() {
        if left >= 4 * BLOCK
            && let Some(group) = bytes[offset..].first_chunk::<{ 4 * BLOCK }>()
        {
            let blocks = kernel.load_four(group);
            if !kernel.any_non_ascii(blocks) {
                check = kernel.check_ascii(check);
                left -= group.len();
            } else {
                let mut tally = kernel.tally();
                for block in blocks {
                    tally = kernel.tally_add(tally, block);
                    check = kernel.check_block(check, block);
                }
                left -= kernel.tally_sum(tally);
            }
            offset += group.len();
            continue;
        }
        let block = kernel.load(block);
        let leads = kernel.leads(block);
        check = kernel.check_block(check, block);
        let found = leads.count_ones() as usize;
        if found > left {
            let end = offset + kernel.select(leads, left as u32) as usize;
            return (!kernel.failed(check)).then_some(end);
        }
        left -= found;
        offset += BLOCK;
    }
    let mut last = [0; BLOCK];
    let tail = &bytes[offset..];
    last[..tail.len()].copy_from_slice(tail);
    let block = kernel.load(&last);
    let leads = kernel.leads(block) & super::low_bits(tail.len());
    check = kernel.check_block(check, block);
    if leads.count_ones() as usize > left && !kernel.failed(check) {
        return Some(offset + kernel.select(leads, left as u32) as usize);
    }
    None
}

/// [`Kernel::is_utf8`] by vectors. The zeros after the last bytes count as the byte that
/// shows a sequence cut short.
#[inline(always)]
pub(super) fn is_utf8<K: Lookup>(kernel: K, bytes: &[u8]) -> bool {
    if bytes.len() < BLOCK && bytes.is_ascii() {
        return true;
    }
    let mut check = kernel.check();
    let (groups, rest) = bytes.as_chunks::<{ 4 * BLOCK }>();
    for group in groups {
        let blocks = kernel.load_four(group);
        if kernel.any_non_ascii(blocks) {
            for block in blocks {
                check = kernel.check_block(check, block);
            }
        } else {
            check = kernel.check_ascii(check);
        }
    }
    let (blocks, tail) = rest.as_chunks::<BLOCK>();
    for block in blocks {
        check = kernel.check_block(check, kernel.load(block));
    }
    let mut last = [0; BLOCK];
    last[..tail.len()].copy_from_slice(tail);
    check = kernel.check_block(check, kernel.load(&last));
    !kernel.failed(check)
}

/// Bits of the errors in the tables. `CARRY` are those whose first byte can have any
/// low nibble.
mod error {
    pub(super) const TOO_SHORT: u8 = 1 << 0;
    pub(super) const TOO_LONG: u8 = 1 << 1;
    pub(super) const OVERLONG_3: u8 = 1 << 2;
    pub(super) const TOO_LARGE: u8 = 1 << 3;
    pub(super) const SURROGATE: u8 = 1 << 4;
    pub(super) const OVERLONG_2: u8 = 1 << 5;
    pub(super) const OVERLONG_4: u8 = 1 << 6;
    /// F5 to FF followed by 80 to 8F. It shares a bit with [`OVERLONG_4`]: the low
    /// nibble tells them apart.
    pub(super) const TOO_LARGE_1000: u8 = 1 << 6;
    /// Two continuations: an error unless a longer sequence asks for it.
    pub(super) const TWO_CONTINUATIONS: u8 = 1 << 7;
    pub(super) const CARRY: u8 = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS;
}

use error::{
    CARRY, OVERLONG_2, OVERLONG_3, OVERLONG_4, SURROGATE, TOO_LARGE, TOO_LARGE_1000, TOO_LONG,
    TOO_SHORT, TWO_CONTINUATIONS,
};

/// By the high nibble of the first of two bytes.
pub(super) const FIRST_HIGH: [u8; 16] = {
    let mut table = [TOO_LONG; 16];
    let mut i = 8;
    while i < 12 {
        table[i] = TWO_CONTINUATIONS;
        i += 1;
    }
    table[0xC] = TOO_SHORT | OVERLONG_2;
    table[0xD] = TOO_SHORT;
    table[0xE] = TOO_SHORT | OVERLONG_3 | SURROGATE;
    table[0xF] = TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4;
    table
};

/// By the low nibble of the first of two bytes.
pub(super) const FIRST_LOW: [u8; 16] = {
    let mut table = [CARRY | TOO_LARGE | TOO_LARGE_1000; 16];
    table[0] = CARRY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4;
    table[1] = CARRY | OVERLONG_2;
    table[2] = CARRY;
    table[3] = CARRY;
    table[4] = CARRY | TOO_LARGE;
    table[0xD] |= SURROGATE;
    table
};

/// By the high nibble of the second of two bytes.
pub(super) const SECOND_HIGH: [u8; 16] = {
    let mut table = [TOO_SHORT; 16];
    let any = TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS;
    table[0x8] = any | OVERLONG_3 | OVERLONG_4 | TOO_LARGE_1000;
    table[0x9] = any | OVERLONG_3 | TOO_LARGE;
    table[0xA] = any | SURROGATE | TOO_LARGE;
    table[0xB] = any | SURROGATE | TOO_LARGE;
    table
};

/// Subtracted with saturation, these leave bit 7 where the byte is a lead of three
/// (`E0`) or of four (`F0`) bytes or more.
pub(super) const THIRD_PLACE: u8 = 0xE0 - 0x80;
pub(super) const FOURTH_PLACE: u8 = 0xF0 - 0x80;
