//! Reads the configuration: defaults, then the file, the environment, and the flags.
//!
//! Each source is first read by itself, so that a mistake is told with its line or the name
//! of its variable; the crates that merge sources lose these. That is all there is to it,
//! so `toml` and `serde` suffice.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::{Table, Value};

use super::error::{ConfigError, Place, plain_words};
use super::raw::Raw;
use super::{ADMIN_PASSWORD, DATABASE};
use crate::strict::{NAMED_FIELDS, Strict};

/// Start of the names of variables.
const PREFIX: &str = "DAAS_";

/// Where to read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Variables by name and value.
    pub environment: Vec<(String, String)>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--port`, which changes the port alone.
    pub port: Option<u16>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

impl Sources {
    pub(super) fn read(&self) -> Result<Raw, ConfigError> {
        let mut all = self.read_file()?;
        for (name, value) in &self.environment {
            if let Some(table) = variable(name, value)? {
                merge(&mut all, table);
            }
        }
        let mut raw = Raw::deserialize(Strict(all)).map_err(|error| ConfigError {
            place: Place::Key("configuration"),
            text: plain_words(error.message()),
        })?;
        self.apply_flags(&mut raw)?;
        Ok(raw)
    }

    fn read_file(&self) -> Result<Table, ConfigError> {
        let Some(path) = &self.file else {
            return Ok(Table::new());
        };
        let text = fs::read_to_string(path).map_err(|error| ConfigError {
            place: Place::File(path.clone(), None),
            text: format!("cannot be read: {error}"),
        })?;
        let wrong = |error| in_file(path, &text, &error);
        let file = toml::Deserializer::parse(&text).map_err(wrong)?;
        Raw::deserialize(Strict(file)).map_err(wrong)?;
        toml::from_str(&text).map_err(wrong)
    }

    fn apply_flags(&self, raw: &mut Raw) -> Result<(), ConfigError> {
        if let Some(listen) = &self.listen {
            raw.server.listen.clone_from(listen);
        }
        if let Some(port) = self.port {
            let mut listen = super::address("server.listen", &raw.server.listen)?;
            listen.set_port(port);
            raw.server.listen = listen.to_string();
        }
        if let Some(folder) = &self.data_dir {
            raw.storage.path = folder.join(DATABASE);
        }
        Ok(())
    }
}

fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().and_then(|span| {
        let before = text.get(..span.start)?;
        Some(before.matches('\n').count() + 1)
    });
    ConfigError {
        place: Place::File(path.to_owned(), line),
        text: plain_words(error.message()),
    }
}

/// What a variable sets, if it is ours: `DAAS_SERVER__LISTEN` is `server.listen`.
fn variable(name: &str, value: &str) -> Result<Option<Table>, ConfigError> {
    let Some(key) = name.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    if name == ADMIN_PASSWORD {
        return Ok(None);
    }
    let key = key.to_lowercase();
    let mut refused = None;
    for value in readings(value) {
        let table = nest(&key, value);
        match Raw::deserialize(Strict(table.clone())) {
            Ok(_) => return Ok(Some(table)),
            Err(error) => drop(refused.get_or_insert(error)),
        }
    }
    let message = refused
        .as_ref()
        .map_or("has no value", |error| error.message());
    let mut text = plain_words(message);
    if text.ends_with(NAMED_FIELDS) {
        text += "; a variable sets one of them, as DAAS_LOG__FORMAT does";
    }
    Err(ConfigError {
        place: Place::Environment(name.to_owned()),
        text,
    })
}

/// What a text may stand for: a value as in TOML, itself, or a list with commas.
fn readings(text: &str) -> Vec<Value> {
    let typed = toml::from_str::<Table>(&format!("value = {text}"));
    let typed = typed.ok().and_then(|mut table| table.remove("value"));
    let words = text.split(',').map(|word| Value::from(word.trim()));
    let list = Value::Array(words.collect());
    typed.into_iter().chain([Value::from(text), list]).collect()
}

fn nest(key: &str, value: Value) -> Table {
    let mut parts = key.rsplit("__");
    let last = parts.next().unwrap_or_default();
    let mut table = Table::from_iter([(last.to_owned(), value)]);
    for part in parts {
        table = Table::from_iter([(part.to_owned(), Value::Table(table))]);
    }
    table
}

/// Puts one table over another.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}
