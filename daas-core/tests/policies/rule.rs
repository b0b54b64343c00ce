//! The rule: what is the first to come.

use daas_core::model::{
    AppId, Due, Ending, Instance, InstanceState, Policies, Policy, PolicyError, Timestamp, UserId,
    Why,
};
use proptest::prelude::*;

use super::support::{T0, secret};
use super::{MINUTE, at, policies, policy};

#[test]
fn policies_are_written_in_one_way() {
    for (text, action, after_s) in [
        ("suspend after 60s", Ending::Suspend, 60),
        ("stop after 10m", Ending::Stop, 600),
        ("delete after 8h", Ending::Delete, 28_800),
        ("stop after 365d", Ending::Stop, 31_536_000),
    ] {
        assert_eq!(text.parse(), Ok(Policy { action, after_s }));
    }
    assert_eq!(Policy::parse("keep"), Ok(None));
    for text in [
        "stop after 59s",
        "stop after 0m",
        "stop after 366d",
        "stop after 99999999999999999999s",
    ] {
        assert_eq!(Policy::parse(text), Err(PolicyError::Range), "{text}");
    }
    for text in [
        "",
        "stop",
        "Keep",
        "keep ",
        "stop after",
        "stop after ",
        "stop after 10",
        "stop after m",
        "stop after 10 m",
        "stop after 10min",
        "stop after -10m",
        "stop after +10m",
        "stop after 1.5h",
        "stop  after 10m",
        "stop after 10m ",
        "halt after 10m",
        "STOP after 10m",
        "stop after 10M",
        "resume after 10m",
        "stop after １０m",
        "after 10m",
    ] {
        assert_eq!(Policy::parse(text), Err(PolicyError::Shape), "{text}");
    }
}

#[test]
fn reasons_are_told_in_words() {
    let told = |why, text: &str| {
        let due = Due {
            at: T0,
            why,
            policy: policy(text).unwrap(),
        };
        due.text()
    };
    for (why, policy, expected) in [
        (
            Why::Disconnect,
            "suspend after 10m",
            "The desktop was suspended, as nobody looked at it for 10 minutes.",
        ),
        (
            Why::Idle,
            "stop after 30m",
            "The desktop was stopped, as nobody used it for 30 minutes.",
        ),
        (
            Why::Idle,
            "stop after 90s",
            "The desktop was stopped, as nobody used it for 90 seconds.",
        ),
        (
            Why::Lifetime,
            "delete after 1h",
            "The desktop was deleted, as its time of 1 hour is over.",
        ),
        (
            Why::Lifetime,
            "stop after 24h",
            "The desktop was stopped, as its time of 1 day is over.",
        ),
    ] {
        assert_eq!(told(why, policy), expected);
    }
}

/// A desktop of somebody that was started at the beginning and thawed later.
fn running(since: i64) -> Instance {
    let owner = Some(UserId::random());
    Instance {
        state: InstanceState::Running,
        started_at: Some(T0),
        running_since: Some(at(since)),
        ..Instance::requested(owner, AppId::random(), secret("x"), T0)
    }
}

#[test]
fn each_policy_counts_from_its_own_fact() {
    let all = policies("suspend after 10m", "stop after 20m", "delete after 30m");
    let due = |row: &Instance| all.due(row, false).map(|due| (due.why, due.at));
    let mut row = running(0);
    assert_eq!(due(&row), Some((Why::Disconnect, at(10 * MINUTE))));
    row.seen_at = Some(at(11 * MINUTE));
    assert_eq!(due(&row), Some((Why::Idle, at(20 * MINUTE))));
    row.input_at = Some(at(5 * MINUTE));
    assert_eq!(due(&row), Some((Why::Disconnect, at(21 * MINUTE))));
    let watched = all.due(&row, true).unwrap();
    assert_eq!((watched.why, watched.at), (Why::Idle, at(25 * MINUTE)));
    row.input_at = Some(at(29 * MINUTE));
    let watched = all.due(&row, true).unwrap();
    assert_eq!((watched.why, watched.at), (Why::Lifetime, at(30 * MINUTE)));
    // What was looked at before it was frozen is of no account once it is thawed.
    assert_eq!(
        due(&Instance {
            running_since: Some(at(15 * MINUTE)),
            ..row.clone()
        })
        .unwrap()
        .1,
        at(25 * MINUTE)
    );
    row.extended_to = Some(at(60 * MINUTE));
    // Of all that were put off to the same moment, what does most.
    assert_eq!(due(&row), Some((Why::Lifetime, at(60 * MINUTE))));
}

