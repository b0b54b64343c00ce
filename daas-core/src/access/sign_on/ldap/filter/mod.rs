//! Filters of searches (RFC 4515) with places for what is known only later.
//!
//! A filter is taken apart once, before there is a name. A name is then a value in it and
//! nothing else: it is sent as bytes with a length, so that no character in it means
//! anything and none has to be escaped.

mod parse;

use super::ber::{OCTETS, SEQUENCE, put, put_with};

const AND: u8 = 0xA0;
const OR: u8 = 0xA1;
const NOT: u8 = 0xA2;
const SUBSTRINGS: u8 = 0xA4;
const PRESENT: u8 = 0x87;
const EXTENSIBLE: u8 = 0xA9;

const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;

const RULE: u8 = 0x81;
const TYPE: u8 = 0x82;
const MATCH_VALUE: u8 = 0x83;
const DN_ATTRIBUTES: u8 = 0x84;

/// What stands in the places of a filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) name: &'a str,
    pub(super) dn: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Name,
    Dn,
}

/// A value that is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Value(Vec<Part>);

impl Value {
    fn fill(&self, known: Known<'_>) -> Vec<u8> {
        let parts = self.0.iter().map(|part| match part {
            Part::Bytes(bytes) => bytes.as_slice(),
            Part::Name => known.name.as_bytes(),
            Part::Dn => known.dn.as_bytes(),
        });
        parts.collect::<Vec<_>>().concat()
    }

    fn push(&mut self, byte: u8) {
        match self.0.last_mut() {
            Some(Part::Bytes(bytes)) => bytes.push(byte),
            _ => self.0.push(Part::Bytes(vec![byte])),
        }
    }

    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The four ways to compare with one value, with their tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal = 0xA3,
    AtLeast = 0xA5,
    AtMost = 0xA6,
    Approximate = 0xA8,
}

/// A filter that has been taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Present(String),
    Compare(Comparison, String, Value),
    /// The first, those between, the last; the first and the last may be empty.
    Substrings(String, Vec<Value>),
    Extensible {
        attribute: String,
        rule: String,
        dn: bool,
        value: Value,
    },
}

impl Filter {
    /// One that fits every entry.
    pub(super) fn any() -> Self {
        Self(Node::Present("objectClass".to_owned()))
    }

    /// Takes a filter apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        parse::filter(text).map(Self)
    }

    /// The filter as it is sent.
    pub(super) fn encode(&self, known: Known<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        self.0.encode(&mut out, known);
        out
    }

    /// Whether the name is in it.
    pub(super) fn has_name(&self) -> bool {
        self.0.has(&Part::Name)
    }

    /// Whether the DN is in it.
    pub(super) fn has_dn(&self) -> bool {
        self.0.has(&Part::Dn)
    }

    /// Attributes that are compared for equality with something that has the name in it, and
    /// what they are compared with. Nothing that is negated counts.
    pub(super) fn name_comparisons(&self, known: Known<'_>) -> Vec<(&str, Vec<u8>)> {
        let mut found = Vec::new();
        self.0.name_comparisons(known, &mut found);
        found
    }
}

impl Node {
    fn encode(&self, out: &mut Vec<u8>, known: Known<'_>) {
        let all = |out: &mut Vec<u8>, inner: &[Self]| {
            inner.iter().for_each(|node| node.encode(out, known));
        };
        match self {
            Self::And(inner) => put_with(out, AND, |out| all(out, inner)),
            Self::Or(inner) => put_with(out, OR, |out| all(out, inner)),
            Self::Not(inner) => put_with(out, NOT, |out| inner.encode(out, known)),
            Self::Present(attribute) => put(out, PRESENT, attribute.as_bytes()),
            Self::Compare(comparison, attribute, value) => {
                put_with(out, *comparison as u8, |out| {
                    put(out, OCTETS, attribute.as_bytes());
                    put(out, OCTETS, &value.fill(known));
                });
            }
            Self::Substrings(attribute, values) => put_with(out, SUBSTRINGS, |out| {
                put(out, OCTETS, attribute.as_bytes());
                put_with(out, SEQUENCE, |out| put_substrings(out, values, known));
            }),
            Self::Extensible {
                attribute,
                rule,
                dn,
                value,
            } => put_with(out, EXTENSIBLE, |out| {
                for (tag, text) in [(RULE, rule), (TYPE, attribute)] {
                    if !text.is_empty() {
                        put(out, tag, text.as_bytes());
                    }
                }
                put(out, MATCH_VALUE, &value.fill(known));
                if *dn {
                    put(out, DN_ATTRIBUTES, &[0xFF]);
                }
            }),
        }
    }

    fn has(&self, part: &Part) -> bool {
        match self {
            Self::And(inner) | Self::Or(inner) => inner.iter().any(|node| node.has(part)),
            Self::Not(inner) => inner.has(part),
            Self::Present(_) => false,
            Self::Compare(_, _, value) | Self::Extensible { value, .. } => value.0.contains(part),
            Self::Substrings(_, values) => values.iter().any(|value| value.0.contains(part)),
        }
    }

    fn name_comparisons<'a>(&'a self, known: Known<'_>, found: &mut Vec<(&'a str, Vec<u8>)>) {
        match self {
            Self::And(inner) | Self::Or(inner) => {
                inner
                    .iter()
                    .for_each(|node| node.name_comparisons(known, found));
            }
            Self::Compare(Comparison::Equal, attribute, value) if value.0.contains(&Part::Name) => {
                found.push((attribute, value.fill(known)));
            }
            _ => {}
        }
    }
}

