//! The server is killed at any moment, and started again.

use std::collections::BTreeMap;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::api::{Api, Row};
use crate::desks::{Counts, Desk};
use crate::installation::{Installation, SETTLES, prepared};
use crate::random::{Random, number, seed};

const PEOPLE: usize = 3;
/// The server is killed within so many milliseconds.
const LIVES_MS: u64 = 1500;

/// What came of all rounds.
#[derive(Debug, Default)]
struct Figures {
    kills: u32,
    /// How long it took from the start of the server until all agreed.
    settled: Vec<Duration>,
}

impl Figures {
    fn print(&mut self, people: &[Desk]) {
        self.settled.sort();
        let sum =
            |what: fn(&Counts) -> u32| people.iter().map(|desk| what(&desk.counts)).sum::<u32>();
        println!(
            "{} kills; {} launches, {} other actions, {} refused, {} unanswered; settled after \
             {:?} (median), {:?} (95 of 100), {:?} (longest)",
            self.kills,
            sum(|counts| counts.launches),
            sum(|counts| counts.acts),
            sum(|counts| counts.refusals),
            sum(|counts| counts.unanswered),
            self.settled[self.settled.len() / 2],
            self.settled[self.settled.len() * 95 / 100],
            self.settled[self.settled.len() - 1],
        );
    }
}

/// Starts the server after it was killed, and looks at what became of everything.
fn recover(
    installation: &mut Installation,
    people: &mut [Desk],
    random: &mut Random,
    figures: &mut Figures,
) -> Api {
    // Now and then it does not live long enough to make all good.
    while random.one_in(5) {
        installation.start();
        sleep(random.ms(LIVES_MS));
        installation.kill();
        figures.kills += 1;
    }
    let began = Instant::now();
    let address = installation.start();
    let api = Api::log_in(address).expect("a server");
    let left = SETTLES.saturating_sub(began.elapsed());
    let (rows, _) = installation.settle(&api, left);
    figures.settled.push(began.elapsed());
    let mut rows: BTreeMap<String, Row> =
        rows.into_iter().map(|row| (row.id.clone(), row)).collect();
    let wrong: Vec<String> = people
        .iter_mut()
        .flat_map(|desk| desk.look(&mut rows))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", installation.log());
    for row in rows.values() {
        let last = u64::try_from(people.len()).unwrap();
        people[usize::try_from(random.below(last)).unwrap()].adopt(row);
    }
    api
}

/// People work until the server is killed.
fn work(installation: &mut Installation, api: &Api, people: &mut [Desk], random: &mut Random) {
    let (app, lives) = (api.app().unwrap(), random.ms(LIVES_MS));
    scope(|scope| {
        for desk in people {
            let (mut random, app) = (random.fork(), &app);
            scope.spawn(move || desk.work(api, app, &mut random));
        }
        sleep(lives);
        installation.kill();
    });
}

#[test]
fn nothing_is_lost_or_left_when_the_server_is_killed() {
    let _turn = crate::turn();
    if !prepared() {
        return;
    }
    let (rounds, seed) = (number("ROUNDS", 5), seed());
    println!("ROUNDS={rounds} SEED={seed}");
    let mut random = Random::new(seed);
    let mut installation = Installation::new("kills", "10.232.0.0/16", None);
    let mut people: Vec<Desk> = (0..PEOPLE).map(|_| Desk::default()).collect();
    let mut figures = Figures::default();
    let mut api = Api::log_in(installation.start()).unwrap();
    for round in 1..=rounds {
        work(&mut installation, &api, &mut people, &mut random);
        figures.kills += 1;
        api = recover(&mut installation, &mut people, &mut random, &mut figures);
        if round % 10 == 0 {
            println!("round {round}");
            figures.print(&people);
        }
    }
    installation.delete_all(&api);
    installation.kill();
    installation.check_database();
    figures.print(&people);
}
