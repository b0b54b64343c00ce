//! The engine is restarted in the middle of launches.

use std::collections::BTreeSet;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::api::{Api, Row};
use crate::installation::{Installation, SETTLES};
use crate::own_engine::own_engine;
use crate::random::{Random, number, seed};

const LAUNCHES: usize = 20;
/// The engine goes within so many milliseconds after all were answered, and comes again.
const GOES_MS: u64 = 4000;
const AWAY: Duration = Duration::from_secs(2);

/// Launches all at once; answers their ids.
fn launch_all(api: &Api) -> BTreeSet<String> {
    let app = api.app().unwrap();
    scope(|scope| {
        let launches: Vec<_> = (0..LAUNCHES)
            .map(|_| scope.spawn(|| api.launch(&app).unwrap()))
            .collect();
        let answers = launches.into_iter().map(|launch| launch.join().unwrap());
        answers
            .map(|(status, body)| {
                assert_eq!(status, 201, "{body}");
                Row::new(&body).id
            })
            .collect()
    })
}

/// All are there, once, and run; or they ran, and ended with the engine.
fn check(rows: &[Row], launched: &BTreeSet<String>, installation: &Installation) -> usize {
    let ids: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
    assert_eq!(&ids, launched);
    let mut ended = 0;
    for row in rows {
        let steps = installation.steps(&row.id);
        let ran = steps.iter().any(|state| state == "running");
        match row.state.as_str() {
            "running" => {}
            "stopped" if ran => ended += 1,
            _ => panic!("{row:?} {steps:?}\n{}", installation.log()),
        }
    }
    ended
}

fn restarted(signal: Signal) {
    let _turn = crate::turn();
    let Some(mut engine) = own_engine() else {
        return;
    };
    let seed = seed();
    println!("SEED={seed}");
    let mut random = Random::new(seed);
    let mut installation = Installation::new("outage", "10.234.0.0/16", Some(engine.socket()));
    let api = Api::log_in(installation.start()).unwrap();
    for _ in 0..number("OUTAGES", 1) {
        let launched = launch_all(&api);
        let after = random.ms(GOES_MS);
        sleep(after);
        engine.end(signal);
        sleep(AWAY);
        engine.start_again().unwrap();
        let answers = Instant::now();
        let (rows, _) = installation.settle(&api, SETTLES);
        let settled = answers.elapsed();
        let ended = check(&rows, &launched, &installation);
        println!(
            "{signal:?} after {after:?}: settled {settled:?} after the engine answers; {} run, \
             {ended} had run and ended with it",
            rows.len() - ended
        );
        installation.delete_all(&api);
    }
    installation.kill();
    installation.check_database();
}

#[test]
fn launches_survive_an_engine_that_is_restarted() {
    restarted(Signal::TERM);
}

#[test]
fn launches_survive_an_engine_that_is_killed() {
    restarted(Signal::KILL);
}
