//! x86-64: SSE2 (always there), AVX2, AVX-512.

use core::arch::x86_64::*;

use super::places::PLACES;
use super::utf8::{
    Check, FIRST_HIGH, FIRST_LOW, FOURTH_PLACE, Lookup, SECOND_HIGH, THIRD_PLACE, complete_end,
};
use super::{BLOCK, Kernel, Places, Task, utf8};

/// Greatest continuation byte as a signed number: greater ones begin a codepoint.
const LAST_CONTINUATION: i8 = 0xBF_u8 as i8;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sse2;

impl Sse2 {
    #[inline(always)]
    fn pack(self, [a, b, c, d]: [__m128i; 4]) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let low = _mm_movemask_epi8(a) | (_mm_movemask_epi8(b) << 16);
            let high = _mm_movemask_epi8(c) | (_mm_movemask_epi8(d) << 16);
            u64::from(low as u32) | (u64::from(high as u32) << 32)
        }
    }
}

#[inline(always)]
fn or([a, b, c, d]: [__m128i; 4]) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)) }
}

/// All ones in each byte `0` to `9`.
#[inline(always)]
fn digits(v: __m128i) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let value = _mm_sub_epi8(v, _mm_set1_epi8(b'0' as i8));
        _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value)
    }
}

impl Kernel for Sse2 {
    type Block = [__m128i; 4];
    type Tally = __m128i;

    const MASKS: bool = true;
    const TALLY_BLOCKS: usize = 63;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        let at: *const __m128i = bytes.as_ptr().cast();
        // SAFETY: the loads stay within the 64 bytes, and none asks for alignment.
        unsafe {
            [
                _mm_loadu_si128(at),
                _mm_loadu_si128(at.add(1)),
                _mm_loadu_si128(at.add(2)),
                _mm_loadu_si128(at.add(3)),
            ]
        }
    }

    #[inline(always)]
    fn equal(self, [a, b, c, d]: Self::Block, byte: u8) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        self.pack(unsafe {
            let byte = _mm_set1_epi8(byte as i8);
            [
                _mm_cmpeq_epi8(a, byte),
                _mm_cmpeq_epi8(b, byte),
                _mm_cmpeq_epi8(c, byte),
                _mm_cmpeq_epi8(d, byte),
            ]
        })
    }

    #[inline(always)]
    fn digits(self, [a, b, c, d]: Self::Block) -> u64 {
        self.pack([digits(a), digits(b), digits(c), digits(d)])
    }

    #[inline(always)]
    fn bit(self, [a, b, c, d]: Self::Block, bit: u32) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        self.pack(unsafe {
            let up = _mm_cvtsi32_si128(7 - bit as i32);
            [
                _mm_sll_epi16(a, up),
                _mm_sll_epi16(b, up),
                _mm_sll_epi16(c, up),
                _mm_sll_epi16(d, up),
            ]
        })
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        self.pack(block)
    }

    #[inline(always)]
    fn any_non_ascii(self, blocks: [Self::Block; 4]) -> bool {
        let [a, b, c, d] = [or(blocks[0]), or(blocks[1]), or(blocks[2]), or(blocks[3])];
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_movemask_epi8(or([a, b, c, d])) != 0 }
    }

    #[inline(always)]
    fn leads(self, [a, b, c, d]: Self::Block) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        self.pack(unsafe {
            let last = _mm_set1_epi8(LAST_CONTINUATION);
            [
                _mm_cmpgt_epi8(a, last),
                _mm_cmpgt_epi8(b, last),
                _mm_cmpgt_epi8(c, last),
                _mm_cmpgt_epi8(d, last),
            ]
        })
    }

    #[inline(always)]
    fn tally(self) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    fn tally_add(self, mut tally: __m128i, block: Self::Block) -> __m128i {
        for v in block {
            // SAFETY: SSE2 is part of x86-64.
            unsafe {
                let leads = _mm_cmpgt_epi8(v, _mm_set1_epi8(LAST_CONTINUATION));
                tally = _mm_sub_epi8(tally, leads);
            }
        }
        tally
    }

    #[inline(always)]
    fn tally_sum(self, tally: __m128i) -> usize {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let sums = _mm_sad_epu8(tally, _mm_setzero_si128());
            let high = _mm_unpackhi_epi64(sums, sums);
            _mm_cvtsi128_si64(_mm_add_epi64(sums, high)) as usize
        }
    }
}

