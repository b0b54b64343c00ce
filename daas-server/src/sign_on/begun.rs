//! Log-ins that have begun at an OpenID provider, until their browser comes back.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use daas_core::access::Token;

/// How long somebody may take at the provider.
pub(crate) const LASTS: Duration = Duration::from_secs(10 * 60);
/// Most log-ins at a time: some MiB. A newer one takes the place of the oldest.
const MOST: usize = 16 * 1024;
/// Most of one network, such as a school behind one address, so that nobody drives out all
/// others.
const MOST_OF_NETWORK: usize = 2 * 1024;

/// Log-ins that have begun, each known by what the provider sends back and open to one
/// browser, once. They are lost with the process; then people begin again.
pub(crate) struct Begun<T> {
    by_state: HashMap<[u8; 32], LogIn<T>>,
    /// Those of `by_state`, the oldest first, and some that are not there any more.
    by_age: VecDeque<(Instant, [u8; 32])>,
    of_network: HashMap<IpAddr, usize>,
}

struct LogIn<T> {
    pending: T,
    browser: [u8; 32],
    network: IpAddr,
    began: Instant,
}

/// The key of a log-in: a hash, so that looking it up tells nothing by its time.
fn key(state: &str) -> Option<[u8; 32]> {
    state.parse().ok().map(|state: Token| state.hash())
}

impl<T> Default for Begun<T> {
    fn default() -> Self {
        Self {
            by_state: HashMap::new(),
            by_age: VecDeque::new(),
            of_network: HashMap::new(),
        }
    }
}

impl<T> Begun<T> {
    /// Keeps a log-in by its state for a browser that has a token. Answers whether there was room: too
    /// many of one network are refused.
    pub(crate) fn keep(
        &mut self,
        state: &str,
        pending: T,
        browser: &Token,
        network: IpAddr,
        now: Instant,
    ) -> bool {
        self.forget_old(now);
        let many = self.of_network.get(&network);
        let (Some(key), true) = (key(state), many.is_none_or(|many| *many < MOST_OF_NETWORK))
        else {
            return false;
        };
        let log_in = LogIn {
            pending,
            browser: browser.hash(),
            network,
            began: now,
        };
        self.by_state.insert(key, log_in);
        self.by_age.push_back((now, key));
        *self.of_network.entry(network).or_default() += 1;
        true
    }

    /// Takes what a state belongs to, if it began in this browser and not too long ago.
    /// Whatever the answer, it is gone: a state that another browser shows has leaked.
    pub(crate) fn take(&mut self, state: &str, browser: &Token, now: Instant) -> Option<T> {
        let log_in = self.remove(&key(state)?)?;
        let in_time = now.saturating_duration_since(log_in.began) < LASTS;
        (in_time && log_in.browser == browser.hash()).then_some(log_in.pending)
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((began, key)) = self.by_age.front().copied() {
            let is_old = now.saturating_duration_since(began) >= LASTS;
            let is_gone = !self.by_state.contains_key(&key);
            if !is_old && !is_gone && self.by_age.len() < MOST {
                return;
            }
            self.by_age.pop_front();
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &[u8; 32]) -> Option<LogIn<T>> {
        let log_in = self.by_state.remove(key)?;
        if let Some(many) = self.of_network.get_mut(&log_in.network) {
            *many -= 1;
            if *many == 0 {
                self.of_network.remove(&log_in.network);
            }
        }
        Some(log_in)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn state() -> String {
        Token::random().unwrap().expose()
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn taken_once_by_the_browser_that_began_and_in_time() {
        let (mut begun, now) = (Begun::default(), Instant::now());
        let (here, there) = (Token::random().unwrap(), Token::random().unwrap());
        let states = [state(), state(), state()];
        for (number, state) in states.iter().enumerate() {
            assert!(begun.keep(state, number, &here, address(1), now));
        }
        assert_eq!(begun.take(&states[0], &here, now), Some(0));
        assert_eq!(begun.take(&states[0], &here, now), None, "twice");
        assert_eq!(begun.take(&states[1], &there, now), None, "elsewhere");
        assert_eq!(begun.take(&states[1], &here, now), None, "it has leaked");
        assert_eq!(begun.take(&states[2], &here, now + LASTS), None, "late");
        assert_eq!(begun.take(&state(), &here, now), None, "unknown");
        for wrong in ["", "x", &"a".repeat(10_000)] {
            assert_eq!(begun.take(wrong, &here, now), None);
            assert!(!begun.keep(wrong, 4, &here, address(1), now));
        }
    }

    #[test]
    fn one_network_does_not_drive_out_the_others() {
        let (mut begun, now) = (Begun::default(), Instant::now());
        let browser = Token::random().unwrap();
        let first = state();
        assert!(begun.keep(&first, 0, &browser, address(1), now));
        let kept = |begun: &mut Begun<usize>, now| {
            let keep = |_: &usize| begun.keep(&state(), 1, &browser, address(2), now);
            (0..MOST).take_while(keep).count()
        };
        assert_eq!(kept(&mut begun, now), MOST_OF_NETWORK);
        assert_eq!(begun.take(&first, &browser, now), Some(0));
        // There is room again when they are too old.
        assert_eq!(kept(&mut begun, now + LASTS), MOST_OF_NETWORK);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let (mut begun, now) = (Begun::default(), Instant::now());
        let browser = Token::random().unwrap();
        let states: Vec<String> = (0..MOST + 10).map(|_| state()).collect();
        for (number, state) in states.iter().enumerate() {
            let network = address(number as u32 / 1000);
            assert!(begun.keep(state, number, &browser, network, now));
        }
        assert_eq!((begun.by_state.len(), begun.by_age.len()), (MOST, MOST));
        assert_eq!(begun.take(&states[9], &browser, now), None, "the oldest");
        assert_eq!(begun.take(&states[10], &browser, now), Some(10));
        // What was taken leaves nothing behind for long.
        for state in &states {
            begun.take(state, &browser, now);
        }
        assert!(begun.by_state.is_empty() && begun.of_network.is_empty());
        assert!(begun.keep(&state(), 0, &browser, address(1), now + SECOND));
        assert_eq!(begun.by_age.len(), 1);
    }
}
