//! The log as files for other programs.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Details, Entry, chain};

const CSV_HEAD: &str = "seq,at,actor_id,actor,address,action,target_kind,target_id,target,\
                        outcome,before,after,hash\r\n";

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// A line of JSON for each entry: its [canonical bytes](super#canonical-bytes), with
    /// `"hash"` as one more field at the end. Without the last 74 bytes before the `}`,
    /// they are what was hashed.
    #[serde(rename = "jsonl")]
    JsonLines,
    /// CSV by RFC 4180 with a line of names. Texts that a spreadsheet would compute get an
    /// apostrophe before them, so that this is for reading; to verify, take JSON Lines.
    #[serde(rename = "csv")]
    Csv,
}

impl Format {
    /// For the header `Content-Type`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::JsonLines => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// How the name of a file ends.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// Writes entries one after the other, and keeps none of them.
#[derive(Debug)]
pub struct Export<W> {
    format: Format,
    out: W,
}

impl<W: Write> Export<W> {
    /// Begins an export.
    ///
    /// # Errors
    /// Those of writing.
    pub fn new(format: Format, mut out: W) -> io::Result<Self> {
        if format == Format::Csv {
            out.write_all(CSV_HEAD.as_bytes())?;
        }
        Ok(Self { format, out })
    }

    /// Writes an entry and its hash, in one piece.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&mut self, entry: &Entry, hash: &[u8; 32]) -> io::Result<()> {
        let line = match self.format {
            Format::JsonLines => json_line(entry, hash),
            Format::Csv => csv_line(entry, hash),
        };
        self.out.write_all(line.as_bytes())
    }

    /// Where it is written to, for example to take what has gathered there.
    pub const fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the export.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn json_line(entry: &Entry, hash: &[u8; 32]) -> String {
    let mut line = entry.canonical();
    line.pop(); // the brace at its end
    line.push_str(",\"hash\":\"");
    line.push_str(&chain::hex(hash));
    line.push_str("\"}\n");
    line
}

fn csv_line(entry: &Entry, hash: &[u8; 32]) -> String {
    let text = |details: &Option<Details>| details.as_ref().map(Details::text).unwrap_or_default();
    let mut line = String::with_capacity(512);
    csv_field(&mut line, &entry.seq.to_string());
    for field in [
        entry.at.rfc3339().as_str(),
        &entry.actor.id.map(|id| id.to_string()).unwrap_or_default(),
        entry.actor.name.as_str(),
        &entry.address.map(|at| at.to_string()).unwrap_or_default(),
        entry.action.as_str(),
        entry.target.kind.as_str(),
        entry.target.id.as_ref().map_or("", |id| id.as_str()),
        entry.target.name.as_str(),
        entry.outcome.as_str(),
        &text(&entry.before),
        &text(&entry.after),
        &chain::hex(hash),
    ] {
        line.push(',');
        csv_field(&mut line, field);
    }
    line.push_str("\r\n");
    line
}

fn csv_field(line: &mut String, text: &str) {
    let guard = if is_computed(text) { "'" } else { "" };
    if text.contains(['"', ',', '\r', '\n']) {
        let text = text.replace('"', "\"\"");
        line.extend(["\"", guard, &text, "\""]);
    } else {
        line.extend([guard, text]);
    }
}

/// Whether a spreadsheet may take it for a formula. Some also take the wide signs.
fn is_computed(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}