/// Proof that the processor has AVX2, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        #[cfg(feature = "std")]
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("lzcnt")
            && std::arch::is_x86_feature_detected!("popcnt");
        #[cfg(not(feature = "std"))]
        let found = cfg!(all(
            target_feature = "avx2",
            target_feature = "bmi1",
            target_feature = "bmi2",
            target_feature = "lzcnt",
            target_feature = "popcnt"
        ));
        found.then_some(Self(()))
    }

    /// # Safety
    /// [`detect`](Self::detect) has answered on this machine.
    #[inline(always)]
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }

    /// Runs a task compiled for these instructions.
    #[inline]
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        #[inline(never)]
        fn run<T: Task>(kernel: Avx2, task: T) -> T::Output {
            task.run(kernel)
        }
        // SAFETY: tokens exist only where `detect` found the features.
        unsafe { run(self, task) }
    }

    #[inline(always)]
    fn pack(self, low: __m256i, high: __m256i) -> u64 {
        // SAFETY: this token proves AVX2.
        let (low, high) = unsafe { (_mm256_movemask_epi8(low), _mm256_movemask_epi8(high)) };
        u64::from(low as u32) | (u64::from(high as u32) << 32)
    }

    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: this token proves AVX2.
        unsafe { _mm256_or_si256(a, b) }
    }
}

impl Kernel for Avx2 {
    #[inline(always)]
    fn call<T: Task>(self, task: T) -> T::Output {
        self.run(task)
    }

    type Block = [__m256i; 2];
    type Tally = __m256i;

    const MASKS: bool = true;
    const TALLY_BLOCKS: usize = 127;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        let at: *const __m256i = bytes.as_ptr().cast();
        // SAFETY: the loads stay within the 64 bytes, and none asks for alignment; this
        // token proves AVX2.
        unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
    }

    #[inline(always)]
    fn equal(self, [low, high]: Self::Block, byte: u8) -> u64 {
        // SAFETY: this token proves AVX2.
        unsafe {
            let byte = _mm256_set1_epi8(byte as i8);
            self.pack(_mm256_cmpeq_epi8(low, byte), _mm256_cmpeq_epi8(high, byte))
        }
    }

    #[inline(always)]
    fn digits(self, [low, high]: Self::Block) -> u64 {
        // SAFETY: this token proves AVX2.
        unsafe {
            let (zero, nine) = (_mm256_set1_epi8(b'0' as i8), _mm256_set1_epi8(9));
            let (low, high) = (_mm256_sub_epi8(low, zero), _mm256_sub_epi8(high, zero));
            self.pack(
                _mm256_cmpeq_epi8(_mm256_min_epu8(low, nine), low),
                _mm256_cmpeq_epi8(_mm256_min_epu8(high, nine), high),
            )
        }
    }

    #[inline(always)]
    fn bit(self, [low, high]: Self::Block, bit: u32) -> u64 {
        // SAFETY: this token proves AVX2.
        unsafe {
            let up = _mm_cvtsi32_si128(7 - bit as i32);
            self.pack(_mm256_sll_epi16(low, up), _mm256_sll_epi16(high, up))
        }
    }

    #[inline(always)]
    fn non_ascii(self, [low, high]: Self::Block) -> u64 {
        self.pack(low, high)
    }

    #[inline(always)]
    fn any_non_ascii(self, [a, b, c, d]: [Self::Block; 4]) -> bool {
        let ab = self.or(self.or(a[0], a[1]), self.or(b[0], b[1]));
        let cd = self.or(self.or(c[0], c[1]), self.or(d[0], d[1]));
        // SAFETY: this token proves AVX2.
        unsafe { _mm256_movemask_epi8(self.or(ab, cd)) != 0 }
    }

    #[inline(always)]
    fn leads(self, [low, high]: Self::Block) -> u64 {
        // SAFETY: this token proves AVX2.
        unsafe {
            let last = _mm256_set1_epi8(LAST_CONTINUATION);
            self.pack(_mm256_cmpgt_epi8(low, last), _mm256_cmpgt_epi8(high, last))
        }
    }

    #[inline(always)]
    fn tally(self) -> __m256i {
        // SAFETY: this token proves AVX2.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn tally_add(self, tally: __m256i, [low, high]: Self::Block) -> __m256i {
        // SAFETY: this token proves AVX2.
        unsafe {
            let last = _mm256_set1_epi8(LAST_CONTINUATION);
            let tally = _mm256_sub_epi8(tally, _mm256_cmpgt_epi8(low, last));
            _mm256_sub_epi8(tally, _mm256_cmpgt_epi8(high, last))
        }
    }

    #[inline(always)]
    fn tally_sum(self, tally: __m256i) -> usize {
        // SAFETY: this token proves AVX2.
        unsafe {
            let sums = _mm256_sad_epu8(tally, _mm256_setzero_si256());
            let sums = _mm_add_epi64(
                _mm256_castsi256_si128(sums),
                _mm256_extracti128_si256::<1>(sums),
            );
            _mm_cvtsi128_si64(_mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums))) as usize
        }
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

