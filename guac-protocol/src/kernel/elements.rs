//! Whether separators are where the lengths in front of them say.
//!
//! All elements of a block are checked at once. Each is a bit, set at the last digit of
//! its length, and moves up by its length: by 1, 2, 4 and 8 where the digit has that bit.
//! Then the bits must lie on the separators.
//!
//! Two bits that meet become one and stay one, so that one is missing in the end. And
//! were the bits to reach the separators in another order, then the first separator would
//! be reached by an element that starts behind it. Neither can look right.

use super::{BLOCK, Kernel, Places};

/// Where elements start in a block, by the digits of their lengths.
struct Starts {
    /// Those of one digit.
    one: u64,
    /// Those of two.
    two: u64,
}

impl Starts {
    /// `None` where an element does not start with one or two digits and a dot.
    #[inline(always)]
    fn find<K: Kernel>(kernel: K, block: K::Block, ends: u64) -> Option<Self> {
        // Bit 0, and the byte after each end but the last.
        let starts = ((ends << 1) | 1) & (u64::MAX >> ends.leading_zeros());
        let dots = kernel.equal(block, b'.');
        let digits = kernel.digits(block);
        let one = starts & (dots >> 1);
        let two = starts & (digits >> 1) & (dots >> 2);
        ((one | two) & digits == starts).then_some(Self { one, two })
    }
}

/// See [`Kernel::elements`].
#[inline(always)]
pub(super) fn check<K: Kernel>(
    kernel: K,
    bytes: &[u8; BLOCK],
    block: K::Block,
    ends: u64,
    places: Option<&mut Places>,
) -> Option<usize> {
    let starts = Starts::find(kernel, block, ends)?;
    // Written out: a closure might not be compiled for the instruction set.
    let bits = [
        kernel.bit(block, 0),
        kernel.bit(block, 1),
        kernel.bit(block, 2),
        kernel.bit(block, 3),
    ];
    let tens_are_one = bits[0] & !(bits[1] | bits[2] | bits[3]);
    let right = if starts.two & !tens_are_one == 0 {
        move_up(&starts, bits) == ends
    } else {
        check_each(bytes, &starts, ends)
    };
    if !right {
        return None;
    }
    if let Some(places) = places {
        set_places(places, &starts, ends);
    }
    Some(ends.count_ones() as usize)
}

/// Moves a bit for each element to where it should end. Lengths of two digits are 10 to
/// 19 here: their bits start ten further up.
#[inline(always)]
fn move_up(starts: &Starts, bits: [u64; 4]) -> u64 {
    let Starts { one, two } = *starts;
    let mut all = one | (two << 11);
    let mut moving = bits;
    for bits in &mut moving {
        *bits = (one & *bits) | ((two & (*bits >> 1)) << 11);
    }
    for i in 0..4 {
        let (distance, now) = (1 << i, moving[i]);
        all = (all & !now) | (now << distance);
        for later in &mut moving[i + 1..] {
            let both = *later & now;
            *later = (*later & !both) | (both << distance);
        }
    }
    // From the last digit over the dot to the first byte of the value.
    all << 2
}

/// The same one after the other, for any lengths of two digits.
#[cold]
fn check_each(bytes: &[u8; BLOCK], starts: &Starts, ends: u64) -> bool {
    let digit = |i: u32| u32::from(bytes[i as usize % BLOCK].wrapping_sub(b'0'));
    let (mut start, mut rest) = (0, ends);
    while rest != 0 {
        let end = rest.trailing_zeros();
        let value = value(starts, start);
        let length = match value - start {
            2 => digit(start),
            _ if digit(start) == 0 => return false,
            _ => digit(start) * 10 + digit(start + 1),
        };
        if value + length != end {
            return false;
        }
        rest &= rest - 1;
        start = end + 1;
    }
    true
}

/// Where the value of the element begins that starts at an offset.
#[inline(always)]
fn value(starts: &Starts, start: u32) -> u32 {
    start + 2 + (starts.two >> (start % BLOCK as u32) & 1) as u32
}

/// Keeps the places of the values. Four rounds at once, some of them idle, cost less than
/// guessing how many there are.
#[inline(always)]
fn set_places(places: &mut Places, starts: &Starts, ends: u64) {
    let (mut start, mut rest, mut index) = (0, ends, 0);
    while rest != 0 {
        for _ in 0..4 {
            let end = rest.trailing_zeros();
            places.set(index, value(starts, start) as usize, end as usize);
            rest &= rest.wrapping_sub(1);
            start = end + 1;
            index += 1;
        }
    }
}
