//! The inner loops, once per instruction set. The only room with `unsafe`.
//!
//! A kernel is a zero-sized token; where its instruction set is not part of the
//! target, only run-time detection hands one out. All of a scan runs inside one
//! function compiled for the instruction set ([`Task`]), so that nothing is
//! dispatched per element.

mod cursor;
mod elements;
mod fields;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", not(guac_no_simd)))]
mod neon;
mod places;
mod scalar;
mod swar;
#[cfg(test)]
mod tests;
// Half of it is about vectors, which not every target has.
#[cfg_attr(
    any(
        guac_no_simd,
        not(any(
            target_arch = "x86_64",
            target_arch = "aarch64",
            target_feature = "simd128"
        ))
    ),
    allow(dead_code)
)]
mod utf8;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(guac_no_simd)))]
mod wasm;
#[cfg(all(target_arch = "x86_64", not(guac_no_simd)))]
mod x86;

pub(crate) use cursor::{Cursor, text};
pub(crate) use fields::{Fields, Kept};
pub(crate) use places::Places;
pub(crate) use scalar::Scalar;
pub(crate) use swar::{
    Swar, count_short, count_words, offset_of_nth as offset_of_nth_words, offset_of_nth_head,
    offset_of_nth_short,
};

/// Bytes that a kernel looks at together.
pub(crate) const BLOCK: usize = 64;

/// What an element-sized piece of work needs from an instruction set. Bit `i` of a
/// mask stands for byte `i` of a block.
pub(crate) trait Kernel: Copy {
    /// A block in registers.
    type Block: Copy;
    /// Running count of the first bytes of codepoints.
    type Tally: Copy;

    /// Runs a task out of line, compiled for the instruction set.
    #[inline(always)]
    fn call<T: Task>(self, task: T) -> T::Output {
        #[inline(never)]
        fn call<K: Kernel, T: Task>(kernel: K, task: T) -> T::Output {
            task.run(kernel)
        }
        call(self, task)
    }

    /// Whether masks are cheap enough to parse short instructions by them.
    const MASKS: bool;
    /// Most blocks that a tally can take before it must be summed.
    const TALLY_BLOCKS: usize;

    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block;
    /// Loads four blocks. (Closures such as those of `array::map` are kept out of the
    /// kernels: one that is not inlined is not compiled for the instruction set.)
    #[inline(always)]
    fn load_four(self, bytes: &[u8; 4 * BLOCK]) -> [Self::Block; 4] {
        let (blocks, _) = bytes.as_chunks();
        [
            self.load(&blocks[0]),
            self.load(&blocks[1]),
            self.load(&blocks[2]),
            self.load(&blocks[3]),
        ]
    }
    /// Bytes equal to `byte`.
    fn equal(self, block: Self::Block, byte: u8) -> u64;
    /// Bytes `0` to `9`.
    fn digits(self, block: Self::Block) -> u64;
    /// Bytes with a bit (0 to 3) set.
    fn bit(self, block: Self::Block, bit: u32) -> u64;
    /// Bytes outside ASCII.
    fn non_ascii(self, block: Self::Block) -> u64;
    /// First bytes of codepoints: all but `0x80..=0xBF`.
    fn leads(self, block: Self::Block) -> u64;
    /// Whether any byte of four blocks is outside ASCII.
    #[inline(always)]
    fn any_non_ascii(self, blocks: [Self::Block; 4]) -> bool {
        blocks
            .iter()
            .fold(0, |any, &block| any | self.non_ascii(block))
            != 0
    }

    fn tally(self) -> Self::Tally;
    fn tally_add(self, tally: Self::Tally, block: Self::Block) -> Self::Tally;
    fn tally_sum(self, tally: Self::Tally) -> usize;

    /// Index of the `n`-th (from 0) set bit of a mask that has more than `n`.
    #[inline(always)]
    fn select(self, mask: u64, n: u32) -> u32 {
        select(mask, n)
    }

    /// Whether the separators `ends` (the highest one being a terminator) cut the block
    /// into elements whose length prefixes are canonical and say just that; and how many
    /// there are. Only ASCII comes here. Fills in the places of the values, if they are
    /// wanted.
    #[inline(always)]
    fn elements(
        self,
        bytes: &[u8; BLOCK],
        block: Self::Block,
        ends: u64,
        places: Option<&mut Places>,
    ) -> Option<usize> {
        elements::check(self, bytes, block, ends, places)
    }

    /// Length of the valid UTF-8 in front that holds exactly `n` codepoints and is
    /// followed by the first byte of another; `None` where there is no such thing, or
    /// where the careful path must tell.
    #[inline(always)]
    fn advance(self, bytes: &[u8], n: usize) -> Option<usize> {
        utf8::advance_by_parts(self, bytes, n)
    }

