//! WebAssembly: fixed-width SIMD (`simd128`).
//!
//! A module either is compiled for it or not, so there is nothing to detect; and but for
//! the load, its intrinsics are safe.

use core::arch::wasm32::*;

use super::utf8::{
    Check, FIRST_HIGH, FIRST_LOW, FOURTH_PLACE, Lookup, SECOND_HIGH, THIRD_PLACE, complete_end,
};
use super::{BLOCK, Kernel, utf8};

/// Greatest continuation byte as a signed number: greater ones begin a codepoint.
const LAST_CONTINUATION: i8 = 0xBF_u8 as i8;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Simd128;

#[inline(always)]
fn vector(bytes: &[u8; 16]) -> v128 {
    // SAFETY: the load reads the 16 bytes, and asks for no alignment.
    unsafe { v128_load(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn or([a, b, c, d]: [v128; 4]) -> v128 {
    v128_or(v128_or(a, b), v128_or(c, d))
}

/// Bit 7 of each byte.
#[inline(always)]
fn pack(vectors: [v128; 4]) -> u64 {
    let [a, b, c, d] = vectors.map(|v| u64::from(u8x16_bitmask(v)));
    a | (b << 16) | (c << 32) | (d << 48)
}

#[inline(always)]
fn vector_leads(v: v128) -> v128 {
    i8x16_gt(v, i8x16_splat(LAST_CONTINUATION))
}

impl Kernel for Simd128 {
    type Block = [v128; 4];
    type Tally = v128;

    const MASKS: bool = true;
    /// Each byte of a tally grows by at most four with a block.
    const TALLY_BLOCKS: usize = 63;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        let (vectors, _) = bytes.as_chunks::<16>();
        [0, 1, 2, 3].map(|i| vector(&vectors[i]))
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        let byte = u8x16_splat(byte);
        pack(block.map(|v| u8x16_eq(v, byte)))
    }

    #[inline(always)]
    fn digits(self, block: Self::Block) -> u64 {
        let (zero, ten) = (u8x16_splat(b'0'), u8x16_splat(10));
        pack(block.map(|v| u8x16_lt(u8x16_sub(v, zero), ten)))
    }

    #[inline(always)]
    fn bit(self, block: Self::Block, bit: u32) -> u64 {
        pack(block.map(|v| i8x16_shl(v, 7 - bit)))
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        pack(block)
    }

    #[inline(always)]
    fn any_non_ascii(self, blocks: [Self::Block; 4]) -> bool {
        u8x16_bitmask(or(blocks.map(or))) != 0
    }

    #[inline(always)]
    fn leads(self, block: Self::Block) -> u64 {
        pack(block.map(vector_leads))
    }

    #[inline(always)]
    fn tally(self) -> v128 {
        u8x16_splat(0)
    }

    #[inline(always)]
    fn tally_add(self, tally: v128, block: Self::Block) -> v128 {
        block
            .into_iter()
            .fold(tally, |tally, v| u8x16_sub(tally, vector_leads(v)))
    }

    #[inline(always)]
    fn tally_sum(self, tally: v128) -> usize {
        let fours = u32x4_extadd_pairwise_u16x8(u16x8_extadd_pairwise_u8x16(tally));
        let low = u32x4_extract_lane::<0>(fours) + u32x4_extract_lane::<1>(fours);
        let high = u32x4_extract_lane::<2>(fours) + u32x4_extract_lane::<3>(fours);
        (low + high) as usize
    }

    #[inline(always)]
    fn advance(self, bytes: &[u8], n: usize) -> Option<usize> {
        utf8::advance(self, bytes, n)
    }

    #[inline(always)]
    fn is_utf8(self, bytes: &[u8]) -> bool {
        utf8::is_utf8(self, bytes)
    }
}

/// The high nibble and the low nibble of one byte and the high nibble of the byte after
/// it, looked up: what all three tables name is wrong with the two.
#[inline(always)]
fn pairs(first: v128, second: v128) -> v128 {
    let first_high = u8x16_swizzle(vector(&FIRST_HIGH), u8x16_shr(first, 4));
    let low = v128_and(first, u8x16_splat(0x0F));
    let first_low = u8x16_swizzle(vector(&FIRST_LOW), low);
    let second_high = u8x16_swizzle(vector(&SECOND_HIGH), u8x16_shr(second, 4));
    v128_and(v128_and(first_high, first_low), second_high)
}

/// The last byte of the vector before, then this one without its last byte.
#[inline(always)]
fn shifted_by_one(before: v128, v: v128) -> v128 {
    u8x16_shuffle::<15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30>(before, v)
}

#[inline(always)]
fn shifted_by_two(before: v128, v: v128) -> v128 {
    u8x16_shuffle::<14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29>(before, v)
}

#[inline(always)]
fn shifted_by_three(before: v128, v: v128) -> v128 {
    u8x16_shuffle::<13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28>(before, v)
}

#[inline(always)]
fn check_vector(Check { before, errors }: Check<v128>, v: v128) -> Check<v128> {
    let third = u8x16_sub_sat(shifted_by_two(before, v), u8x16_splat(THIRD_PLACE));
    let fourth = u8x16_sub_sat(shifted_by_three(before, v), u8x16_splat(FOURTH_PLACE));
    let wanted = v128_and(v128_or(third, fourth), u8x16_splat(0x80));
    let wrong = v128_xor(wanted, pairs(shifted_by_one(before, v), v));
    Check {
        before: v,
        errors: v128_or(errors, wrong),
    }
}

impl Lookup for Simd128 {
    type Check = Check<v128>;

    #[inline(always)]
    fn check(self) -> Self::Check {
        Check {
            before: u8x16_splat(0),
            errors: u8x16_splat(0),
        }
    }

    #[inline(always)]
    fn check_ascii(self, check: Self::Check) -> Self::Check {
        const END: [u8; 16] = complete_end();
        let cut = u8x16_sub_sat(check.before, vector(&END));
        Check {
            before: u8x16_splat(0),
            errors: v128_or(check.errors, cut),
        }
    }

    #[inline(always)]
    fn check_block(self, check: Self::Check, block: Self::Block) -> Self::Check {
        block.into_iter().fold(check, check_vector)
    }

    #[inline(always)]
    fn failed(self, check: Self::Check) -> bool {
        v128_any_true(check.errors)
    }
}
