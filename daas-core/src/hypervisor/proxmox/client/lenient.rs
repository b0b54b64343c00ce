//! Reading values whose type differs from version to version: numbers as strings, truth as
//! `1`, `"1"` or `true`, keys that come and go. Nothing here fails: what cannot be read is not
//! there.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Longest text that is kept, in bytes.
const TEXT_MAX: usize = 64 * 1024;

pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(text) => match text.as_str() {
            "1" | "true" | "yes" | "on" => Some(true),
            "" | "0" | "false" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted"
)]
pub(crate) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(exact) if exact.is_u64() => exact.as_u64(),
        Value::String(text) if text.trim().parse::<u64>().is_ok() => text.trim().parse().ok(),
        value => number(value)
            .filter(|number| *number >= 0.0)
            .map(|number| number as u64),
    }
}

pub(crate) fn text(value: &Value) -> Option<String> {
    let mut text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => u8::from(*truth).to_string(),
        _ => return None,
    };
    if text.len() > TEXT_MAX {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
    }
    Some(text)
}

/// For fields of structures.
macro_rules! fields {
    ($($name:ident -> $type:ty: $read:ident;)*) => {$(
        pub(crate) fn $name<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
            Ok($read(&Value::deserialize(from)?).into())
        }
    )*};
}

struct OrDefault<T>(Option<T>);

macro_rules! or_default {
    ($($read:ident: $of:ident -> $type:ty;)*) => {$(
        fn $read(value: &Value) -> OrDefault<$type> {
            OrDefault($of(value))
        }

        impl From<OrDefault<$type>> for $type {
            fn from(value: OrDefault<$type>) -> Self {
                value.0.unwrap_or_default()
            }
        }
    )*};
}

or_default! {
    truth_or_not: truth -> bool;
    text_or_empty: text -> String;
    count_or_zero: count -> u64;
    number_or_zero: number -> f64;
}

fields! {
    de_truth -> bool: truth_or_not;
    de_text -> String: text_or_empty;
    de_count -> u64: count_or_zero;
    de_number -> f64: number_or_zero;
    de_some_text -> Option<String>: text;
    de_some_count -> Option<u64>: count;
}

/// The elements of a list that can be read; none where it is no list.
pub(crate) fn list<T: serde::de::DeserializeOwned>(value: Value) -> Vec<T> {
    let Value::Array(values) = value else {
        return Vec::new();
    };
    let read = values.into_iter().map(serde_json::from_value);
    read.filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_forms_of_a_value_are_read() {
        for yes in [json!(1), json!("1"), json!(true), json!("true")] {
            assert_eq!(truth(&yes), Some(true), "{yes}");
        }
        for no in [json!(0), json!("0"), json!(false), json!("")] {
            assert_eq!(truth(&no), Some(false), "{no}");
        }
        for other in [json!(null), json!([]), json!({}), json!("maybe")] {
            assert_eq!(truth(&other), None, "{other}");
        }
        for five in [json!(5), json!("5"), json!(5.9), json!(" 5 ")] {
            assert_eq!(count(&five), Some(5), "{five}");
        }
        for none in [json!(-1), json!("NaN"), json!("x"), json!(null), json!([5])] {
            assert_eq!(count(&none), None, "{none}");
        }
        assert_eq!(count(&json!(u64::MAX)), Some(u64::MAX));
        assert_eq!(count(&json!(u64::MAX.to_string())), Some(u64::MAX));
        assert_eq!(number(&json!("1e999")), None);
        assert_eq!(text(&json!(5900)).as_deref(), Some("5900"));
        assert_eq!(
            text(&json!("ü".repeat(40_000))).map(|text| text.len()),
            Some(TEXT_MAX)
        );
    }

    #[test]
    fn a_list_is_what_of_it_can_be_read() {
        assert_eq!(list::<u8>(json!([1, "x", 300, 7])), [1, 7]);
        assert!(list::<u8>(json!({"a": 1})).is_empty());
    }
}