    /// Whether all of the bytes are valid UTF-8.
    #[inline(always)]
    fn is_utf8(self, bytes: &[u8]) -> bool {
        core::str::from_utf8(bytes).is_ok()
    }
}

/// Work to run under a kernel, whichever the machine has.
pub(crate) trait Task {
    type Output;
    /// Implementations are `#[inline(always)]`, else they are compiled for the
    /// baseline.
    fn run<K: Kernel>(self, kernel: K) -> Self::Output;
}

/// The kernels by name: what [`Level::detect`] found, or what a test asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// One codepoint after the other; the reference.
    Scalar = 1,
    /// Eight bytes in a `u64`.
    Swar,
    /// x86-64 baseline.
    Sse2,
    /// AVX2 with BMI1, BMI2, LZCNT and POPCNT.
    Avx2,
    /// AVX-512 BW and VL on top of [`Avx2`](Self::Avx2).
    Avx512,
    /// AArch64 baseline.
    Neon,
    /// WebAssembly fixed-width SIMD.
    Simd128,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 7] = [
        Self::Scalar,
        Self::Swar,
        Self::Sse2,
        Self::Avx2,
        Self::Avx512,
        Self::Neon,
        Self::Simd128,
    ];

    /// Whether this build on this machine can run the kernel.
    #[must_use]
    pub fn available(self) -> bool {
        match self {
            Self::Scalar | Self::Swar => true,
            #[cfg(all(target_arch = "x86_64", not(guac_no_simd)))]
            Self::Sse2 => true,
            #[cfg(all(target_arch = "x86_64", not(guac_no_simd)))]
            Self::Avx2 => x86::Avx2::detect().is_some(),
            #[cfg(all(target_arch = "x86_64", not(guac_no_simd)))]
            Self::Avx512 => x86::Avx512::detect().is_some(),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon", not(guac_no_simd)))]
            Self::Neon => true,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(guac_no_simd)))]
            Self::Simd128 => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The best available kernel.
    #[must_use]
    #[inline]
    pub fn detect() -> Self {
        Selected::best().0
    }
}

/// A level that is available.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selected(Level);

impl Selected {
    /// The level, or the reference where it is not available.
    pub(crate) fn new(level: Level) -> Self {
        Self(if level.available() {
            level
        } else {
            Level::Scalar
        })
    }

    #[inline]
    pub(crate) fn best() -> Self {
        cached::best()
    }

    fn find() -> Self {
        let found = Level::ALL.into_iter().rfind(|level| level.available());
        Self(found.unwrap_or(Level::Scalar))
    }
}

/// With `std`, detection asks the processor; it is worth remembering.
#[cfg(all(feature = "std", target_arch = "x86_64", not(guac_no_simd)))]
mod cached {
    use super::{Level, Selected};
    use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

    static FOUND: AtomicU8 = AtomicU8::new(0);

    #[inline]
    pub(super) fn best() -> Selected {
        // Only `find` writes here, so what is read is available.
        match FOUND.load(Relaxed) {
            n if n == Level::Avx512 as u8 => Selected(Level::Avx512),
            n if n == Level::Avx2 as u8 => Selected(Level::Avx2),
            _ => find(),
        }
    }

    #[cold]
    fn find() -> Selected {
        let best = Selected::find();
        FOUND.store(best.0 as u8, Relaxed);
        best
    }
}

/// Elsewhere the compiler knows the answer.
#[cfg(not(all(feature = "std", target_arch = "x86_64", not(guac_no_simd))))]
mod cached {
    #[inline]
    pub(super) fn best() -> super::Selected {
        super::Selected::find()
    }
}

/// Runs a task under a kernel.
#[inline(always)]
pub(crate) fn run<T: Task>(selected: Selected, task: T) -> T::Output {
    match selected.0 {
        #[cfg(all(target_arch = "x86_64", not(guac_no_simd)))]
        // SAFETY: the level is available, so the features were detected.
        Level::Avx512 => unsafe { x86::Avx512::assume() }.run(task),
        #[cfg(all(target_arch = "x86_64", not(guac_no_simd)))]
        // SAFETY: as above.
        Level::Avx2 => unsafe { x86::Avx2::assume() }.run(task),
        #[cfg(all(target_arch = "x86_64", not(guac_no_simd)))]
        Level::Sse2 => x86::Sse2.call(task),
        #[cfg(all(target_arch = "aarch64", target_feature = "neon", not(guac_no_simd)))]
        Level::Neon => neon::Neon.call(task),
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(guac_no_simd)))]
        Level::Simd128 => wasm::Simd128.call(task),
        Level::Swar => Swar.call(task),
        _ => Scalar.call(task),
    }
}

