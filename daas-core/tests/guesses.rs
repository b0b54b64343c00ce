//! Guessing passwords: how often it may be tried, and what it tells.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "support/store.rs"]
mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use daas_core::access::{Access, AccessConfig, Client, LogInError, Passwords};
use daas_core::audit::{AuditAction, Outcome};
use daas_core::model::{Role, Timestamp, User};
use support::{Fixture, T0, fixture, secret};

const PASSWORD: &str = "correct horse";
const WINDOW_MS: i64 = 15 * 60 * 1000;

struct Door {
    fixture: Fixture,
    access: Access,
    hash: String,
}

impl Door {
    async fn new() -> Self {
        let fixture = fixture().await;
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(secret(PASSWORD)).await.unwrap();
        let access = Access::new(fixture.store.clone(), passwords, AccessConfig::default());
        Self {
            fixture,
            access,
            hash,
        }
    }

    async fn add(&self, name: &str) {
        let user = User::new(name, Role::User, self.hash.clone(), T0);
        self.fixture.add(user).await;
    }

    async fn try_in(&self, name: &str, password: &str, from: u32, now: Timestamp) -> Tried {
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + from));
        let client = Client::new(address, "a browser");
        let password = secret(password);
        let tried = self.access.log_in(name, password, None, client, now).await;
        match tried {
            Ok(_) => Tried::In,
            Err(LogInError::Wrong) => Tried::Wrong,
            Err(LogInError::TooMany { retry_after }) => Tried::TooMany(retry_after),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Tried {
    In,
    Wrong,
    TooMany(Duration),
}

/// Whoever guesses from ten thousand addresses gets five answers in a quarter of an hour.
#[tokio::test]
async fn an_account_is_guessed_at_five_times() {
    let door = Door::new().await;
    door.add("ada").await;
    let mut answered = 0;
    for guess in 0..10_000 {
        // The name is the same one, however it is written.
        let name = ["ada", "Ada", "ADA"][guess as usize % 3];
        let now = T0.plus_ms(i64::from(guess));
        match door
            .try_in(name, &format!("guess {guess}"), guess, now)
            .await
        {
            Tried::Wrong => answered += 1,
            Tried::TooMany(wait) => assert!(wait <= Duration::from_millis(WINDOW_MS as u64)),
            Tried::In => panic!("a guess was right"),
        }
    }
    assert_eq!(answered, 5);
    let log = door.fixture.audit().await;
    let refused = log.iter().filter(|entry| {
        entry.action == AuditAction::SessionLogIn && entry.outcome == Outcome::Refused
    });
    assert_eq!(refused.count(), 5);
    // Not even the right one is looked at until the time is over.
    let soon = T0.plus_ms(WINDOW_MS - 1);
    let tried = door.try_in("ada", PASSWORD, 20_000, soon).await;
    assert!(matches!(tried, Tried::TooMany(_)), "{tried:?}");
    let later = T0.plus_ms(WINDOW_MS);
    assert_eq!(door.try_in("ada", PASSWORD, 20_000, later).await, Tried::In);
}

/// Many at once are no way around it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_more_often_at_once() {
    let door = Door::new().await;
    door.add("ada").await;
    let guesses = (0..200).map(|guess| door.try_in("ada", "wrong horse", guess, T0));
    let tried = futures_util::future::join_all(guesses).await;
    let answered = tried.iter().filter(|tried| **tried == Tried::Wrong).count();
    assert_eq!(answered, 5);
}

#[tokio::test]
async fn an_address_is_good_for_fifty_names() {
    let door = Door::new().await;
    let mut answered = 0;
    for name in 0..100 {
        let name = format!("name-{name}");
        let tried = door.try_in(&name, "wrong horse", 1, T0);
        answered += usize::from(tried.await == Tried::Wrong);
    }
    assert_eq!(answered, 50);
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Known and unknown names take the same time, by the median of a thousand each. They take
/// turns, so that whatever else the machine does meets both.
#[tokio::test]
async fn time_does_not_tell_who_is_there() {
    const EACH: u32 = 1000;
    let door = Door::new().await;
    for name in 0..EACH {
        door.add(&format!("known-{name}")).await;
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for turn in 0..EACH {
        for (times, kind) in [(&mut known, "known"), (&mut unknown, "other")] {
            let name = format!("{kind}-{turn}");
            let start = Instant::now();
            let tried = door.try_in(&name, "wrong horse", turn, T0).await;
            times.push(start.elapsed());
            assert_eq!(tried, Tried::Wrong);
        }
    }
    let (known, unknown) = (median(&mut known), median(&mut unknown));
    let difference = known.abs_diff(unknown).as_secs_f64() / known.as_secs_f64();
    println!(
        "known {known:?}, unknown {unknown:?}: {:.1} %",
        difference * 100.0
    );
    assert!(difference <= 0.1, "known {known:?}, unknown {unknown:?}");
}
