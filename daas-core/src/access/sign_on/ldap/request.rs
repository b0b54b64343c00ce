//! What is asked of a directory (RFC 4511, section 4), as far as a log-in needs it.

use super::ber::{BOOLEAN, ENUMERATED, INTEGER, OCTETS, SEQUENCE, put, put_number, put_with};

/// StartTLS (RFC 4511, section 4.14).
pub(super) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// "Who am I?" (RFC 4532).
pub(super) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";

const VERSION: u32 = 3;

const BIND: u8 = 0x60;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const EXTENDED: u8 = 0x77;

const SIMPLE: u8 = 0x80;
const REQUEST_NAME: u8 = 0x80;

/// How far below its base a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Base = 0,
    Subtree = 2,
}

/// What is searched.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    /// A filter as it is sent.
    pub(super) filter: Vec<u8>,
    pub(super) attributes: &'a [&'a str],
    /// Most entries.
    pub(super) entries_max: u32,
    /// Most seconds that the server should need.
    pub(super) seconds_max: u32,
}

/// What is asked.
#[derive(Debug)]
pub(super) enum Request<'a> {
    Bind { dn: &'a str, password: &'a str },
    Search(&'a Search<'a>),
    Extended(&'static str),
    Unbind,
}

impl Request<'_> {
    /// The message that asks it.
    pub(super) fn encode(&self, id: u32) -> Vec<u8> {
        let mut out = Vec::new();
        put_with(&mut out, SEQUENCE, |out| {
            put_number(out, INTEGER, id);
            match self {
                Self::Bind { dn, password } => put_with(out, BIND, |out| {
                    put_number(out, INTEGER, VERSION);
                    put(out, OCTETS, dn.as_bytes());
                    put(out, SIMPLE, password.as_bytes());
                }),
                Self::Search(search) => put_with(out, SEARCH, |out| put_search(out, search)),
                Self::Extended(name) => put_with(out, EXTENDED, |out| {
                    put(out, REQUEST_NAME, name.as_bytes());
                }),
                Self::Unbind => put(out, UNBIND, &[]),
            }
        });
        out
    }
}

fn put_search(out: &mut Vec<u8>, search: &Search<'_>) {
    put(out, OCTETS, search.base.as_bytes());
    put_number(out, ENUMERATED, search.scope as u32);
    // Aliases are never followed: one could lead to the entry of somebody else.
    put_number(out, ENUMERATED, 0);
    put_number(out, INTEGER, search.entries_max);
    put_number(out, INTEGER, search.seconds_max);
    put(out, BOOLEAN, &[0]);
    out.extend_from_slice(&search.filter);
    put_with(out, SEQUENCE, |out| {
        for attribute in search.attributes {
            put(out, OCTETS, attribute.as_bytes());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let bind = Request::Bind {
            dn: "cn=x",
            password: "hush",
        };
        let expected = b"\x30\x14\x02\x01\x01\x60\x0F\x02\x01\x03\x04\x04cn=x\x80\x04hush";
        assert_eq!(bind.encode(1), expected);
        assert_eq!(Request::Unbind.encode(2), b"\x30\x05\x02\x01\x02\x42\x00");
        let search = Search {
            base: "dc=x",
            scope: Scope::Subtree,
            filter: b"\x87\x01u".to_vec(),
            attributes: &["a", "b"],
            entries_max: 2,
            seconds_max: 5,
        };
        let expected = b"\x30\x25\x02\x01\x03\x63\x20\x04\x04dc=x\x0A\x01\x02\x0A\x01\x00\
            \x02\x01\x02\x02\x01\x05\x01\x01\x00\x87\x01u\x30\x06\x04\x01a\x04\x01b";
        assert_eq!(Request::Search(&search).encode(3), expected);
    }
}
