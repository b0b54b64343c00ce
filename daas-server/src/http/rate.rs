//! How many requests somebody may make: a token bucket for each.
//!
//! A bucket is one number, the time at which it will be full again (the generic cell rate
//! algorithm). All buckets lie in one table of a fixed size: looking one up takes no memory,
//! and a flood of new names cannot make it grow. Each name has a few places to be in; where
//! all are taken the fullest bucket makes room, which has the least to tell. So whoever is
//! over the limit stays known, and who was quiet loses nothing.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Places for one name.
const WAYS: usize = 8;
/// Sets of places: room for 131 072 names, in 2 MiB that are only taken as they are used.
const SETS: usize = 16 * 1024;
const SECOND_NS: u64 = 1_000_000_000;

/// How many requests are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run. With 0 there is no limit.
    pub per_second: u32,
    /// At once, after a pause; at least 1.
    pub burst: u32,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self {
        per_second: 0,
        burst: 0,
    };
}

impl Default for Rate {
    fn default() -> Self {
        Self::UNLIMITED
    }
}

/// Limits of requests; by default there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// For each address; those of IPv6 share one where the first 64 bits are the same.
    pub per_address: Rate,
    /// For each account.
    pub per_account: Rate,
}

/// Whose bucket it is, and the time at which it is full again, in nanoseconds. Names are
/// kept as hashes that nobody outside can predict; two of them share a bucket once in 2⁶⁴.
type Place = [u64; 2];

/// What counts as one address. Whoever has an IPv6 address has 2⁶⁴ of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(network.into())
        }
    }
}

/// A limit for many, each by a name.
pub(crate) struct Limiter {
    /// Time for one token; 0 where there is no limit.
    interval_ns: u64,
    /// How far ahead of the present a bucket may be.
    ahead_ns: u64,
    hasher: RandomState,
    places: Mutex<Vec<Place>>,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self::with_sets(rate, SETS)
    }

    fn with_sets(rate: Rate, sets: usize) -> Self {
        let interval_ns = SECOND_NS.checked_div(rate.per_second.into()).unwrap_or(0);
        let places = if interval_ns == 0 { 0 } else { sets * WAYS };
        Self {
            interval_ns,
            ahead_ns: interval_ns * u64::from(rate.burst.saturating_sub(1)),
            hasher: RandomState::new(),
            places: Mutex::new(vec![[0; 2]; places]),
        }
    }

    /// Takes a token. `now` is the time since some beginning, and never goes back by much.
    ///
    /// # Errors
    /// The time until there is one; none was taken.
    pub(crate) fn take(&self, name: impl Hash, now: Duration) -> Result<(), Duration> {
        if self.interval_ns == 0 {
            return Ok(());
        }
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let hash = self.hasher.hash_one(name);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let sets = (places.len() / WAYS).max(1);
        let set = places.chunks_exact_mut(WAYS).nth(hash as usize % sets);
        match set.and_then(|set| find(set, hash)) {
            Some(full_at) => self.advance(full_at, now),
            None => Ok(()),
        }
    }

    fn advance(&self, full_at: &mut u64, now: u64) -> Result<(), Duration> {
        let start = now.max(*full_at);
        let early = start.saturating_sub(now.saturating_add(self.ahead_ns));
        if early > 0 {
            return Err(Duration::from_nanos(early));
        }
        *full_at = start.saturating_add(self.interval_ns);
        Ok(())
    }
}

/// The bucket of a name; where it has none, that which will be full first becomes it. Places
/// that were never used have been full since the beginning.
fn find(set: &mut [Place], hash: u64) -> Option<&mut u64> {
    let known = set.iter().position(|[name, _]| *name == hash);
    let index = known.or_else(|| {
        let places = set.iter().enumerate();
        let fullest = places.min_by_key(|(_, [_, full_at])| *full_at);
        fullest.map(|(index, _)| index)
    })?;
    let [name, full_at] = set.get_mut(index)?;
    if known.is_none() {
        (*name, *full_at) = (hash, 0);
    }
    Some(full_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1000);
    const NAME: [u64; 2] = [1, 1];

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        Limiter::with_sets(Rate { per_second, burst }, 4)
    }

    fn taken(limiter: &Limiter, name: [u64; 2], now: Duration) -> usize {
        (0..1000)
            .take_while(|_| limiter.take(name, now).is_ok())
            .count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let limiter = limiter(10, 30);
        assert_eq!(taken(&limiter, NAME, START), 30);
        let wait = limiter.take(NAME, START);
        assert_eq!(wait, Err(Duration::from_millis(100)));
        // Asking in vain costs nothing.
        let later = START + Duration::from_millis(100);
        assert_eq!(taken(&limiter, NAME, later), 1);
        assert_eq!(taken(&limiter, NAME, later + Duration::from_secs(1)), 10);
        // Nobody saves up more than a burst.
        assert_eq!(taken(&limiter, NAME, later + Duration::from_secs(3600)), 30);
    }

    #[test]
    fn nobody_pays_for_another() {
        let limiter = limiter(1, 5);
        assert_eq!(taken(&limiter, NAME, START), 5);
        assert_eq!(taken(&limiter, [1, 2], START), 5);
        assert_eq!(taken(&limiter, [2, 1], START), 5);
    }

    #[test]
    fn off_is_off() {
        assert_eq!(taken(&limiter(0, 0), NAME, START), 1000);
        assert_eq!(taken(&limiter(0, 5), NAME, START), 1000);
    }

    #[test]
    fn a_burst_of_nothing_is_one() {
        assert_eq!(taken(&limiter(1, 0), NAME, START), 1);
        assert_eq!(taken(&limiter(1, 1), NAME, START), 1);
    }

    #[test]
    fn a_flood_of_new_names_takes_no_room_and_hides_nobody() {
        let limiter = limiter(1, 100);
        let flooder = [7, 7];
        assert_eq!(taken(&limiter, flooder, START), 100);
        // Far more than there are places; each asks once.
        for name in 0..10_000 {
            assert!(limiter.take([1_u64, name], START).is_ok());
        }
        assert_eq!(taken(&limiter, flooder, START), 0);
        let places = limiter.places.lock();
        assert_eq!(places.map(|places| places.len()).ok(), Some(4 * WAYS));
    }

    #[test]
    fn a_million_addresses_take_no_more_room_than_one() {
        let limiter = Limiter::new(Rate {
            per_second: 1,
            burst: 100,
        });
        let (flooder, room) = (NAME, SETS * WAYS);
        assert_eq!(taken(&limiter, flooder, START), 100);
        for address in 0..1_000_000_u32 {
            let address = IpAddr::from((u128::from(address) << 64).to_be_bytes());
            assert_eq!(limiter.take(network(address), START), Ok(()));
        }
        assert_eq!(taken(&limiter, flooder, START), 0);
        let places = limiter.places.lock().map(|places| places.capacity());
        assert_eq!(places.ok(), Some(room));
    }

    #[test]
    fn times_that_go_back_or_to_the_end_do_no_harm() {
        let limiter = limiter(1, 2);
        assert_eq!(taken(&limiter, NAME, START), 2);
        assert!(limiter.take(NAME, Duration::ZERO).is_err());
        assert!(limiter.take(NAME, Duration::MAX).is_ok());
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let network = |text: &str| text.parse().map(network).ok();
        assert_eq!(network("2001:db8::1"), network("2001:db8:0:0:ffff::2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
