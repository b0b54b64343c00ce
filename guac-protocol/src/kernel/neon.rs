//! AArch64: NEON, which every processor of that kind has.

use core::arch::aarch64::*;

use super::utf8::{
    Check, FIRST_HIGH, FIRST_LOW, FOURTH_PLACE, Lookup, SECOND_HIGH, THIRD_PLACE, complete_end,
};
use super::{BLOCK, Kernel, utf8};

/// Greatest continuation byte as a signed number: greater ones begin a codepoint.
const LAST_CONTINUATION: i8 = 0xBF_u8 as i8;

/// The bit of each byte in its half of a vector.
const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon;

impl Neon {
    #[inline(always)]
    fn vector(self, bytes: &[u8; 16]) -> uint8x16_t {
        // SAFETY: NEON is part of the target; the load reads the 16 bytes, and asks for
        // no alignment.
        unsafe { vld1q_u8(bytes.as_ptr()) }
    }

    #[inline(always)]
    fn splat(self, byte: u8) -> uint8x16_t {
        // SAFETY: NEON is part of the target.
        unsafe { vdupq_n_u8(byte) }
    }

    #[inline(always)]
    fn or(self, [a, b, c, d]: [uint8x16_t; 4]) -> uint8x16_t {
        // SAFETY: NEON is part of the target.
        unsafe { vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d)) }
    }

    /// One bit of each byte, all of whose bits are the same. There is no instruction for
    /// that; but each byte keeps the bit that is its place among eight, and three rounds
    /// of adding neighbours put eight bytes into one.
    #[inline(always)]
    fn pack(self, vectors: [uint8x16_t; 4]) -> u64 {
        let bits = self.vector(&BITS);
        // SAFETY: NEON is part of the target.
        unsafe {
            let [a, b, c, d] = vectors.map(|v| vandq_u8(v, bits));
            let quarters = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
            let packed = vpaddq_u8(quarters, quarters);
            vgetq_lane_u64::<0>(vreinterpretq_u64_u8(packed))
        }
    }

    #[inline(always)]
    fn vector_leads(self, v: uint8x16_t) -> uint8x16_t {
        // SAFETY: NEON is part of the target.
        unsafe { vcgtq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(LAST_CONTINUATION)) }
    }
}

impl Kernel for Neon {
    type Block = [uint8x16_t; 4];
    type Tally = uint8x16_t;

    const MASKS: bool = true;
    /// Each byte of a tally grows by at most four with a block.
    const TALLY_BLOCKS: usize = 63;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        let (vectors, _) = bytes.as_chunks::<16>();
        [0, 1, 2, 3].map(|i| self.vector(&vectors[i]))
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        let byte = self.splat(byte);
        // SAFETY: NEON is part of the target.
        self.pack(block.map(|v| unsafe { vceqq_u8(v, byte) }))
    }

    #[inline(always)]
    fn digits(self, block: Self::Block) -> u64 {
        let (zero, ten) = (self.splat(b'0'), self.splat(10));
        // SAFETY: NEON is part of the target.
        self.pack(block.map(|v| unsafe { vcltq_u8(vsubq_u8(v, zero), ten) }))
    }

    #[inline(always)]
    fn bit(self, block: Self::Block, bit: u32) -> u64 {
        let bit = self.splat(1 << bit);
        // SAFETY: NEON is part of the target.
        self.pack(block.map(|v| unsafe { vtstq_u8(v, bit) }))
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        // SAFETY: NEON is part of the target.
        self.pack(block.map(|v| unsafe { vcltzq_s8(vreinterpretq_s8_u8(v)) }))
    }

    #[inline(always)]
    fn any_non_ascii(self, blocks: [Self::Block; 4]) -> bool {
        let any = self.or(blocks.map(|block| self.or(block)));
        // SAFETY: NEON is part of the target.
        unsafe { vmaxvq_u8(any) >= 0x80 }
    }

    #[inline(always)]
    fn leads(self, block: Self::Block) -> u64 {
        self.pack(block.map(|v| self.vector_leads(v)))
    }

    #[inline(always)]
    fn tally(self) -> uint8x16_t {
        self.splat(0)
    }

    #[inline(always)]
    fn tally_add(self, mut tally: uint8x16_t, block: Self::Block) -> uint8x16_t {
        for v in block {
            // SAFETY: NEON is part of the target.
            tally = unsafe { vsubq_u8(tally, self.vector_leads(v)) };
        }
        tally
    }

    #[inline(always)]
    fn tally_sum(self, tally: uint8x16_t) -> usize {
        // SAFETY: NEON is part of the target. In two steps, as Miri lacks `vaddlvq_u8`.
        usize::from(unsafe { vaddvq_u16(vpaddlq_u8(tally)) })
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

impl Neon {
    /// Looks up the low nibble and then the high nibble of one byte, and the high nibble
    /// of the byte after it: what all three tables name is wrong with the two.
    #[inline(always)]
    fn pairs(self, first: uint8x16_t, second: uint8x16_t) -> uint8x16_t {
        // SAFETY: NEON is part of the target.
        unsafe {
            let first_high = vqtbl1q_u8(self.vector(&FIRST_HIGH), vshrq_n_u8::<4>(first));
            let low = vandq_u8(first, self.splat(0x0F));
            let first_low = vqtbl1q_u8(self.vector(&FIRST_LOW), low);
            let second_high = vqtbl1q_u8(self.vector(&SECOND_HIGH), vshrq_n_u8::<4>(second));
            vandq_u8(vandq_u8(first_high, first_low), second_high)
        }
    }

    #[inline(always)]
    fn check_vector(self, check: Check<uint8x16_t>, v: uint8x16_t) -> Check<uint8x16_t> {
        // SAFETY: NEON is part of the target.
        unsafe {
            // The vector shifted up by 1, 2, 3 bytes, filled from the one before.
            let one = vextq_u8::<15>(check.before, v);
            let two = vextq_u8::<14>(check.before, v);
            let three = vextq_u8::<13>(check.before, v);
            let third = vqsubq_u8(two, self.splat(THIRD_PLACE));
            let fourth = vqsubq_u8(three, self.splat(FOURTH_PLACE));
            let wanted = vandq_u8(vorrq_u8(third, fourth), self.splat(0x80));
            let errors = veorq_u8(wanted, self.pairs(one, v));
            Check {
                before: v,
                errors: vorrq_u8(check.errors, errors),
            }
        }
    }
}

impl Lookup for Neon {
    type Check = Check<uint8x16_t>;

    #[inline(always)]
    fn check(self) -> Self::Check {
        Check {
            before: self.splat(0),
            errors: self.splat(0),
        }
    }

    #[inline(always)]
    fn check_ascii(self, check: Self::Check) -> Self::Check {
        const END: [u8; 16] = complete_end();
        // SAFETY: NEON is part of the target.
        unsafe {
            let cut = vqsubq_u8(check.before, self.vector(&END));
            Check {
                before: self.splat(0),
                errors: vorrq_u8(check.errors, cut),
            }
        }
    }

    #[inline(always)]
    fn check_block(self, check: Self::Check, block: Self::Block) -> Self::Check {
        block
            .into_iter()
            .fold(check, |check, v| self.check_vector(check, v))
    }

    #[inline(always)]
    fn failed(self, check: Self::Check) -> bool {
        // SAFETY: NEON is part of the target.
        unsafe { vmaxvq_u8(check.errors) != 0 }
    }
}
