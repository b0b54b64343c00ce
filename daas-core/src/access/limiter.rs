//! How often a password may be guessed.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::model::Timestamp;

/// Limits on log-ins that fail.
#[derive(Clone, Copy, Debug)]
pub struct LimiterConfig {
    /// The time in which attempts are counted.
    pub window: Duration,
    /// For one account.
    pub per_account: u32,
    /// From one address.
    pub per_address: u32,
    /// Accounts and addresses that are remembered; beyond that the oldest are forgotten.
    pub remembered: usize,
}

impl Default for LimiterConfig {
    /// 5 for an account and 50 from an address in 15 minutes.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(15 * 60),
            per_account: 5,
            per_address: 50,
            remembered: 100_000,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Hash of the name: names may be long, and are whatever was typed.
    Account([u8; 32]),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    attempts: u32,
    since: Timestamp,
}

/// An attempt that was counted.
#[derive(Debug)]
pub struct Attempt {
    account: Key,
    address: Key,
}

/// Counts attempts for each account and from each address. An attempt counts before its
/// password is checked, so that many at once are no way around.
#[derive(Debug)]
pub struct Limiter {
    config: LimiterConfig,
    counts: Mutex<HashMap<Key, Count>>,
}

impl Limiter {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(config: LimiterConfig) -> Self {
        Self {
            config,
            counts: Mutex::default(),
        }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// The time to wait, where there were too many.
    pub fn attempt(
        &self,
        name: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        let attempt = Attempt {
            account: Key::Account(Sha256::digest(name.to_lowercase()).into()),
            address: Key::Address(network(address)),
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget(&mut counts, now);
        let limits = [
            (attempt.account, self.config.per_account),
            (attempt.address, self.config.per_address),
        ];
        for (key, most) in limits {
            if let Some(count) = counts.get(&key) {
                let left = self.left(*count, now);
                if left.is_zero() {
                    counts.remove(&key);
                } else if count.attempts >= most {
                    return Err(left);
                }
            }
        }
        for (key, _) in limits {
            let fresh = Count {
                attempts: 0,
                since: now,
            };
            counts.entry(key).or_insert(fresh).attempts += 1;
        }
        Ok(attempt)
    }

    /// Takes an attempt back, as its password was right.
    pub fn forgive(&self, attempt: Attempt) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&attempt.account);
        if let Some(count) = counts.get_mut(&attempt.address) {
            count.attempts = count.attempts.saturating_sub(1);
        }
    }

    fn left(&self, count: Count, now: Timestamp) -> Duration {
        let passed = now.0.saturating_sub(count.since.0);
        let passed = Duration::from_millis(u64::try_from(passed).unwrap_or(0));
        self.config.window.saturating_sub(passed)
    }

    /// Makes room, where there is none: for what is over, else for the oldest.
    fn forget(&self, counts: &mut HashMap<Key, Count>, now: Timestamp) {
        if counts.len() < self.config.remembered {
            return;
        }
        counts.retain(|_, count| !self.left(*count, now).is_zero());
        while counts.len() >= self.config.remembered {
            let oldest = counts.iter().min_by_key(|(_, count)| count.since);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                return;
            };
            counts.remove(&oldest);
        }
    }
}

/// What one party is likely to hold: an IPv4 address, or the /64 of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    const T0: Timestamp = Timestamp(1_000_000);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_account_is_shut_after_five() {
        let limiter = Limiter::new(LimiterConfig::default());
        for last in 0..5 {
            limiter.attempt("Name", address(last), T0).unwrap();
        }
        let minute = T0.plus_ms(60_000);
        let wait = limiter.attempt("nAME", address(9), minute).unwrap_err();
        assert_eq!(wait, Duration::from_secs(14 * 60));
        limiter.attempt("other", address(9), minute).unwrap();
        let later = T0.plus_ms(15 * 60_000);
        limiter.attempt("name", address(9), later).unwrap();
    }

    #[test]
    fn right_passwords_do_not_count() {
        let limiter = Limiter::new(LimiterConfig::default());
        for _ in 0..200 {
            let attempt = limiter.attempt("name", address(1), T0).unwrap();
            limiter.forgive(attempt);
        }
    }

    #[test]
    fn an_address_is_shut_after_fifty_and_memory_is_bounded() {
        let config = LimiterConfig {
            remembered: 100,
            ..LimiterConfig::default()
        };
        let limiter = Limiter::new(config);
        for n in 0..50 {
            limiter.attempt(&n.to_string(), address(1), T0).unwrap();
        }
        assert!(limiter.attempt("another", address(1), T0).is_err());
        for n in 0..250 {
            let from = IpAddr::from([10, 0, 0, n]);
            let _ = limiter.attempt(&format!("x{n}"), from, T0.plus_ms(1));
            assert!(limiter.counts.lock().unwrap().len() <= 101);
        }
    }
}
