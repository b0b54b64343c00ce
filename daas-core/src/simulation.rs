//! A world in which everything happens in the same order again, for tests that are repeated by
//! a number: time is that of a paused tokio, what is random follows from a seed, and calls
//! that would block a thread are done at once.
//!
//! It holds for one thread, as long as [`enter`]'s answer is there. Nothing else in the program
//! notices, and without the feature `simulation` there is no such thing.

use std::cell::RefCell;

use tokio::time::Instant;

use crate::model::Timestamp;

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

struct World {
    /// State of SplitMix64 (Steele, Lea, Flood 2014), which is as random as tests need.
    random: u64,
    start: Timestamp,
    began: Instant,
}

impl World {
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.random;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Ends the world of this thread when it is dropped.
#[derive(Debug)]
#[must_use = "the world ends when this is dropped"]
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        WORLD.with_borrow_mut(|world| *world = None);
    }
}

/// Begins a world on this thread, at a time of day. The runtime has to be one of a single
/// thread with its time paused.
pub fn enter(seed: u64, start: Timestamp) -> Entered {
    let world = World {
        random: seed,
        start,
        began: Instant::now(),
    };
    WORLD.with_borrow_mut(|present| *present = Some(world));
    Entered(())
}

/// The time in this thread's world, if it has one.
pub(crate) fn now() -> Option<Timestamp> {
    WORLD.with_borrow(|world| {
        let world = world.as_ref()?;
        let elapsed = i64::try_from(world.began.elapsed().as_millis()).ok()?;
        Some(world.start.plus_ms(elapsed))
    })
}

/// Fills bytes from the seed of this thread's world; answers whether it has one.
pub(crate) fn fill(bytes: &mut [u8]) -> bool {
    WORLD.with_borrow_mut(|world| {
        let Some(world) = world else {
            return false;
        };
        for eight in bytes.chunks_mut(8) {
            let random = world.next().to_le_bytes();
            eight.copy_from_slice(random.get(..eight.len()).unwrap_or_default());
        }
        true
    })
}

/// Whether this thread has a world.
pub(crate) fn is_here() -> bool {
    WORLD.with_borrow(Option::is_some)
}
