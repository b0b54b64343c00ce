//! What the chain of the audit log shows and what not, for any log; and its export as CSV,
//! as a reader of CSV takes it.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::net::IpAddr;

use daas_core::audit::chain::{self, Broken, Fault, GENESIS, Verified, Verifier};
use daas_core::audit::{
    Actor, AuditAction, Details, Entry, Export, Format, Label, NewEntry, Outcome, Target,
    TargetKind,
};
use daas_core::model::{Timestamp, UserId};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

type Log = Vec<(Entry, [u8; 32])>;

/// Texts as people and programs write them, and as those write them who mean harm.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,8}",
        ".{0,12}",
        "[\"',;\r\n\t =+@＝-]{0,8}",
        select(vec![
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            "\r=1",
            "\n=1",
            "＝1",
            "＠x",
            "'=1",
            "\"=1\"",
            "a\"b\"\"c",
            "a,b",
            "a\r\nb",
            "\"",
            "",
            "\0",
            "=HYPERLINK(\"http://evil.example\",\"x\")",
        ])
        .prop_map(str::to_owned),
    ]
}

fn details() -> impl Strategy<Value = Option<Details>> {
    let object = (text(), text(), any::<i32>());
    let object = object.prop_map(|(name, text, number)| {
        let name = format!("x{name}");
        Details::of(&json!({ name: text, "number": number }))
    });
    proptest::option::of(object)
}

fn entry() -> impl Strategy<Value = NewEntry> {
    let words = (
        select(AuditAction::ALL),
        select(TargetKind::ALL),
        select(Outcome::ALL),
    );
    let names = (text(), text(), proptest::option::of(text()), any::<bool>());
    let others = (
        0..4_000_000_000_000_i64,
        proptest::option::of(any::<IpAddr>()),
        details(),
        details(),
    );
    (words, names, others).prop_map(|(words, names, others)| {
        let (action, kind, outcome) = words;
        let (actor, name, id, known) = names;
        let (at, address, before, after) = others;
        NewEntry {
            at: Timestamp(at),
            actor: Actor::new(known.then(UserId::random), &actor),
            address,
            action,
            target: Target {
                kind,
                id: id.map(|id| Label::new(&id)),
                name: Label::new(&name),
            },
            outcome,
            before,
            after,
        }
    })
}

/// A log as it is written.
fn chained(entries: impl IntoIterator<Item = NewEntry>) -> Log {
    let numbered = entries.into_iter().zip(chain::FIRST..);
    rehashed(numbered.map(|(entry, seq)| entry.with_seq(seq)))
}

/// With the hashes that these entries should have.
fn rehashed(entries: impl IntoIterator<Item = Entry>) -> Log {
    let mut head = GENESIS;
    let hashed = entries.into_iter().map(|entry| {
        head = chain::next(&head, &entry);
        (entry, head)
    });
    hashed.collect()
}

fn log() -> impl Strategy<Value = Log> {
    proptest::collection::vec(entry(), 2..10).prop_map(chained)
}

fn check(mut verifier: Verifier, log: &Log) -> Result<Verified, Broken> {
    let mut first = None;
    for (entry, hash) in log {
        let checked = verifier.check(entry, hash);
        // Behind the first fault nothing is right again.
        if let Some(broken) = first {
            assert_eq!(checked, Err(broken));
        }
        first = first.or(checked.err());
    }
    let finished = verifier.finish();
    if let Some(broken) = first {
        assert_eq!(finished, Err(broken));
    }
    finished
}

fn verify(log: &Log) -> Result<Verified, Broken> {
    check(Verifier::new(), log)
}

fn verify_to(log: &Log, head: [u8; 32]) -> Result<Verified, Broken> {
    check(Verifier::new().expecting(head), log)
}

/// The first fault, behind all that is right.
fn broken(seq: usize, fault: Fault) -> Result<Verified, Broken> {
    let seq = seq as u64;
    Err(Broken {
        seq,
        checked: seq - 1,
        fault,
    })
}

fn renumber(log: &mut Log) {
    for ((entry, _), seq) in log.iter_mut().zip(chain::FIRST..) {
        entry.seq = seq;
    }
}

