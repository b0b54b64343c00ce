//! Looks for values in all the forms in which something may write them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use daas_core::access::Token;

/// Bytes of a pattern by which it is found. No form of a value is shorter.
const START: usize = 8;

/// What is looked for.
#[derive(Clone, Debug)]
pub enum Value {
    /// A text.
    Text(String),
    /// Bytes, such as those of a key.
    Bytes(Vec<u8>),
    /// A text that stands for 256 random bits: the text, and the bits.
    Token(String),
}

impl Value {
    /// The hash that may be kept instead of a token.
    pub fn hash(&self) -> Option<[u8; 32]> {
        match self {
            Self::Token(text) => Some(text.parse::<Token>().unwrap().hash()),
            _ => None,
        }
    }

    fn all_bytes(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Text(text) => vec![text.clone().into_bytes()],
            Self::Bytes(bytes) => vec![bytes.clone()],
            Self::Token(text) => vec![
                text.clone().into_bytes(),
                URL_SAFE_NO_PAD.decode(text).unwrap(),
            ],
        }
    }
}

/// Each form in which bytes may be written, with its name.
pub fn forms(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let each = |write: fn(&u8) -> String, between: &str| -> Vec<u8> {
        let all: Vec<String> = bytes.iter().map(write).collect();
        all.join(between).into_bytes()
    };
    let mut forms = vec![
        ("raw", bytes.to_vec()),
        ("reversed", bytes.iter().rev().copied().collect()),
        ("upper case", bytes.to_ascii_uppercase()),
        ("hex", each(|byte| format!("{byte:02x}"), "")),
        ("HEX", each(|byte| format!("{byte:02X}"), "")),
        ("hex with colons", each(|byte| format!("{byte:02x}"), ":")),
        ("percent", each(|byte| format!("%{byte:02X}"), "")),
        ("percent, small", each(|byte| format!("%{byte:02x}"), "")),
        ("list of numbers", each(u8::to_string, ", ")),
        ("list without spaces", each(u8::to_string, ",")),
    ];
    for before in 0..3 {
        forms.push(("base64", inside(&STANDARD_NO_PAD, bytes, before)));
        forms.push(("base64url", inside(&URL_SAFE_NO_PAD, bytes, before)));
    }
    forms
}

/// The base64 of bytes that stand behind others: what their neighbours have no part in.
fn inside(engine: &impl base64::Engine, bytes: &[u8], before: usize) -> Vec<u8> {
    let text = engine.encode([&vec![0; before], bytes].concat());
    let start = (before * 8).div_ceil(6);
    let end = (before + bytes.len()) * 8 / 6;
    text.as_bytes()[start..end].to_vec()
}

/// Where a value was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Which of the values.
    pub value: usize,
    /// In which form.
    pub form: &'static str,
}

/// All forms of some values, ready to be looked for.
pub struct Search {
    patterns: HashMap<[u8; START], Vec<(Vec<u8>, Found)>>,
}

impl Search {
    pub fn new(values: &[Value]) -> Self {
        let mut patterns: HashMap<_, Vec<_>> = HashMap::new();
        for (value, known) in values.iter().enumerate() {
            let bytes = known.all_bytes();
            for (form, pattern) in bytes.iter().flat_map(|bytes| forms(bytes)) {
                let start = *pattern.first_chunk().expect("a value is long enough");
                let found = Found { value, form };
                patterns.entry(start).or_default().push((pattern, found));
            }
        }
        Self { patterns }
    }

    /// What is in some bytes, each once.
    pub fn in_bytes(&self, bytes: &[u8]) -> Vec<Found> {
        let mut all = Vec::new();
        for (at, window) in bytes.windows(START).enumerate() {
            let Some(patterns) = self.patterns.get(window) else {
                continue;
            };
            let here = patterns
                .iter()
                .filter(|(pattern, _)| bytes[at..].starts_with(pattern));
            all.extend(here.map(|(_, found)| found.clone()));
        }
        all.sort();
        all.dedup();
        all
    }
}

#[test]
fn every_form_is_found_amid_other_bytes() {
    let values = ["kanarie!", "another canary", "\u{fc}\u{1f424} in pairs"];
    let known = values.map(|text| Value::Text(text.to_owned()));
    let search = Search::new(&known);
    for (value, text) in values.iter().enumerate() {
        for (form, bytes) in forms(text.as_bytes()) {
            let amid = [b"\x00\xffbefore", &bytes[..], b"after\n"].concat();
            let found = search.in_bytes(&amid);
            assert!(found.contains(&Found { value, form }), "{text}: {form}");
            assert!(found.iter().all(|found| found.value == value), "{found:?}");
        }
        let mut others = (*text).to_owned();
        others.replace_range(text.len() - 1.., "?");
        assert_eq!(search.in_bytes(others.as_bytes()), []);
    }
}

/// Whatever stands before and behind it.
#[test]
fn base64_is_found_wherever_it_begins() {
    let search = Search::new(&[Value::Text("kanarie-123".to_owned())]);
    for before in 0..7 {
        for after in 0..4 {
            let bytes = [&vec![b'x'; before], &b"kanarie-123"[..], &vec![b'y'; after]].concat();
            let text = STANDARD_NO_PAD.encode(bytes);
            let found = search.in_bytes(text.as_bytes());
            assert!(
                found.iter().any(|found| found.form == "base64"),
                "{before} {after}"
            );
        }
    }
}

#[test]
fn a_token_is_found_by_its_text_and_by_its_bits() {
    let bytes: [u8; 32] = std::array::from_fn(|n| n as u8 * 7 + 3);
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let search = Search::new(&[Value::Token(text.clone())]);
    for seen in [text.into_bytes(), bytes.to_vec()] {
        assert!(!search.in_bytes(&[b"....", &seen[..]].concat()).is_empty());
    }
}
