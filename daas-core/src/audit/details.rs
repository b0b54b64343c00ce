//! What something was before or after.

use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

use super::canonical;

/// Most that is kept, in bytes of its text.
const TEXT_MAX: usize = 16 * 1024;
/// How deep objects and lists may be in each other.
const DEPTH_MAX: usize = 8;
/// Stands for what must not be kept.
const HIDDEN: &str = "…";
/// Last words of names that tell of a secret.
const SECRETS: [&str; 16] = [
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "csrf",
    "hash",
    "key",
    "keys",
    "passphrase",
    "password",
    "secret",
    "secrets",
    "ticket",
    "token",
    "tokens",
    "totp",
];

/// A text is not one that [`Details`] were written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not details of the audit log as they are written")]
pub struct NotDetails;

/// What something was before or after, as an object of JSON.
///
/// There are no secrets in it. [`Secret`](crate::Secret) cannot be serialised, so that what
/// holds one is not taken at all; and texts, numbers, lists and objects are hidden where the
/// last word of their name is `password`, `token`, `hash` or the like. Whether there is one
/// (`has_password: true`) is told.
///
/// It is bounded: what has more than 16 KiB, or is deeper than 8, is left out with a word
/// about it, since no action may fail for the length of its entry.
///
/// ```compile_fail
/// use daas_core::{Secret, audit::Details};
/// #[derive(serde::Serialize)]
/// struct User {
///     password: Secret<String>,
/// }
/// Details::of(&User { password: Secret::new(String::new()) });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details(Map<String, Value>);

impl Details {
    /// What serialises to an object. Numbers that are not whole become texts, since they
    /// are written in more than one way.
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        let Ok(Value::Object(map)) = serde_json::to_value(value) else {
            return Self::omitted("not an object");
        };
        match cleaned(map, DEPTH_MAX).map(Self) {
            None => Self::omitted("too deep"),
            Some(details) if details.text().len() > TEXT_MAX => Self::omitted("too long"),
            Some(details) => details,
        }
    }

    fn omitted(why: &str) -> Self {
        let entry = ("omitted".to_owned(), Value::from(why));
        Self(Map::from_iter([entry]))
    }

    /// The object.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The text to keep: its [canonical form](super#canonical-bytes). [`FromStr`] takes it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        canonical::object(&mut text, &self.0);
        text
    }
}

/// Takes only what [`Details::text`] gives, byte by byte: no two texts are the same details.
impl FromStr for Details {
    type Err = NotDetails;

    fn from_str(text: &str) -> Result<Self, NotDetails> {
        if text.len() > TEXT_MAX {
            return Err(NotDetails);
        }
        let map = serde_json::from_str(text).map_err(|_| NotDetails)?;
        let details = Self(map);
        (details.text() == text)
            .then_some(details)
            .ok_or(NotDetails)
    }
}

/// Sorted by the bytes of its names.
impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        sorted(&self.0).serialize(serializer)
    }
}

fn sorted(map: &Map<String, Value>) -> Value {
    let mut entries = map.iter().collect::<Vec<_>>();
    entries.sort_unstable_by_key(|(name, _)| *name);
    let entries = entries.into_iter();
    Value::Object(
        entries
            .map(|(name, of)| (name.clone(), sorted_value(of)))
            .collect(),
    )
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Object(map) => sorted(map),
        Value::Array(items) => items.iter().map(sorted_value).collect(),
        other => other.clone(),
    }
}

/// Without secrets and broken numbers; nothing where it is too deep.
fn cleaned(map: Map<String, Value>, depth: usize) -> Option<Map<String, Value>> {
    let depth = depth.checked_sub(1)?;
    let entries = map.into_iter().map(|(name, value)| {
        let value = if is_secret(&name) {
            hidden(value)
        } else {
            cleaned_value(value, depth)?
        };
        Some((name, value))
    });
    entries.collect()
}

fn cleaned_value(value: Value, depth: usize) -> Option<Value> {
    Some(match value {
        Value::Object(map) => Value::Object(cleaned(map, depth)?),
        Value::Array(items) => {
            let depth = depth.checked_sub(1)?;
            let items = items.into_iter().map(|item| cleaned_value(item, depth));
            Value::Array(items.collect::<Option<_>>()?)
        }
        Value::Number(number) if number.is_f64() => Value::String(number.to_string()),
        other => other,
    })
}

fn hidden(value: Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value,
        _ => Value::from(HIDDEN),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(|char: char| !char.is_alphanumeric()).next();
    name == "recovery_codes" || last.is_some_and(|last| SECRETS.contains(&last))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_at_any_depth() {
        let details = Details::of(&json!({
            "name": "ann",
            "has_password": true,
            "totp": false,
            "token": null,
            "password_hash": "$argon2id$",
            "New-Password": "correct horse",
            "keys": ["a", {"b": 1}],
            "recovery_codes": ["x"],
            "list": [{"client_secret": 12, "keyboard": "de", "tokens_max": 3}],
        }));
        let expected = json!({
            "name": "ann",
            "has_password": true,
            "totp": false,
            "token": null,
            "password_hash": "…",
            "New-Password": "…",
            "keys": "…",
            "recovery_codes": "…",
            "list": [{"client_secret": "…", "keyboard": "de", "tokens_max": 3}],
        });
        assert_eq!(Value::Object(details.as_map().clone()), expected);
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "in": [deep] });
        }
        let long = json!({ "text": "\u{1}".repeat(TEXT_MAX / 6) });
        for (value, why) in [
            (json!(["a"]), "not an object"),
            (json!(null), "not an object"),
            (deep, "too deep"),
            (long, "too long"),
        ] {
            assert_eq!(
                Details::of(&value).text(),
                format!(r#"{{"omitted":"{why}"}}"#)
            );
        }
        let eight = json!({"2": {"3": {"4": {"5": {"6": {"7": {"8": 1}}}}}}});
        assert_eq!(Details::of(&eight).text(), eight.to_string());
    }

    #[test]
    fn only_the_text_itself_leads_back() {
        let details = Details::of(&json!({"b": [1, -2, u64::MAX, 0.5], "a": {"ü\n": "\u{7f}"}}));
        let text = r#"{"a":{"ü\n":"@"},"b":[1,-2,18446744073709551615,"0.5"]}"#;
        let text = text.replace('@', "\u{7f}");
        assert_eq!(details.text(), text);
        assert_eq!(text.parse(), Ok(details));
        let sorted = serde_json::to_string(&text.parse::<Details>().unwrap()).unwrap();
        assert_eq!(sorted, text);
        for wrong in [
            "",
            "1",
            "{} ",
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a": 1}"#,
            r#"{"a":1e0}"#,
            r#"{"a":-0}"#,
            r#"{"a":"\u00fc"}"#,
            r#"{"a":"\u000A"}"#,
            &format!(r#"{{"a":"{}"}}"#, "x".repeat(TEXT_MAX)),
        ] {
            assert_eq!(wrong.parse::<Details>(), Err(NotDetails), "{wrong}");
        }
    }
}
