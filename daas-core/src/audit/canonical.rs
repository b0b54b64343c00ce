//! The one text of an entry. It cannot fail, and does not depend on how a library likes to
//! write JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::Entry;

pub(super) fn entry(entry: &Entry) -> String {
    let mut out = String::with_capacity(512);
    field(&mut out, "{\"action\":", Some(entry.action.as_str()));
    field(&mut out, ",\"actor\":", Some(entry.actor.name.as_str()));
    let id = entry.actor.id.map(|id| id.to_string());
    field(&mut out, ",\"actor_id\":", id.as_deref());
    let address = entry.address.map(|address| address.to_string());
    field(&mut out, ",\"address\":", address.as_deref());
    let after = entry.after.as_ref().map(|after| after.as_map());
    details(&mut out, ",\"after\":", after);
    field(&mut out, ",\"at\":", Some(&entry.at.rfc3339()));
    let before = entry.before.as_ref().map(|before| before.as_map());
    details(&mut out, ",\"before\":", before);
    field(&mut out, ",\"outcome\":", Some(entry.outcome.as_str()));
    display(&mut out, format_args!(",\"seq\":{}", entry.seq));
    field(&mut out, ",\"target\":", Some(entry.target.name.as_str()));
    let id = entry.target.id.as_ref().map(|id| id.as_str());
    field(&mut out, ",\"target_id\":", id);
    let kind = entry.target.kind.as_str();
    field(&mut out, ",\"target_kind\":", Some(kind));
    out.push('}');
    out
}

/// An object, sorted by the bytes of its names.
pub(super) fn object(out: &mut String, map: &Map<String, Value>) {
    // Whether a map is sorted depends on a feature that any other crate may turn on.
    let mut entries = map.iter().collect::<Vec<_>>();
    entries.sort_unstable_by_key(|(name, _)| *name);
    out.push('{');
    for (at, (name, of)) in entries.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        string(out, name);
        out.push(':');
        value(out, of);
    }
    out.push('}');
}

fn value(out: &mut String, value_: &Value) {
    match value_ {
        Value::Null => out.push_str("null"),
        Value::Bool(is) => display(out, format_args!("{is}")),
        Value::Number(number) => display(out, format_args!("{number}")),
        Value::String(text) => string(out, text),
        Value::Array(items) => array(out, items),
        Value::Object(map) => object(out, map),
    }
}

fn array(out: &mut String, items: &[Value]) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        value(out, item);
    }
    out.push(']');
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if char < ' ' => display(out, format_args!("\\u{:04x}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
}

fn field(out: &mut String, name: &str, text: Option<&str>) {
    out.push_str(name);
    match text {
        Some(text) => string(out, text),
        None => out.push_str("null"),
    }
}

fn details(out: &mut String, name: &str, map: Option<&Map<String, Value>>) {
    out.push_str(name);
    match map {
        Some(map) => object(out, map),
        None => out.push_str("null"),
    }
}

fn display(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = out.write_fmt(text);
}
