//! The audit log: who did what, when, from where, and what came of it.
//!
//! Here are its entries, their [chain], its [export](Export) and a [filter](Filter).
//! Nothing here stores them or reads a clock.
//!
//! # Canonical bytes
//! [`Entry::canonical`] gives one JSON object in UTF-8, of which there is exactly one for an
//! entry:
//! - All of these are there, in this order, which is that of their bytes, without any space:
//!   `action`, `actor`, `actor_id`, `address`, `after`, `at`, `before`, `outcome`, `seq`,
//!   `target`, `target_id`, `target_kind`. What is not known is `null`.
//! - Texts are escaped only where JSON wants it: `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`,
//!   and `\u00xx` in small letters for the other characters below U+0020.
//! - `seq` is a number. `at` is a text by RFC 3339 in UTC with milliseconds. Ids are
//!   hyphenated UUIDs in small letters. Addresses are in the usual shortest form.
//! - `before` and `after` are objects in the same way, sorted by the bytes of their names;
//!   numbers in them are whole.
//!
//! So `json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)` of
//! Python gives the same, and anybody can verify an export without this crate.

mod canonical;
pub mod chain;
mod details;
mod export;
mod filter;
mod label;
mod words;

use std::fmt;
use std::net::IpAddr;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::model::{Timestamp, UserId};

pub use details::{Details, NotDetails};
pub use export::{Export, Format};
pub use filter::Filter;
pub use label::{Label, TooLong};
pub use words::{AuditAction, Outcome, TargetKind, UnknownWord};

/// Who did something. The name stays as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Their id; none where nobody is known by this name, or it was no person.
    pub id: Option<UserId>,
    /// The name; empty where somebody is not known.
    pub name: Label,
}

impl Actor {
    /// Somebody, known or not.
    #[must_use]
    pub fn new(id: Option<UserId>, name: &str) -> Self {
        let name = Label::new(name);
        Self { id, name }
    }

    /// The program itself, without anybody's asking.
    #[must_use]
    pub fn system() -> Self {
        Self::new(None, "system")
    }
}

/// What something was done to. The name stays as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is.
    pub kind: TargetKind,
    /// Its id, if it has one.
    pub id: Option<Label>,
    /// Its name, or whatever tells people what it is.
    pub name: Label,
}

impl Target {
    /// Something with an id.
    #[must_use]
    pub fn new(kind: TargetKind, id: impl fmt::Display, name: &str) -> Self {
        Self {
            kind,
            id: Some(Label::new(&id.to_string())),
            name: Label::new(name),
        }
    }

    /// Something without an id, such as a user that does not exist.
    #[must_use]
    pub fn named(kind: TargetKind, name: &str) -> Self {
        Self {
            kind,
            id: None,
            name: Label::new(name),
        }
    }
}

/// What is to become an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// From where, if it came over the network.
    pub address: Option<IpAddr>,
    /// What was done, or tried.
    pub action: AuditAction,
    /// To what.
    pub target: Target,
    /// What came of it.
    pub outcome: Outcome,
    /// What it was before, where something was changed or removed.
    pub before: Option<Details>,
    /// What it is now, where something was changed or made.
    pub after: Option<Details>,
}

impl NewEntry {
    /// With its place in the log.
    #[must_use]
    pub fn with_seq(self, seq: u64) -> Entry {
        Entry {
            seq,
            at: self.at,
            actor: self.actor,
            address: self.address,
            action: self.action,
            target: self.target,
            outcome: self.outcome,
            before: self.before,
            after: self.after,
        }
    }
}

/// One entry of the log. Serialises flat, to its [canonical](self#canonical-bytes) form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log: the first has 1, and none is left out.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// From where, if it came over the network.
    pub address: Option<IpAddr>,
    /// What was done, or tried.
    pub action: AuditAction,
    /// To what.
    pub target: Target,
    /// What came of it.
    pub outcome: Outcome,
    /// What it was before, where something was changed or removed.
    pub before: Option<Details>,
    /// What it is now, where something was changed or made.
    pub after: Option<Details>,
}

impl Entry {
    /// The one text that stands for it; see [canonical bytes](self#canonical-bytes).
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical::entry(self)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Entry", 12)?;
        fields.serialize_field("action", &self.action)?;
        fields.serialize_field("actor", &self.actor.name)?;
        fields.serialize_field("actor_id", &self.actor.id)?;
        fields.serialize_field("address", &self.address)?;
        fields.serialize_field("after", &self.after)?;
        fields.serialize_field("at", &self.at.rfc3339())?;
        fields.serialize_field("before", &self.before)?;
        fields.serialize_field("outcome", &self.outcome)?;
        fields.serialize_field("seq", &self.seq)?;
        fields.serialize_field("target", &self.target.name)?;
        fields.serialize_field("target_id", &self.target.id)?;
        fields.serialize_field("target_kind", &self.target.kind)?;
        fields.end()
    }
}