impl Avx2 {
    #[inline(always)]
    fn table(self, table: [u8; 16]) -> __m256i {
        // SAFETY: this token proves AVX2; the load reads the 16 bytes of the table.
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())) }
    }

    #[inline(always)]
    fn high_nibbles(self, v: __m256i) -> __m256i {
        // SAFETY: this token proves AVX2.
        unsafe { _mm256_and_si256(_mm256_srli_epi16::<4>(v), _mm256_set1_epi8(0x0F)) }
    }

    #[inline(always)]
    fn check_vector(self, check: Check<__m256i>, v: __m256i) -> Check<__m256i> {
        // SAFETY: this token proves AVX2.
        unsafe {
            let low_nibbles = _mm256_set1_epi8(0x0F);
            // The vector shifted up by 1, 2, 3 bytes, filled from the one before.
            let straddle = _mm256_permute2x128_si256::<0x21>(check.before, v);
            let one = _mm256_alignr_epi8::<15>(v, straddle);
            let two = _mm256_alignr_epi8::<14>(v, straddle);
            let three = _mm256_alignr_epi8::<13>(v, straddle);
            let first_high = _mm256_shuffle_epi8(self.table(FIRST_HIGH), self.high_nibbles(one));
            let low = _mm256_and_si256(one, low_nibbles);
            let first_low = _mm256_shuffle_epi8(self.table(FIRST_LOW), low);
            let second_high = _mm256_shuffle_epi8(self.table(SECOND_HIGH), self.high_nibbles(v));
            let pairs = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
            let third = _mm256_subs_epu8(two, _mm256_set1_epi8(THIRD_PLACE as i8));
            let fourth = _mm256_subs_epu8(three, _mm256_set1_epi8(FOURTH_PLACE as i8));
            let wanted = _mm256_and_si256(
                _mm256_or_si256(third, fourth),
                _mm256_set1_epi8(0x80_u8 as i8),
            );
            Check {
                before: v,
                errors: _mm256_or_si256(check.errors, _mm256_xor_si256(wanted, pairs)),
            }
        }
    }
}

impl Lookup for Avx2 {
    type Check = Check<__m256i>;

    #[inline(always)]
    fn check(self) -> Self::Check {
        Check {
            before: self.tally(),
            errors: self.tally(),
        }
    }