/// Changes one field to something else.
fn alter(entry: &mut Entry, field: usize) {
    let other = |text: &str| Label::new(if text == "x" { "y" } else { "x" });
    let details = |old: &Option<Details>| match old {
        None => Some(Details::default()),
        Some(_) => None,
    };
    match field {
        0 => entry.at = entry.at.plus_ms(1),
        1 => entry.actor.name = other(entry.actor.name.as_str()),
        2 => entry.actor.id = Some(UserId::random()),
        3 => {
            let nobody = IpAddr::from([0, 0, 0, 0]);
            entry.address = (entry.address != Some(nobody)).then_some(nobody);
        }
        4 => entry.action = next_of(AuditAction::ALL, entry.action),
        5 => entry.outcome = next_of(Outcome::ALL, entry.outcome),
        6 => entry.target.kind = next_of(TargetKind::ALL, entry.target.kind),
        7 => entry.target.name = other(entry.target.name.as_str()),
        // No id and an empty one are not the same.
        8 => {
            entry.target.id = match &entry.target.id {
                None => Some(Label::new("")),
                Some(_) => None,
            };
        }
        9 => entry.before = details(&entry.before),
        _ => entry.after = details(&entry.after),
    }
}

fn next_of<T: Copy + PartialEq>(all: &[T], one: T) -> T {
    let place = all.iter().position(|other| *other == one).unwrap();
    all[(place + 1) % all.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_log_as_it_was_written_is_right(log in log(), noted: Index) {
        let (seq, head) = (log.len() as u64, log.last().unwrap().1);
        let right = Verified { checked: seq, seq, head, expected_at: None };
        prop_assert_eq!(verify(&log), Ok(right));
        // Whatever was noted of it, at any time; or that there was nothing yet.
        let (entry, hash) = noted.get(&log);
        let right = |at| Ok(Verified { expected_at: Some(at), ..right });
        prop_assert_eq!(verify_to(&log, *hash), right(entry.seq));
        prop_assert_eq!(verify_to(&log, GENESIS), right(0));
        // A part of it is checked from a known place on.
        let (known, rest) = log.split_at(entry.seq as usize);
        let after = Verifier::after(entry.seq, known.last().unwrap().1);
        let verified = check(after, &rest.to_vec()).unwrap();
        prop_assert_eq!((verified.seq, verified.head), (seq, head));
        prop_assert_eq!(verified.checked, rest.len() as u64);
    }

    #[test]
    fn an_entry_that_was_altered_is_found(log in log(), at: Index, field in 0..11_usize) {
        let at = at.index(log.len());
        let mut altered = log.clone();
        alter(&mut altered[at].0, field);
        prop_assert_ne!(&altered[at].0, &log[at].0);
        prop_assert_eq!(verify(&altered), broken(at + 1, Fault::Wrong));
        // With a hash that fits, what comes next does not. At the end nothing comes next.
        let before = at.checked_sub(1).map_or(GENESIS, |before| log[before].1);
        altered[at].1 = chain::next(&before, &altered[at].0);
        let (end, head) = (log.len(), log.last().unwrap().1);
        if at + 1 < end {
            prop_assert_eq!(verify(&altered), broken(at + 2, Fault::Wrong));
        } else {
            prop_assert!(verify(&altered).is_ok());
            prop_assert_eq!(verify_to(&altered, head), broken(end + 1, Fault::HeadMissing));
        }
    }

    #[test]
    fn a_hash_that_was_altered_is_found(log in log(), at: Index, bit in 0..256_usize) {
        let at = at.index(log.len());
        let mut altered = log;
        altered[at].1[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(verify(&altered), broken(at + 1, Fault::Wrong));
    }

    /// One, or many at once. What stays is numbered as it was, or anew.
    #[test]
    fn entries_that_were_removed_are_found(log in log(), from: Index, count: Index) {
        let from = from.index(log.len() - 1);
        let most = log.len() - 1 - from;
        let count = 1 + count.index(most);
        let mut removed = log;
        removed.drain(from..from + count);
        prop_assert_eq!(verify(&removed), broken(from + 1, Fault::Missing));
        renumber(&mut removed);
        prop_assert_eq!(verify(&removed), broken(from + 1, Fault::Wrong));
    }

    #[test]
    fn entries_that_changed_places_are_found(log in log(), one: Index, other: Index) {
        let one = one.index(log.len() - 1);
        let other = one + 1 + other.index(log.len() - 1 - one);
        let mut moved = log.clone();
        moved.swap(one, other);
        prop_assert_eq!(verify(&moved), broken(one + 1, Fault::Missing));
        renumber(&mut moved);
        prop_assert_eq!(verify(&moved), broken(one + 1, Fault::Wrong));
        // One alone that went elsewhere.
        let mut moved = log;
        let taken = moved.remove(one);
        moved.insert(other, taken);
        prop_assert_eq!(verify(&moved), broken(one + 1, Fault::Missing));
    }

    #[test]
    fn entries_that_were_added_are_found(log in log(), at: Index, new in entry(), copy: Index) {
        // Not at the end, where anything may come.
        let at = at.index(log.len());
        let seq = at as u64 + 1;
        let before = at.checked_sub(1).map_or(GENESIS, |before| log[before].1);
        let entry = new.with_seq(seq);
        let hash = chain::next(&before, &entry);
        let mut added = log.clone();
        added.insert(at, (entry, hash));
        // The new one itself is right; that whose place it took is not.
        let again = Broken { seq, checked: seq, fault: Fault::OutOfOrder };
        prop_assert_eq!(verify(&added), Err(again));
        renumber(&mut added);
        prop_assert_eq!(verify(&added), broken(at + 2, Fault::Wrong));
        // A copy of one that is there, at any place.
        let copy = copy.get(&log).clone();
        let mut added = log;
        added.insert(at, copy);
        let found = verify(&added).unwrap_err();
        prop_assert!(matches!(found.fault, Fault::OutOfOrder | Fault::Missing), "{found:?}");
        prop_assert!(found.checked <= seq, "{found:?}");
    }

    /// What the chain alone cannot show: only a hash that was noted elsewhere does.
    #[test]
    fn a_log_that_was_cut_at_its_end_is_found_by_what_was_noted(log in log(), left: Index) {
        let left = left.index(log.len());
        let cut = log[..left].to_vec();
        let verified = verify(&cut).unwrap();
        prop_assert_eq!((verified.seq, verified.expected_at), (left as u64, None));
        for (entry, hash) in &log {
            let verified = verify_to(&cut, *hash);
            if entry.seq <= left as u64 {
                prop_assert_eq!(verified.unwrap().expected_at, Some(entry.seq));
            } else {
                prop_assert_eq!(verified, broken(left + 1, Fault::HeadMissing));
            }
        }
    }

    /// The same for one that was written again as a whole.
    #[test]
    fn a_log_that_was_written_again_is_found_by_what_was_noted(
        log in log(),
        at: Index,
        field in 0..11_usize,
    ) {
        let at = at.index(log.len());
        let mut entries = log.iter().map(|(entry, _)| entry.clone()).collect::<Vec<_>>();
        alter(&mut entries[at], field);
        let forged = rehashed(entries);
        prop_assert!(verify(&forged).is_ok());
        for (entry, hash) in &log {
            let verified = verify_to(&forged, *hash);
            if entry.seq <= at as u64 {
                prop_assert!(verified.is_ok());
            } else {
                prop_assert_eq!(verified, broken(log.len() + 1, Fault::HeadMissing));
            }
        }
    }

    #[test]
    fn csv_is_read_as_it_was_meant(log in log()) {
        let text = exported(&log, Format::Csv);
        let mut reader = csv::ReaderBuilder::new().from_reader(text.as_slice());
        let head = reader.headers().unwrap().clone();
        prop_assert_eq!(head.len(), 13);
        let rows = reader.records().collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(rows.len(), log.len());
        for (row, (entry, hash)) in rows.iter().zip(&log) {
            let expected = fields(entry, hash).map(|field| shown(&field));
            prop_assert_eq!(row.iter().collect::<Vec<_>>(), expected);
            for field in row {
                prop_assert!(!field.starts_with(COMPUTED), "{field:?}");
            }
        }
    }

    /// The other format keeps all that is needed to verify it.
    #[test]
    fn json_lines_are_what_was_hashed(log in log()) {
        let text = String::from_utf8(exported(&log, Format::JsonLines)).unwrap();
        let mut head = GENESIS;
        let mut count = 0;
        // A text has no line of its own: what ends one is escaped.
        for line in text.strip_suffix('\n').unwrap().split('\n') {
            let (hashed, rest) = line.split_at(line.len() - 75);
            let hash = rest.strip_prefix(",\"hash\":\"").unwrap().strip_suffix("\"}").unwrap();
            head = sha256(&head, &format!("{hashed}}}"));
            prop_assert_eq!(chain::parse_hex(hash), Some(head));
            let read: serde_json::Value = serde_json::from_str(line).unwrap();
            prop_assert_eq!(read["actor"].as_str(), Some(log[count].0.actor.name.as_str()));
            count += 1;
        }
        prop_assert_eq!(count, log.len());
    }
}

/// As the documentation of the chain says, and not by its code.
fn sha256(previous: &[u8; 32], canonical: &str) -> [u8; 32] {
    use sha2::Digest as _;
    let hash = sha2::Sha256::new_with_prefix("daas audit v1\n");
    hash.chain_update(previous)
        .chain_update(canonical)
        .finalize()
        .into()
}

fn exported(log: &Log, format: Format) -> Vec<u8> {
    let mut export = Export::new(format, Vec::new()).unwrap();
    for (entry, hash) in log {
        export.write(entry, hash).unwrap();
    }
    export.finish().unwrap()
}

/// What a spreadsheet may compute begins with one of these.
const COMPUTED: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// With the apostrophe that keeps spreadsheets from computing it.
fn shown(field: &str) -> String {
    if field.starts_with(COMPUTED) {
        format!("'{field}")
    } else {
        field.to_owned()
    }
}

/// The columns, in their order.
fn fields(entry: &Entry, hash: &[u8; 32]) -> [String; 13] {
    let details = |details: &Option<Details>| details.as_ref().map_or(String::new(), Details::text);
    [
        entry.seq.to_string(),
        entry.at.rfc3339(),
        entry.actor.id.map_or(String::new(), |id| id.to_string()),
        entry.actor.name.to_string(),
        entry.address.map_or(String::new(), |at| at.to_string()),
        entry.action.to_string(),
        entry.target.kind.to_string(),
        entry
            .target
            .id
            .as_ref()
            .map_or(String::new(), Label::to_string),
        entry.target.name.to_string(),
        entry.outcome.to_string(),
        details(&entry.before),
        details(&entry.after),
        chain::hex(hash),
    ]
}

#[test]
fn names_in_csv() {
    for (name, expected) in [
        ("Ada", ",Ada,"),
        ("O'Hara", ",O'Hara,"),
        ("a,b", ",\"a,b\","),
        ("a\"b", ",\"a\"\"b\","),
        ("\"", ",\"\"\"\","),
        ("a\r\nb", ",\"a\r\nb\","),
        ("=1+1", ",'=1+1,"),
        ("+49 30", ",'+49 30,"),
        ("-x", ",'-x,"),
        ("@home", ",'@home,"),
        ("=A1,\"x\"", ",\"'=A1,\"\"x\"\"\","),
        ("\t=1", ",'\t=1,"),
        ("\n=1", ",\"'\n=1\","),
    ] {
        let new = NewEntry {
            at: Timestamp(0),
            actor: Actor::new(None, name),
            address: None,
            action: AuditAction::SessionLogIn,
            target: Target::named(TargetKind::User, "x"),
            outcome: Outcome::Refused,
            before: None,
            after: None,
        };
        let text = String::from_utf8(exported(&chained([new]), Format::Csv)).unwrap();
        let row = text.split_once("\r\n").unwrap().1;
        let begin = format!("1,1970-01-01T00:00:00.000Z,{expected},session.log_in,");
        assert!(row.starts_with(&begin), "{name:?}: {row}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!(row[3].strip_prefix('\'').unwrap_or(&row[3]), name);
    }
}
