//! Instances in a world where everything goes wrong that can: seeded, with a virtual clock,
//! faults before and after every call and every write, and the server killed in between. What
//! a seed does it does again.
//!
//! ```text
//! cargo test -p daas-core --features simulation --test simulation        # 500 seeds
//! SEEDS=10000 cargo test …                                               # more of them
//! SEED=4711 cargo test … -- --nocapture                                  # one, and what it does
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]
#![allow(
    unreachable_pub,
    reason = "modules of a test have nobody else to serve"
)]

#[path = "simulation/check.rs"]
mod check;
#[path = "simulation/hypervisor.rs"]
mod hypervisor;
#[path = "simulation/life.rs"]
mod life;
#[path = "simulation/policies.rs"]
mod policies;
#[path = "simulation/store.rs"]
mod store;
#[path = "support/store.rs"]
mod support;
#[path = "simulation/world.rs"]
mod world;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use world::World;

/// Seeds without any other wish.
const SEEDS: u64 = 500;
/// Most lives of the server for one seed, but for the last one.
const LIVES: u64 = 4;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect(name))
}

/// What happened, in one number.
fn run(seed: u64, tell: bool) -> u64 {
    let world = World::new(seed, tell);
    for _ in 0..world.between(1, LIVES) {
        life::live(&world);
    }
    world.calm_down();
    life::settle(&world);
    world.digest()
}

/// Runs seeds on all processors; answers those that failed.
fn run_all(seeds: u64) -> Vec<u64> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return failed;
            }
            if catch_unwind(AssertUnwindSafe(|| run(seed, false))).is_err() {
                println!("seed {seed} failed; again: SEED={seed}");
                failed.push(seed);
            }
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        let failed = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap());
        failed.collect()
    })
}

#[test]
fn rows_and_desktops_agree_whatever_happens() {
    if let Some(seed) = number("SEED") {
        run(seed, true);
        return;
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let failed = run_all(seeds);
    println!("{seeds} seeds: {}", world::totals());
    assert_eq!(failed, Vec::<u64>::new());
    world::assert_enough(seeds);
}

#[test]
fn a_seed_does_the_same_again() {
    for seed in [1, 7, 23] {
        assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
    }
}
