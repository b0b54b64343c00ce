//! Unicode codepoints in UTF-8: how many, where the n-th one begins, and whether the
//! bytes are UTF-8 at all.
//!
//! Lengths of the protocol count codepoints (guacamole-server, `src/libguac/parser.c`
//! and `src/libguac/unicode.c`), so these three questions are what a codec spends its
//! time on.
//!
//! Counting and finding look at no more than the two highest bits of each byte: on
//! bytes that are not UTF-8 they answer as if each byte but `0x80..=0xBF` began a
//! codepoint. They never panic.

use crate::kernel::{self, Kernel, Selected, Task};

pub use crate::kernel::Level;

/// Longest input that is worked on in two words. From here to a block no kernel is chosen
/// either.
const INLINE: usize = 16;

/// Number of codepoints.
///
/// ```
/// assert_eq!(guac_protocol::codepoint::count("Grüße 世界".as_bytes()), 8);
/// ```
#[inline]
#[must_use]
pub fn count(bytes: &[u8]) -> usize {
    if bytes.len() <= INLINE {
        kernel::count_short(bytes)
    } else if bytes.len() < kernel::BLOCK {
        kernel::count_words(bytes)
    } else {
        kernel::run(Selected::best(), Count { bytes })
    }
}

/// Byte offset at which the codepoint with index `n` begins, which is the length in
/// bytes of the first `n`. With exactly `n` codepoints it is the length of the input;
/// with fewer there is none.
///
/// ```
/// use guac_protocol::codepoint::offset_of_nth;
/// let text = "aé世🚀".as_bytes();
/// assert_eq!(offset_of_nth(text, 2), Some(3));
/// assert_eq!(offset_of_nth(text, 4), Some(10));
/// assert_eq!(offset_of_nth(text, 5), None);
/// ```
#[inline]
#[must_use]
pub fn offset_of_nth(bytes: &[u8], n: usize) -> Option<usize> {
    // A short element is often asked for with all that was received behind it.
    if n <= INLINE
        && let Some(head) = bytes.first_chunk()
        && let Some(offset) = kernel::offset_of_nth_head(head, n)
    {
        return Some(offset);
    }
    let found = if bytes.len() <= INLINE {
        kernel::offset_of_nth_short(bytes, n)
    } else if bytes.len() < kernel::BLOCK {
        kernel::offset_of_nth_words(bytes, n)
    } else {
        kernel::run(Selected::best(), OffsetOfNth { bytes, n })
    };
    whole(found, bytes, n)
}

fn whole(found: Result<usize, usize>, bytes: &[u8], n: usize) -> Option<usize> {
    match found {
        Ok(offset) => Some(offset),
        Err(all) => (all == n).then_some(bytes.len()),
    }
}

/// The bytes as text, if they are UTF-8.
///
/// # Errors
/// Where they are not, the length of what is valid in front.
///
/// ```
/// assert_eq!(guac_protocol::codepoint::validate(b"ab\xFF"), Err(2));
/// ```
#[inline]
pub fn validate(bytes: &[u8]) -> Result<&str, usize> {
    if bytes.len() <= INLINE {
        return core::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    }
    kernel::run(Selected::best(), Validate { bytes })
}

/// [`count`] by a given kernel, for tests and measurements. Where the kernel is not
/// [available](Level::available), the reference answers.
#[must_use]
pub fn count_with(level: Level, bytes: &[u8]) -> usize {
    kernel::run(Selected::new(level), Count { bytes })
}

/// [`offset_of_nth`] by a given kernel, as [`count_with`].
#[must_use]
pub fn offset_of_nth_with(level: Level, bytes: &[u8], n: usize) -> Option<usize> {
    whole(
        kernel::run(Selected::new(level), OffsetOfNth { bytes, n }),
        bytes,
        n,
    )
}

/// [`validate`] by a given kernel, as [`count_with`].
///
/// # Errors
/// As [`validate`].
pub fn validate_with(level: Level, bytes: &[u8]) -> Result<&str, usize> {
    kernel::run(Selected::new(level), Validate { bytes })
}

struct Count<'a> {
    bytes: &'a [u8],
}

impl Task for Count<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> usize {
        kernel::count(kernel, self.bytes)
    }
}

struct OffsetOfNth<'a> {
    bytes: &'a [u8],
    n: usize,
}

impl Task for OffsetOfNth<'_> {
    type Output = Result<usize, usize>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        kernel::offset_of_nth(kernel, self.bytes, self.n)
    }
}

struct Validate<'a> {
    bytes: &'a [u8],
}

impl<'a> Task for Validate<'a> {
    type Output = Result<&'a str, usize>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        kernel::text(kernel, self.bytes).ok_or_else(|| valid_up_to(self.bytes))
    }
}

#[cold]
fn valid_up_to(bytes: &[u8]) -> usize {
    match core::str::from_utf8(bytes) {
        Ok(text) => text.len(),
        Err(error) => error.valid_up_to(),
    }
}