#[test]
fn what_does_not_run_ends_by_its_time_only() {
    let all = |lifetime| policies("stop after 1m", "stop after 1m", lifetime);
    for (state, lifetime, ends) in [
        (InstanceState::Suspended, "suspend after 30m", false),
        (InstanceState::Suspended, "stop after 30m", true),
        (InstanceState::Suspended, "delete after 30m", true),
        (InstanceState::Stopped, "stop after 30m", false),
        (InstanceState::Stopped, "delete after 30m", true),
        (InstanceState::Failed, "stop after 30m", false),
        (InstanceState::Failed, "delete after 30m", true),
        (InstanceState::Stopping, "delete after 30m", false),
        (InstanceState::Deleted, "delete after 30m", false),
    ] {
        let row = Instance {
            state,
            ..running(10)
        };
        let due = all(lifetime).due(&row, false).map(|due| (due.why, due.at));
        let expected = ends.then_some((Why::Lifetime, at(30 * MINUTE)));
        assert_eq!(due, expected, "{state} {lifetime}");
    }
    // Nobody's desktop, which waits in a pool; and one that was claimed an hour later.
    let mut row = Instance {
        owner: None,
        ..running(0)
    };
    assert_eq!(all("stop after 1m").due(&row, false), None);
    row.owner = Some(UserId::random());
    row.created_at = at(60 * MINUTE);
    assert_eq!(
        all("stop after 1m").due(&row, false).unwrap().at,
        at(61 * MINUTE)
    );
    // Whoever thaws what was frozen at the end of its time has that time again.
    let freezes = policies("keep", "keep", "suspend after 30m");
    let due = freezes.due(&running(40 * MINUTE), false).unwrap();
    assert_eq!(due.at, at(70 * MINUTE));
}

fn any_policy() -> impl Strategy<Value = Option<Policy>> {
    let action = prop_oneof![
        Just(Ending::Suspend),
        Just(Ending::Stop),
        Just(Ending::Delete)
    ];
    proptest::option::of(
        (action, 60..5000_u64).prop_map(|(action, after_s)| Policy { action, after_s }),
    )
}

fn any_policies() -> impl Strategy<Value = Policies> {
    (any_policy(), any_policy(), any_policy()).prop_map(|(disconnect, idle, lifetime)| Policies {
        disconnect,
        idle,
        lifetime,
    })
}

fn any_time() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::of((0..10_000_000_i64).prop_map(at))
}

fn any_instance() -> impl Strategy<Value = Instance> {
    use InstanceState as S;
    let states = [
        S::Requested,
        S::Starting,
        S::Running,
        S::Suspending,
        S::Suspended,
        S::Resuming,
        S::Stopping,
        S::Stopped,
        S::Deleting,
        S::Deleted,
        S::Failed,
    ];
    let times = (any_time(), any_time(), any_time(), any_time(), any_time());
    (proptest::sample::select(states.to_vec()), times).prop_map(|(state, times)| {
        let (seen_at, input_at, extended_to, started_at, running_since) = times;
        Instance {
            state,
            seen_at,
            input_at,
            extended_to,
            started_at,
            running_since,
            ..running(0)
        }
    })
}

proptest! {
    /// Whatever is due may be done in the state that the desktop is in.
    #[test]
    fn only_what_is_allowed_is_due(policies in any_policies(), row in any_instance()) {
        if let Some(due) = policies.due(&row, false) {
            prop_assert!(due.policy.action.action().begin(row.state).is_ok(), "{due:?}");
            prop_assert_eq!(row.state.pending(), None);
        }
    }

    /// Nothing ends before the whole time has passed since whatever it counts from.
    #[test]
    fn nothing_is_early(policies in any_policies(), row in any_instance(), is_watched: bool) {
        let Some(due) = policies.due(&row, is_watched) else { return Ok(()) };
        let facts = match due.why {
            Why::Disconnect => [row.seen_at, row.running_since],
            Why::Idle => [row.input_at, row.running_since],
            Why::Lifetime if due.policy.action == Ending::Suspend => [row.running_since, None],
            Why::Lifetime => [row.started_at, None],
        };
        for fact in facts.into_iter().flatten() {
            let whole = fact.plus_ms(i64::try_from(due.policy.after_s).unwrap() * 1000);
            prop_assert!(due.at >= whole, "{due:?}");
        }
        prop_assert!(Some(due.at) >= row.extended_to);
        prop_assert!(!(is_watched && due.why == Why::Disconnect));
    }

    /// It is the first of what each policy alone would do.
    #[test]
    fn the_first_comes_first(all in any_policies(), row in any_instance()) {
        let alone = [
            Policies { idle: None, lifetime: None, ..all },
            Policies { disconnect: None, lifetime: None, ..all },
            Policies { disconnect: None, idle: None, ..all },
        ];
        let each = alone.iter().filter_map(|policies| policies.due(&row, false));
        let first = each.map(|due| due.at).min();
        prop_assert_eq!(all.due(&row, false).map(|due| due.at), first);
    }

    /// To be looked at, used or extended never brings an end nearer.
    #[test]
    fn use_only_puts_off(all in any_policies(), row in any_instance(), ms in 0..20_000_000_i64) {
        let Some(before) = all.due(&row, false) else { return Ok(()) };
        let later = Some(at(ms));
        for used in [
            Instance { seen_at: row.seen_at.max(later), ..row.clone() },
            Instance { input_at: row.input_at.max(later), ..row.clone() },
            Instance { extended_to: row.extended_to.max(later), ..row.clone() },
        ] {
            prop_assert!(all.due(&used, false).unwrap().at >= before.at);
        }
    }

    /// What is written into the database is read again.
    #[test]
    fn policies_come_back_as_json(policies in any_policies()) {
        let text = serde_json::to_string(&policies).unwrap();
        prop_assert_eq!(serde_json::from_str::<Policies>(&text).unwrap(), policies);
    }
}