/// Bits `0..n`, for `n` up to 64.
#[inline(always)]
pub(crate) fn low_bits(n: usize) -> u64 {
    if n < 64 { (1 << n) - 1 } else { u64::MAX }
}

/// Index of the `n`-th set bit by halving: fifteen cheap operations, and unlike `pdep`
/// as fast on the first Zen processors as anywhere.
#[inline(always)]
fn select(mask: u64, n: u32) -> u32 {
    let (mut rest, mut n, mut index) = (mask, n, 0);
    let mut half = 32;
    while half > 0 {
        let below = (rest & ((1u64 << half) - 1)).count_ones();
        if n >= below {
            n -= below;
            rest >>= half;
            index += half;
        }
        half /= 2;
    }
    index
}

/// Separators of the instructions that end in a block, before checking.
pub(crate) struct FoundRun<B> {
    pub(crate) block: B,
    pub(crate) ends: u64,
    pub(crate) terminators: u64,
}

/// How much of a block to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Its first instruction.
    One,
    /// All instructions that end in it.
    All,
}

/// Finds the separators up to the first or last `;` that has only ASCII before it.
#[inline(always)]
pub(crate) fn find_run<K: Kernel>(
    kernel: K,
    bytes: &[u8; BLOCK],
    extent: Extent,
) -> Option<FoundRun<K::Block>> {
    if !K::MASKS {
        return None;
    }
    let block = kernel.load(bytes);
    let non_ascii = kernel.non_ascii(block);
    let ascii = !non_ascii & non_ascii.wrapping_sub(1);
    let mut terminators = kernel.equal(block, b';') & ascii;
    if terminators == 0 {
        return None;
    }
    let within = match extent {
        Extent::One => {
            let within = terminators ^ (terminators - 1);
            terminators &= within;
            within
        }
        Extent::All => u64::MAX >> terminators.leading_zeros(),
    };
    Some(FoundRun {
        block,
        ends: (kernel.equal(block, b',') | terminators) & within,
        terminators,
    })
}

/// Number of codepoints in `bytes`, were they valid UTF-8: the bytes that are no
/// continuation.
#[inline(always)]
pub(crate) fn count<K: Kernel>(kernel: K, bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    let mut total = 0;
    for group in blocks.chunks(K::TALLY_BLOCKS) {
        total += count_group(kernel, group);
    }
    total + count_tail(kernel, bytes, tail)
}

#[inline(always)]
fn count_group<K: Kernel>(kernel: K, group: &[[u8; BLOCK]]) -> usize {
    let (mut even, mut odd) = (kernel.tally(), kernel.tally());
    let (pairs, last) = group.as_chunks::<2>();
    for pair in pairs {
        even = kernel.tally_add(even, kernel.load(&pair[0]));
        odd = kernel.tally_add(odd, kernel.load(&pair[1]));
    }
    for block in last {
        even = kernel.tally_add(even, kernel.load(block));
    }
    kernel.tally_sum(even) + kernel.tally_sum(odd)
}

/// Counts what is left of a whole slice after its blocks, by the last whole block that
/// overlaps it where there is one.
#[inline(always)]
fn count_tail<K: Kernel>(kernel: K, bytes: &[u8], tail: &[u8]) -> usize {
    match bytes.last_chunk::<BLOCK>() {
        _ if tail.is_empty() => 0,
        Some(last) => {
            let leads = kernel.leads(kernel.load(last));
            (leads >> (BLOCK - tail.len())).count_ones() as usize
        }
        None => swar::count(tail),
    }
}

/// Offset of the first byte after `n` codepoints; or else the number of codepoints in
/// all of `bytes`, which is less than or equal to `n`.
#[inline(always)]
pub(crate) fn offset_of_nth<K: Kernel>(kernel: K, bytes: &[u8], n: usize) -> Result<usize, usize> {
    let (mut offset, mut left) = (0, n);
    let (groups, _) = bytes.as_chunks::<{ 4 * BLOCK }>();
    for group in groups {
        let found = count_group(kernel, group.as_chunks::<BLOCK>().0);
        if found > left {
            break;
        }
        left -= found;
        offset += group.len();
    }
    while let Some(block) = bytes[offset..].first_chunk::<BLOCK>() {
        let leads = kernel.leads(kernel.load(block));
        let found = leads.count_ones() as usize;
        if found > left {
            return Ok(offset + kernel.select(leads, left as u32) as usize);
        }
        left -= found;
        offset += BLOCK;
    }
    match swar::offset_of_nth(&bytes[offset..], left) {
        Ok(more) => Ok(offset + more),
        Err(found) => Err(n - left + found),
    }
}
