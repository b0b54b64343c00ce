//! Arguments of which there may be any number.

use core::fmt;
use core::iter::FusedIterator;
use core::slice;

use super::argument::Argument;
use crate::{Elements, Instruction};

/// The last arguments of an instruction, however many there are: those of a decoded one,
/// or a slice of the caller's.
///
/// ```
/// use guac_protocol::instruction::{List, client};
/// use guac_protocol::{Encoder, Limits};
///
/// let connect = client::Connect {
///     version: "VERSION_1_5_0",
///     values: List::from(&["desktop", "5900", ""]),
/// };
/// let mut out = Vec::new();
/// Encoder::new(Limits::GUACD).encode_vec(&connect, &mut out)?;
/// assert_eq!(out, b"7.connect,13.VERSION_1_5_0,7.desktop,4.5900,0.;");
/// # Ok::<(), guac_protocol::EncodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct List<'a, T> {
    source: Source<'a, T>,
}

#[derive(Clone, Copy)]
enum Source<'a, T> {
    /// The elements from this index on, each of which is known to be a `T`.
    Elements(Instruction<'a>, usize),
    Slice(&'a [T]),
}

impl<'a, T: Argument<'a> + Copy> List<'a, T> {
    /// No arguments.
    pub const EMPTY: Self = Self {
        source: Source::Slice(&[]),
    };

    /// The elements of an instruction from this index on. Those that are not a `T` would
    /// be the end of it.
    pub(super) fn of_elements(instruction: Instruction<'a>, first: usize) -> Self {
        Self {
            source: Source::Elements(instruction, first),
        }
    }

    /// Its values in order.
    #[must_use]
    pub fn iter(&self) -> ListIter<'a, T> {
        match self.source {
            Source::Elements(instruction, first) => {
                let mut elements = instruction.elements();
                for _ in 0..first {
                    elements.next();
                }
                ListIter(Values::Elements(elements))
            }
            Source::Slice(values) => ListIter(Values::Slice(values.iter())),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.source {
            Source::Elements(instruction, first) => instruction.len().saturating_sub(first),
            Source::Slice(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Argument<'a> + Copy> Default for List<'a, T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(values: &'a [T]) -> Self {
        Self {
            source: Source::Slice(values),
        }
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for List<'a, T> {
    fn from(values: &'a [T; N]) -> Self {
        Self::from(values.as_slice())
    }
}

impl<'a, T: Argument<'a> + Copy> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Argument<'a> + Copy> IntoIterator for &List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Argument<'a> + Copy + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Equal where the values are, wherever they come from.
impl<'a, T: Argument<'a> + Copy + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Argument<'a> + Copy + Eq> Eq for List<'a, T> {}

/// Iterator over the values of a [`List`].
#[derive(Clone, Debug)]
pub struct ListIter<'a, T>(Values<'a, T>);

#[derive(Clone, Debug)]
enum Values<'a, T> {
    Elements(Elements<'a>),
    Slice(slice::Iter<'a, T>),
}

impl<'a, T: Argument<'a> + Copy> Iterator for ListIter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Values::Elements(elements) => T::parse(elements.next()?).ok(),
            Values::Slice(values) => values.next().copied(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Values::Elements(elements) => elements.size_hint(),
            Values::Slice(values) => values.size_hint(),
        }
    }
}

impl<'a, T: Argument<'a> + Copy> ExactSizeIterator for ListIter<'a, T> {}
impl<'a, T: Argument<'a> + Copy> FusedIterator for ListIter<'a, T> {}
