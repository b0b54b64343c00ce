//! The reference: what every other kernel must agree with.

use super::{BLOCK, Kernel};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

#[inline(always)]
pub(crate) fn is_lead(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

#[inline(always)]
fn mask(bytes: &[u8; BLOCK], is_set: impl Fn(u8) -> bool) -> u64 {
    let mut mask = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        mask |= u64::from(is_set(byte)) << i;
    }
    mask
}

impl Kernel for Scalar {
    type Block = [u8; BLOCK];
    type Tally = usize;

    const MASKS: bool = false;
    const TALLY_BLOCKS: usize = 64;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        *bytes
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        mask(&block, |b| b == byte)
    }

    #[inline(always)]
    fn digits(self, block: Self::Block) -> u64 {
        mask(&block, |b| b.is_ascii_digit())
    }

    #[inline(always)]
    fn bit(self, block: Self::Block, bit: u32) -> u64 {
        mask(&block, |b| b >> bit & 1 == 1)
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        mask(&block, |b| !b.is_ascii())
    }

    #[inline(always)]
    fn leads(self, block: Self::Block) -> u64 {
        mask(&block, is_lead)
    }

    #[inline(always)]
    fn tally(self) -> usize {
        0
    }

    #[inline(always)]
    fn tally_add(self, tally: usize, block: Self::Block) -> usize {
        tally + block.iter().filter(|&&b| is_lead(b)).count()
    }

    #[inline(always)]
    fn tally_sum(self, tally: usize) -> usize {
        tally
    }

    #[inline(always)]
    fn select(self, mask: u64, n: u32) -> u32 {
        let mut rest = mask;
        for _ in 0..n {
            rest &= rest - 1;
        }
        rest.trailing_zeros()
    }
}
