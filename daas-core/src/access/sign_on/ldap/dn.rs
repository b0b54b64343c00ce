//! Distinguished names as text (RFC 4514).

use std::str::Chars;

/// Longest name that is read, in bytes.
const LENGTH_MAX: usize = 4096;
/// Where the name of a user stands in a template.
const PLACE: &str = "{name}";

/// A distinguished name, taken apart: the first part is the one farthest down. Names of
/// attributes are in lower case; values are as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dn(Vec<Vec<(String, Vec<u8>)>>);

impl Dn {
    /// Takes a name apart. Values that are written as `#` with digits are refused: they are
    /// no text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LENGTH_MAX {
            return Err("it is too long");
        }
        let mut parts = vec![Vec::new()];
        let mut rest = text;
        loop {
            let (pair, end, after) = pair(rest)?;
            match parts.last_mut() {
                Some(part) => part.push(pair),
                None => parts.push(vec![pair]),
            }
            match end {
                Some('+') => {}
                Some(_) => parts.push(Vec::new()),
                None => return Ok(Self(parts)),
            }
            rest = after;
        }
    }

    /// The value of the first part, if it is text.
    pub(super) fn first_value(&self) -> Option<&str> {
        let (_, value) = self.0.first()?.first()?;
        str::from_utf8(value).ok()
    }

    /// Whether it is another one, or below it. Case does not count.
    pub(super) fn is_within(&self, base: &Self) -> bool {
        let Some(skipped) = self.0.len().checked_sub(base.0.len()) else {
            return false;
        };
        let mut pairs = self.0.iter().skip(skipped).zip(&base.0);
        pairs.all(|(own, other)| folded(own) == folded(other))
    }
}

/// A part as it is compared: in no order, in lower case, without spaces that do not count.
fn folded(part: &[(String, Vec<u8>)]) -> Vec<(String, String)> {
    let mut part: Vec<_> = part
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value).to_lowercase();
            let words: Vec<_> = value.split(' ').filter(|word| !word.is_empty()).collect();
            (name.clone(), words.join(" "))
        })
        .collect();
    part.sort();
    part
}

type Pair = (String, Vec<u8>);

/// Reads one `attribute=value`: answers it, what ends it (`,` or `+`), and what follows.
fn pair(text: &str) -> Result<(Pair, Option<char>, &str), &'static str> {
    let (name, rest) = text.split_once('=').ok_or("a part has no =")?;
    let name = name.trim_matches(' ');
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-.;_".contains(c);
    if name.is_empty() || !name.chars().all(is_word) {
        return Err("the name of an attribute is none");
    }
    let (value, end, after) = value(rest)?;
    Ok(((name.to_ascii_lowercase(), value), end, after))
}

fn value(text: &str) -> Result<(Vec<u8>, Option<char>, &str), &'static str> {
    let text = text.trim_start_matches(' ');
    let mut value = Vec::new();
    // How much of it is there for sure: spaces at the end do not count, unless escaped.
    let mut kept = 0;
    let mut rest = text.chars();
    let end = loop {
        match rest.next() {
            Some('\\') => {
                value.push(escaped(&mut rest)?);
                kept = value.len();
            }
            Some('#') if value.is_empty() => return Err("a value is not text"),
            Some('"' | ';' | '<' | '>' | '\0') => return Err("a character must be escaped"),
            end @ (Some(',' | '+') | None) => break end,
            Some(c) => {
                value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                if c != ' ' {
                    kept = value.len();
                }
            }
        }
    };
    value.truncate(kept);
    Ok((value, end, rest.as_str()))
}

