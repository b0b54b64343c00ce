//! Where values are.

/// Values whose places are kept; as many as guacd takes elements.
pub(crate) const PLACES: usize = 128;

/// Where the values of an instruction are, as offsets in it.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Places {
    /// First byte of each value.
    pub(super) starts: [u32; PLACES],
    /// Byte after each value.
    pub(super) ends: [u32; PLACES],
    /// Elements in all.
    count: usize,
    /// Elements whose place is kept; never more than [`PLACES`].
    pub(super) kept: usize,
}

impl Places {
    pub(crate) const EMPTY: Self = Self {
        count: 0,
        kept: 0,
        starts: [0; PLACES],
        ends: [0; PLACES],
    };

    pub(crate) fn clear(&mut self) {
        self.set_count(0);
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Says how many places were [set](Self::set).
    #[inline(always)]
    pub(super) fn set_count(&mut self, count: usize) {
        self.count = count;
        self.kept = count.min(PLACES);
    }

    #[inline(always)]
    pub(super) fn set(&mut self, index: usize, start: usize, end: usize) {
        self.starts[index % PLACES] = start as u32;
        self.ends[index % PLACES] = end as u32;
    }

    /// Adds an element, and keeps its place if there is room and it is not beyond 4 GiB.
    #[inline(always)]
    pub(crate) fn push(&mut self, start: usize, end: usize) {
        if self.kept == self.count
            && self.kept < PLACES
            && u32::try_from(start).is_ok()
            && u32::try_from(end).is_ok()
        {
            self.set(self.kept, start, end);
            self.kept += 1;
        }
        self.count += 1;
    }
}