    #[inline(always)]
    fn check_ascii(self, check: Self::Check) -> Self::Check {
        const END: [u8; 32] = complete_end();
        // SAFETY: this token proves AVX2; the load reads the 32 bytes of the constant.
        unsafe {
            let end = _mm256_loadu_si256(END.as_ptr().cast());
            let cut = _mm256_subs_epu8(check.before, end);
            Check {
                before: _mm256_setzero_si256(),
                errors: _mm256_or_si256(check.errors, cut),
            }
        }
    }

    #[inline(always)]
    fn check_block(self, check: Self::Check, block: Self::Block) -> Self::Check {
        self.check_vector(self.check_vector(check, block[0]), block[1])
    }

    #[inline(always)]
    fn failed(self, check: Self::Check) -> bool {
        // SAFETY: this token proves AVX2, which includes AVX.
        unsafe { _mm256_testz_si256(check.errors, check.errors) == 0 }
    }
}

/// Proof that the processor has AVX-512 with BW, VL, VBMI and VBMI2 (Ice Lake, Zen 4
/// and later), besides what [`Avx2`] needs. The first processors with AVX-512 lack the
/// last two; they also lower their clock for 512-bit work, and do better with AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        #[cfg(feature = "std")]
        let found = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vbmi")
            && std::arch::is_x86_feature_detected!("avx512vbmi2");
        #[cfg(not(feature = "std"))]
        let found = cfg!(all(
            target_feature = "avx512f",
            target_feature = "avx512bw",
            target_feature = "avx512vl",
            target_feature = "avx512vbmi",
            target_feature = "avx512vbmi2"
        ));
        (found && Avx2::detect().is_some()).then_some(Self(()))
    }

    /// # Safety
    /// [`detect`](Self::detect) has answered on this machine.
    #[inline(always)]
    pub(crate) unsafe fn assume() -> Self {
        Self(())
    }

    /// Runs a task compiled for these instructions.
    #[inline]
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        #[target_feature(
            enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt"
        )]
        #[inline(never)]
        fn run<T: Task>(kernel: Avx512, task: T) -> T::Output {
            task.run(kernel)
        }
        // SAFETY: tokens exist only where `detect` found the features.
        unsafe { run(self, task) }
    }

    #[inline(always)]
    fn table(self, table: [u8; 16]) -> __m512i {
        // SAFETY: this token proves AVX-512F; the load reads the 16 bytes of the table.
        unsafe { _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast())) }
    }

    #[inline(always)]
    fn high_nibbles(self, v: __m512i) -> __m512i {
        // SAFETY: this token proves AVX-512BW.
        unsafe { _mm512_and_si512(_mm512_srli_epi16::<4>(v), _mm512_set1_epi8(0x0F)) }
    }
}

/// The bytes 0 to 63.
const INDEX: [u8; BLOCK] = {
    let mut index = [0; BLOCK];
    let mut i = 0;
    while i < BLOCK {
        index[i] = i as u8;
        i += 1;
    }
    index
};

/// Ten times the index; lengths in a block have two digits at most.
const TENS: [u8; 16] = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 0, 0, 0, 0, 0, 0];

/// The first 32 bytes.
#[inline(always)]
fn low(v: __m512i) -> __m256i {
    // SAFETY: no instruction at all; who has a 512-bit vector has AVX-512F.
    unsafe { _mm512_castsi512_si256(v) }
}

/// Stores at least `count` bytes of a vector as 32-bit numbers.
#[inline(always)]
fn store_wide(to: &mut [u32; PLACES], v: __m256i, count: u32) {
    const { assert!(PLACES >= 32) };
    let to: *mut u32 = to.as_mut_ptr();
    // SAFETY: the two stores stay within the first 32 of at least that many numbers, and
    // none asks for alignment; only code under an `Avx512` token comes here.
    unsafe {
        let v0 = _mm256_castsi256_si128(v);
        _mm256_storeu_si256(to.cast(), _mm256_cvtepu8_epi32(v0));
        _mm256_storeu_si256(
            to.add(8).cast(),
            _mm256_cvtepu8_epi32(_mm_srli_si128::<8>(v0)),
        );
        if count > 16 {
            let high = _mm512_cvtepu8_epi32(_mm256_extracti128_si256::<1>(v));
            _mm512_storeu_si512(to.add(16).cast(), high);
        }
    }
}

