//! Text and the places of the values in it, known to fit each other.

use super::places::PLACES;
use super::{BLOCK, Extent, Kernel, Places};

/// A text with the places of values in it. Each kept place is known to lie within the
/// text, between codepoints.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    text: &'a str,
    places: &'a Places,
    /// Elements whose places are kept: that of `places`, here so that a loop over them
    /// does not wait for memory.
    kept: usize,
}

/// Instructions at the start of a block that end in it.
pub(crate) struct Run<'a> {
    pub(crate) fields: Fields<'a>,
    /// Bit of each byte that ends an element, and of those that end an instruction.
    pub(crate) ends: u64,
    pub(crate) terminators: u64,
}

impl<'a> Fields<'a> {
    /// Puts text and places together; `None` if they do not fit.
    pub(crate) fn new(text: &'a str, places: &'a Places) -> Option<Self> {
        let places_fit = (0..places.kept).all(|i| {
            let (start, end) = (places.starts[i] as usize, places.ends[i] as usize);
            text.get(start..end).is_some()
        });
        let kept = places.kept;
        places_fit.then_some(Self { text, places, kept })
    }

    /// Parses the run of instructions at the start of a block, as far as they hold only
    /// ASCII and no separator inside a value. Where there is not one, gives the places
    /// back.
    #[inline(always)]
    pub(crate) fn parse_run<K: Kernel>(
        kernel: K,
        bytes: &'a [u8; BLOCK],
        extent: Extent,
        places: &'a mut Places,
    ) -> Result<Run<'a>, &'a mut Places> {
        let Some(found) = super::find_run(kernel, bytes, extent) else {
            return Err(places);
        };
        let Some(count) = kernel.elements(bytes, found.block, found.ends, Some(places)) else {
            return Err(places);
        };
        places.set_count(count);
        let length = BLOCK - found.terminators.leading_zeros() as usize;
        // SAFETY: `find_run` found no byte outside ASCII up to its last terminator.
        let text = unsafe { core::str::from_utf8_unchecked(&bytes[..length]) };
        Ok(Run {
            // `Kernel::elements` found each value to end, at or after its start, at a
            // bit of `ends`, all of which lie before `length`; and in ASCII every byte is
            // a codepoint.
            fields: Self {
                text,
                places,
                kept: count.min(PLACES),
            },
            ends: found.ends,
            terminators: found.terminators,
        })
    }

    #[inline(always)]
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Offset of the element after those whose places are kept.
    #[cold]
    pub(crate) fn after_kept(&self) -> usize {
        let last = self.kept.checked_sub(1);
        last.and_then(|last| self.end(last))
            .map_or(0, |end| end + 1)
    }

    /// The value with an index, where its place is kept.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<&'a str> {
        self.range(index, index.saturating_add(1)).next()
    }

    /// The values with indices `from..to`, as far as their places are kept.
    #[inline(always)]
    pub(crate) fn range(&self, from: usize, to: usize) -> Kept<'a> {
        Kept {
            fields: *self,
            next: from,
            end: to.min(self.kept),
        }
    }

    /// Offset of the value with an index, where its place is kept.
    #[inline(always)]
    pub(crate) fn start(&self, index: usize) -> Option<usize> {
        let start = self.places.starts.get(index)?;
        (index < self.kept).then_some(*start as usize)
    }

    /// Offset of the byte after the value with an index, where its place is kept.
    #[inline(always)]
    pub(crate) fn end(&self, index: usize) -> Option<usize> {
        let end = self.places.ends.get(index)?;
        (index < self.kept).then_some(*end as usize)
    }
}

/// Values whose places are kept.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'a> {
    fields: Fields<'a>,
    next: usize,
    /// At most as many as places are kept.
    end: usize,
}

impl<'a> Kept<'a> {
    #[inline(always)]
    pub(crate) fn fields(&self) -> Fields<'a> {
        self.fields
    }

    /// Values to come.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.end.saturating_sub(self.next)
    }
}

impl<'a> Iterator for Kept<'a> {
    type Item = &'a str;

    #[inline(always)]
    fn next(&mut self) -> Option<&'a str> {
        if self.next >= self.end {
            return None;
        }
        let Fields { text, places, .. } = self.fields;
        // SAFETY: `next` is below `end`, which is at most the number of places kept; and
        // that is at most `PLACES`, as `Places` sees to. The text may be cut there by the invariant
        // of `Fields`: nothing changes the places while they are borrowed.
        let value = unsafe {
            let start = *places.starts.get_unchecked(self.next);
            let end = *places.ends.get_unchecked(self.next);
            text.get_unchecked(start as usize..end as usize)
        };
        self.next += 1;
        Some(value)
    }
}
