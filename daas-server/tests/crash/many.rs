//! A hundred launches at a time.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread::scope;
use std::time::{Duration, Instant};

use crate::api::{Api, Row};
use crate::installation::{Installation, prepared};

const LAUNCHES: usize = 100;
const ALLOWED: u32 = 60;

#[test]
fn a_hundred_launches_at_once_make_as_many_as_are_allowed() {
    let _turn = crate::turn();
    if !prepared() {
        return;
    }
    let mut installation = Installation::new("many", "10.233.0.0/16", None);
    let api = Api::log_in(installation.start()).unwrap();
    let app = api.app().unwrap();
    api.allow(ALLOWED);
    let began = Instant::now();
    let answers = Mutex::new(Vec::new());
    scope(|scope| {
        for _ in 0..LAUNCHES {
            scope.spawn(|| {
                let answer = api.launch(&app).expect("an answer");
                answers.lock().unwrap().push(answer);
            });
        }
    });
    let answered = began.elapsed();
    let answers = answers.into_inner().unwrap();
    let accepted = answers.iter().filter(|(status, _)| *status == 201);
    let accepted: HashSet<String> = accepted.map(|(_, body)| Row::new(body).id).collect();
    assert_eq!(accepted.len(), ALLOWED as usize, "{answers:?}");
    // As openapi.json says of a quota that is used up.
    let refused = answers.iter().filter(|(status, body)| {
        *status == 409
            && body["detail"]
                .as_str()
                .is_some_and(|text| text.contains("60"))
    });
    assert_eq!(refused.count(), LAUNCHES - ALLOWED as usize, "{answers:?}");
    let (rows, _) = installation.settle(&api, Duration::from_secs(240));
    let settled = began.elapsed();
    let running = rows.iter().filter(|row| row.state == "running");
    let running: HashSet<String> = running.map(|row| row.id.clone()).collect();
    assert_eq!(running, accepted, "{rows:?}\n{}", installation.log());
    let (addresses, networks): (HashSet<_>, HashSet<_>) =
        installation.engine.places().into_iter().unzip();
    assert_eq!(addresses.len(), ALLOWED as usize);
    assert_eq!(networks.len(), ALLOWED as usize);
    let deleting = Instant::now();
    installation.delete_all(&api);
    println!(
        "{LAUNCHES} launches answered after {answered:?}; {ALLOWED} run after {settled:?}; all \
         deleted after {:?}",
        deleting.elapsed()
    );
}