impl Kernel for Avx512 {
    #[inline(always)]
    fn call<T: Task>(self, task: T) -> T::Output {
        self.run(task)
    }

    type Block = __m512i;
    type Tally = usize;

    const MASKS: bool = true;
    const TALLY_BLOCKS: usize = 1024;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block {
        // SAFETY: reads the 64 bytes; no alignment is asked; this token proves AVX-512F.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn equal(self, block: Self::Block, byte: u8) -> u64 {
        // SAFETY: this token proves AVX-512BW.
        unsafe { _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(byte as i8)) }
    }

    #[inline(always)]
    fn digits(self, block: Self::Block) -> u64 {
        // SAFETY: this token proves AVX-512BW.
        unsafe {
            let value = _mm512_sub_epi8(block, _mm512_set1_epi8(b'0' as i8));
            _mm512_cmplt_epu8_mask(value, _mm512_set1_epi8(10))
        }
    }

    #[inline(always)]
    fn bit(self, block: Self::Block, bit: u32) -> u64 {
        // SAFETY: this token proves AVX-512BW.
        unsafe { _mm512_test_epi8_mask(block, _mm512_set1_epi8(1 << bit)) }
    }

    #[inline(always)]
    fn non_ascii(self, block: Self::Block) -> u64 {
        // SAFETY: this token proves AVX-512BW.
        unsafe { _mm512_movepi8_mask(block) }
    }

    #[inline(always)]
    fn any_non_ascii(self, [a, b, c, d]: [Self::Block; 4]) -> bool {
        // SAFETY: this token proves AVX-512BW.
        unsafe {
            let any = _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d));
            _mm512_movepi8_mask(any) != 0
        }
    }

    #[inline(always)]
    fn leads(self, block: Self::Block) -> u64 {
        // SAFETY: this token proves AVX-512BW.
        unsafe { _mm512_cmpgt_epi8_mask(block, _mm512_set1_epi8(LAST_CONTINUATION)) }
    }

    #[inline(always)]
    fn tally(self) -> usize {
        0
    }

    #[inline(always)]
    fn tally_add(self, tally: usize, block: Self::Block) -> usize {
        tally + self.leads(block).count_ones() as usize
    }

    #[inline(always)]
    fn tally_sum(self, tally: usize) -> usize {
        tally
    }

    #[inline(always)]
    fn elements(
        self,
        _bytes: &[u8; BLOCK],
        block: Self::Block,
        ends: u64,
        places: Option<&mut Places>,
    ) -> Option<usize> {
        // Bit 0, and the byte after each end but the last.
        let starts = ((ends << 1) | 1) & (u64::MAX >> ends.leading_zeros());
        let dots = self.equal(block, b'.');
        let digits = self.digits(block);
        let one = starts & (dots >> 1);
        let two = starts & (digits >> 1) & (dots >> 2);
        if (one | two) & digits != starts {
            return None;
        }
        let count = starts.count_ones();
        let lanes = super::low_bits(count as usize) as u32;
        // SAFETY: this token proves AVX-512BW, VL and VBMI2.
        unsafe {
            // A lane for each element: at most 22 fit a block, as the least takes three
            // bytes.
            let index = _mm512_loadu_si512(INDEX.as_ptr().cast());
            let end = low(_mm512_maskz_compress_epi8(ends, index));
            let start = low(_mm512_maskz_compress_epi8(starts, index));
            let first = low(_mm512_maskz_compress_epi8(starts, block));
            let second = low(_mm512_maskz_compress_epi8(starts << 1, block));
            let first = _mm256_sub_epi8(first, _mm256_set1_epi8(b'0' as i8));
            let has_two = _mm256_cmpneq_epi8_mask(second, _mm256_set1_epi8(b'.' as i8));
            let second = _mm256_sub_epi8(second, _mm256_set1_epi8(b'0' as i8));
            let tens = _mm256_broadcastsi128_si256(_mm_loadu_si128(TENS.as_ptr().cast()));
            let tens = _mm256_shuffle_epi8(tens, first);
            let length = _mm256_mask_add_epi8(first, has_two, tens, second);
            // Where the value starts: after the digits and the dot.
            let value = _mm256_add_epi8(start, _mm256_set1_epi8(2));
            let value = _mm256_mask_add_epi8(value, has_two, value, _mm256_set1_epi8(1));
            let wrong = _mm256_mask_cmpneq_epi8_mask(lanes, _mm256_add_epi8(value, length), end);
            let zero = _mm256_mask_testn_epi8_mask(lanes & has_two, first, first);
            if wrong | zero != 0 {
                return None;
            }
            if let Some(places) = places {
                store_wide(&mut places.starts, value, count);
                store_wide(&mut places.ends, end, count);
            }
            Some(count as usize)
        }
    }

    #[inline(always)]
    fn select(self, mask: u64, n: u32) -> u32 {
        // SAFETY: this token proves BMI2; and every processor that has VBMI2 is quick
        // at `pdep`.
        unsafe { _pdep_u64(1 << n, mask).trailing_zeros() }
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

impl Lookup for Avx512 {
    type Check = Check<__m512i>;

    #[inline(always)]
    fn check(self) -> Self::Check {
        // SAFETY: this token proves AVX-512F.
        let zero = unsafe { _mm512_setzero_si512() };
        Check {
            before: zero,
            errors: zero,
        }
    }

    #[inline(always)]
    fn check_ascii(self, check: Self::Check) -> Self::Check {
        const END: [u8; 64] = complete_end();
        // SAFETY: this token proves AVX-512BW; the load reads the 64 bytes of the constant.
        unsafe {
            let end = _mm512_loadu_si512(END.as_ptr().cast());
            let cut = _mm512_subs_epu8(check.before, end);
            Check {
                before: _mm512_setzero_si512(),
                errors: _mm512_or_si512(check.errors, cut),
            }
        }
    }

    #[inline(always)]
    fn check_block(self, check: Self::Check, v: Self::Block) -> Self::Check {
        // SAFETY: this token proves AVX-512BW.
        unsafe {
            let low_nibbles = _mm512_set1_epi8(0x0F);
            // The vector shifted up by 1, 2, 3 bytes, filled from the one before.
            let straddle = _mm512_alignr_epi64::<6>(v, check.before);
            let one = _mm512_alignr_epi8::<15>(v, straddle);
            let two = _mm512_alignr_epi8::<14>(v, straddle);
            let three = _mm512_alignr_epi8::<13>(v, straddle);
            let first_high = _mm512_shuffle_epi8(self.table(FIRST_HIGH), self.high_nibbles(one));
            let low = _mm512_and_si512(one, low_nibbles);
            let first_low = _mm512_shuffle_epi8(self.table(FIRST_LOW), low);
            let second_high = _mm512_shuffle_epi8(self.table(SECOND_HIGH), self.high_nibbles(v));
            // All three tables agree on the error.
            let pairs = _mm512_ternarylogic_epi64::<0x80>(first_high, first_low, second_high);
            let third = _mm512_subs_epu8(two, _mm512_set1_epi8(THIRD_PLACE as i8));
            let fourth = _mm512_subs_epu8(three, _mm512_set1_epi8(FOURTH_PLACE as i8));
            let wanted = _mm512_or_si512(third, fourth);
            let highest = _mm512_set1_epi8(0x80_u8 as i8);
            // (wanted & highest) ^ pairs
            let errors = _mm512_ternarylogic_epi64::<0x78>(pairs, wanted, highest);
            Check {
                before: v,
                errors: _mm512_or_si512(check.errors, errors),
            }
        }
    }

    #[inline(always)]
    fn failed(self, check: Self::Check) -> bool {
        // SAFETY: this token proves AVX-512F.
        unsafe { _mm512_test_epi64_mask(check.errors, check.errors) != 0 }
    }
}
