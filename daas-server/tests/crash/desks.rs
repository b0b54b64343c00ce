//! What people have asked for, and what they may find because of it.

use std::collections::BTreeMap;

use crate::api::{Answer, Api, Row};
use crate::random::Random;

/// Most desktops of one person.
const DESKTOPS: usize = 3;

/// Desktops of one person who does one thing after the other, each with the states in which it
/// may be once all has settled. What was answered has to be so; what was not may be so.
#[derive(Debug, Default)]
pub struct Desk {
    may_be: BTreeMap<String, Vec<&'static str>>,
    pub counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub launches: u32,
    pub acts: u32,
    pub refusals: u32,
    pub unanswered: u32,
}

/// What can be done, and what comes of it.
const ACTIONS: [(&str, &str); 5] = [
    ("start", "running"),
    ("stop", "stopped"),
    ("suspend", "suspended"),
    ("resume", "running"),
    ("delete", "deleted"),
];

impl Desk {
    /// Does one thing after the other until the server is gone.
    pub fn work(&mut self, api: &Api, app: &str, random: &mut Random) {
        while self.step(api, app, random).is_some() {
            std::thread::sleep(random.ms(60));
        }
    }

    fn step(&mut self, api: &Api, app: &str, random: &mut Random) -> Option<()> {
        let ids: Vec<String> = self.may_be.keys().cloned().collect();
        match random.pick(&ids) {
            // What was launched without an answer comes on top.
            Some(id) if ids.len() > DESKTOPS => {
                let delete = ("delete", "deleted");
                self.act(api.act(id, delete.0), id, delete)
            }
            Some(id) if ids.len() >= DESKTOPS || random.one_in(2) => {
                let action = *random.pick(&ACTIONS)?;
                self.act(api.act(id, action.0), id, action)
            }
            _ => self.launched(api.launch(app)),
        }
    }

    fn launched(&mut self, answer: Answer) -> Option<()> {
        self.counts.launches += 1;
        // It may be there all the same, and is found later.
        let (status, instance) = self.answered(answer)?;
        assert_eq!(status, 201, "{instance}");
        self.may_be.insert(Row::new(&instance).id, vec!["running"]);
        Some(())
    }

    fn act(&mut self, answer: Answer, id: &str, action: (&str, &'static str)) -> Option<()> {
        self.counts.acts += 1;
        let may_be = self.may_be.get_mut(id).unwrap();
        let Some((status, said)) = answer else {
            may_be.push(action.1);
            self.counts.unanswered += 1;
            return None;
        };
        match status {
            202 => *may_be = vec![action.1],
            409 => self.counts.refusals += 1,
            // It may be deleted already; otherwise it would be lost.
            404 => assert!(may_be.contains(&"deleted"), "{id} {may_be:?}: {said}"),
            _ => panic!("{action:?}: {status} {said}"),
        }
        Some(())
    }

    fn answered(&mut self, answer: Answer) -> Answer {
        self.counts.unanswered += u32::from(answer.is_none());
        answer
    }

    /// Takes what is there once all has settled, if it is what may be; answers what is not.
    pub fn look(&mut self, rows: &mut BTreeMap<String, Row>) -> Vec<String> {
        let mut wrong = Vec::new();
        self.may_be.retain(|id, may_be| {
            let row = rows.remove(id);
            let state = row.as_ref().map_or("deleted", |row| row.state.as_str());
            if !may_be.contains(&state) {
                wrong.push(format!("{id} may be {may_be:?} and is {row:?}"));
            }
            *may_be = outcome(state);
            state != "deleted"
        });
        wrong
    }

    /// Takes over what was launched without an answer. It is as it is: what is asked of it next
    /// counts.
    pub fn adopt(&mut self, row: &Row) {
        self.may_be.insert(row.id.clone(), outcome(&row.state));
    }
}

/// What something may be that has a state now: that, if an action leads there.
fn outcome(state: &str) -> Vec<&'static str> {
    let outcomes = ACTIONS.iter().map(|(_, outcome)| *outcome);
    outcomes
        .filter(|outcome| *outcome == state)
        .take(1)
        .collect()
}