fn put_substrings(out: &mut Vec<u8>, values: &[Value], known: Known<'_>) {
    let last = values.len().saturating_sub(1);
    for (place, value) in values.iter().enumerate() {
        let tag = match place {
            0 => INITIAL,
            place if place == last => FINAL,
            _ => ANY,
        };
        if !value.is_empty() {
            put(out, tag, &value.fill(known));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use proptest::prelude::*;

    use super::*;
    use crate::access::sign_on::ldap::ber::Elements;

    fn encoded(text: &str, name: &str) -> Vec<u8> {
        let known = Known { name, dn: "cn=x" };
        Filter::parse(text).unwrap().encode(known)
    }

    #[test]
    fn encodings() {
        let check = |text, expected: &[u8]| assert_eq!(encoded(text, "amy"), expected, "{text}");
        check("(uid={name})", b"\xA3\x0A\x04\x03uid\x04\x03amy");
        check("(m={dn})", b"\xA3\x09\x04\x01m\x04\x04cn=x");
        check("(u=a{name}b)", b"\xA3\x0A\x04\x01u\x04\x05aamyb");
        check("(u=\\2a\\5C)", b"\xA3\x07\x04\x01u\x04\x02*\\");
        check("(u=*)", b"\x87\x01u");
        check("(u=a*)", b"\xA4\x08\x04\x01u\x30\x03\x80\x01a");
        check("(u=*b*c)", b"\xA4\x0B\x04\x01u\x30\x06\x81\x01b\x82\x01c");
        check("(u>=1)", b"\xA5\x06\x04\x01u\x04\x011");
        check("(u<=1)", b"\xA6\x06\x04\x01u\x04\x011");
        check("(u~=1)", b"\xA8\x06\x04\x01u\x04\x011");
        check("(!(u=*))", b"\xA2\x03\x87\x01u");
        check(
            "(&(a=*)(|(b=*)(c=*)))",
            b"\xA0\x0B\x87\x01a\xA1\x06\x87\x01b\x87\x01c",
        );
        check("(m:1.2:=x)", b"\xA9\x0B\x81\x031.2\x82\x01m\x83\x01x");
        check("(m:dn:=x)", b"\xA9\x09\x82\x01m\x83\x01x\x84\x01\xFF");
        check("(:1.2:=x)", b"\xA9\x08\x81\x031.2\x83\x01x");
    }

    #[test]
    fn what_is_no_filter() {
        for text in [
            "",
            "(",
            "uid=x",
            "(uid=x",
            "(uid=x))",
            "(uid)",
            "(=x)",
            "(uid=\\2)",
            "(uid=\\zz)",
            "(uid=a(b)",
            "(uid={who})",
            "(uid={name)",
            "(&)",
            "(!)",
            "(!(a=*)(b=*))",
            "(u=a**b)",
            "(u>=a*)",
            "(:=x)",
            "(u id=x)",
            "(u:a:b:=x)",
            "(uid=x)(uid=y)",
            "(uid=a\0b)",
        ] {
            assert!(Filter::parse(text).is_err(), "{text:?}");
        }
        let deep = |depth| format!("{}(a=*){}", "(!".repeat(depth), ")".repeat(depth));
        assert!(Filter::parse(&deep(10)).is_ok());
        assert!(Filter::parse(&deep(20)).is_err());
        assert!(Filter::parse(&deep(100_000)).is_err());
    }

    #[test]
    fn comparisons_with_the_name() {
        let filter = "(&(a={name})(!(b={name}))(|(c={name}@x)(d=*{name})(e>={name})))";
        let filter = Filter::parse(filter).unwrap();
        let known = Known {
            name: "amy",
            dn: "",
        };
        let expected = [("a", b"amy".to_vec()), ("c", b"amy@x".to_vec())];
        assert_eq!(filter.name_comparisons(known), expected);
        assert!(filter.has_name() && !filter.has_dn());
        assert!(Filter::parse("(m:1.2:={dn})").unwrap().has_dn());
    }

    proptest! {
        #[test]
        fn a_name_is_only_a_value(name in r#"[\x00-\x7F]{0,40}|\PC{0,40}"#) {
            let out = encoded("(&(objectClass=person)(uid={name}))", &name);
            let mut elements = Elements::new(&out);
            let mut inner = Elements::new(elements.expect(AND).unwrap());
            prop_assert!(elements.is_empty());
            inner.next().unwrap();
            let mut compared = Elements::new(inner.expect(Comparison::Equal as u8).unwrap());
            prop_assert!(inner.is_empty());
            prop_assert_eq!(compared.expect(OCTETS).unwrap(), b"uid");
            prop_assert_eq!(compared.expect(OCTETS).unwrap(), name.as_bytes());
            prop_assert!(compared.is_empty());
        }

        #[test]
        fn nothing_panics(text in r"[()&|!=*:<>~\\{}a-f0-9.;-]{0,60}|\PC{0,60}") {
            if let Ok(filter) = Filter::parse(&text) {
                let out = filter.encode(Known { name: "x", dn: "y" });
                let mut elements = Elements::new(&out);
                elements.next().unwrap();
                prop_assert!(elements.is_empty());
            }
        }
    }
}