/// What follows a `\\`: two digits, or the character itself.
fn escaped(rest: &mut Chars<'_>) -> Result<u8, &'static str> {
    let wrong = "a \\ is followed by something that needs none";
    let first = rest.next().ok_or(wrong)?;
    if let Some(high) = first.to_digit(16) {
        let low = rest.next().and_then(|c| c.to_digit(16)).ok_or(wrong)?;
        return u8::try_from(high << 4 | low).map_err(|_| wrong);
    }
    match u8::try_from(first) {
        Ok(byte) if SPECIAL.contains(&byte) || b" #".contains(&byte) => Ok(byte),
        _ => Err(wrong),
    }
}

/// Characters that stand for something else wherever they are, unless escaped.
const SPECIAL: &[u8] = b"\"+,;<=>\\";

/// A text as it may stand in a value of a name (RFC 4514, section 2.4).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let last = text.len().saturating_sub(1);
    for (place, c) in text.char_indices() {
        let is_special = u8::try_from(c).is_ok_and(|byte| SPECIAL.contains(&byte) || byte == 0);
        let at_an_end = c == ' ' && (place == 0 || place == last) || c == '#' && place == 0;
        if is_special || at_an_end {
            escaped.push_str(&format!("\\{:02x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A name with a place in it for the name of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(String);

impl Template {
    /// Checks a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.matches(PLACE).count() != 1 {
            return Err("{name} has to be in it, once");
        }
        let template = Self(text.to_owned());
        // Wherever the place is, a name must come out as a value and nothing else.
        let probe = " #a,b=c+d\\ ";
        let whole = Dn::parse(&template.fill(probe))?;
        let mut values = whole.0.iter().flatten();
        if !values.any(|(_, value)| value.windows(probe.len()).any(|w| w == probe.as_bytes())) {
            return Err("{name} has to be in a value");
        }
        Ok(template)
    }

    /// The name of a user's entry.
    pub(super) fn fill(&self, name: &str) -> String {
        self.0.replace(PLACE, &escape(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn first(text: &str) -> Option<String> {
        let dn = Dn::parse(text).ok()?;
        dn.first_value().map(str::to_owned)
    }

    #[test]
    fn first_values() {
        for (text, value) in [
            ("cn=Users,dc=example,dc=org", "Users"),
            ("CN=Domain Admins , DC=corp", "Domain Admins"),
            ("cn=a\\, b\\+c\\=d\\\"\\<\\>\\;\\\\,dc=x", "a, b+c=d\"<>;\\"),
            ("cn=Z\\c3\\bcrich,dc=x", "Zürich"),
            ("cn=Zürich,dc=x", "Zürich"),
            ("cn=a+ou=b,dc=x", "a"),
            ("cn= a\\  ,dc=x", "a "),
            ("cn=a=b", "a=b"),
            ("cn=,dc=x", ""),
            ("cn=\\#1", "#1"),
            ("2.5.4.3=x", "x"),
        ] {
            assert_eq!(first(text).as_deref(), Some(value), "{text}");
        }
        for text in [
            "",
            "x",
            ",",
            "cn=a,",
            "=a",
            "cn=#0403666f6f",
            "cn=\"a\"",
            "cn=a;b",
            "cn=a\\",
            "cn=a\\c",
            "cn=a\\zz",
            "c n=a",
            "cn=a<b",
            "cn=\\ff,dc=x",
            &format!("cn={}", "x".repeat(5000)),
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }

    #[test]
    fn within() {
        let check = |dn, base, expected| {
            let dn = Dn::parse(dn).unwrap();
            assert_eq!(
                dn.is_within(&Dn::parse(base).unwrap()),
                expected,
                "{dn:?}, {base}"
            );
        };
        check("cn=a,ou=Groups,dc=x", "OU=groups, DC=X", true);
        check("ou=groups,dc=x", "ou=groups,dc=x", true);
        check("dc=x", "ou=groups,dc=x", false);
        check("cn=a,ou=fakegroups,dc=x", "ou=groups,dc=x", false);
        check("cn=a\\,ou=groups,dc=x", "ou=groups,dc=x", false);
        check("cn=a,ou=groups,dc=x,dc=y", "ou=groups,dc=x", false);
        check("cn=a,o=b+c=d", "c=d+o=b", true);
    }

    #[test]
    fn templates() {
        let good = Template::parse("uid={name},ou=people,dc=x").unwrap();
        assert_eq!(good.fill("amy"), "uid=amy,ou=people,dc=x");
        assert_eq!(good.fill("x,dc=y"), "uid=x\\2cdc\\3dy,ou=people,dc=x");
        assert_eq!(good.fill(" # "), "uid=\\20#\\20,ou=people,dc=x");
        assert!(Template::parse("cn=a{name}b,dc=x").is_ok());
        for bad in [
            "",
            "uid=amy,dc=x",
            "{name}",
            "{name}=amy",
            "uid={name},cn={name}",
            "uid=#{name}",
            "uid=\"{name}\",dc=x",
            "{name}@example.org",
            "uid=\\{name}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_only_a_value(name in r#"[\x01-\x7F]{1,30}|\PC{1,30}"#) {
            let template = Template::parse("uid={name},ou=people,dc=x").unwrap();
            let dn = Dn::parse(&template.fill(&name)).unwrap();
            prop_assert_eq!(dn.first_value(), Some(name.as_str()));
            prop_assert_eq!(dn.0.len(), 3);
            prop_assert!(dn.0.iter().all(|part| part.len() == 1));
        }

        #[test]
        fn nothing_panics(text in r#"[a-c=,+\\ #"0-9]{0,40}|\PC{0,40}"#) {
            let _ = Dn::parse(&text).map(|dn| dn.is_within(&dn));
            let _ = Template::parse(&text);
        }
    }
}
