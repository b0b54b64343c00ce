//! The audit log: to read, and to take along.

use daas_core::access::Caller;
use daas_core::audit::{AuditAction, Entry, Filter, Format, Target, TargetKind};
use daas_core::model::Timestamp;
use daas_core::storage::{AuditQuery, ExportWalk, Order, Store};
use daas_core::{Error, chain};
use hyper::body::Bytes;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use std::sync::Arc;
use tokio::sync::mpsc;

use super::people::{CURSOR, limit};
use super::view::PageView;
use crate::http::{Body, Call, Problem, json};

/// Pieces of an export that may wait for a slow reader.
const WAITING: usize = 2;
/// Longest text to look for, in characters.
const TEXT_MAX: usize = 256;

fn filter(call: &Call) -> Result<Filter, Problem> {
    let time = "a time by RFC 3339, such as 2026-01-31T12:00:00Z";
    Ok(Filter {
        actor: text(call, "actor")?,
        action: call.parameter("action", "a word of the log, such as user.create")?,
        target: text(call, "target")?,
        from: call.parameter("from", time)?,
        to: call.parameter("to", time)?,
    })
}

fn text(call: &Call, name: &'static str) -> Result<Option<String>, Problem> {
    match call.text(name).filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() > TEXT_MAX => {
            let detail = format!("must have at most {TEXT_MAX} characters");
            Err(Problem::field(name, detail))
        }
        text => Ok(text),
    }
}

pub(super) async fn list(call: Call, _: Caller) -> Result<Response<Body>, Problem> {
    let limit = limit(&call)?;
    let query = AuditQuery {
        filter: filter(&call)?,
        order: Order::NewestFirst,
        behind: call.parameter("cursor", CURSOR)?,
        limit: limit + 1,
    };
    let kept = call.services().store.entries(query).await?;
    let more = kept.len() > limit as usize;
    let items: Vec<Entry> = kept.into_iter().map(|(entry, _)| entry).collect();
    let items = items
        .get(..items.len().min(limit as usize))
        .unwrap_or_default();
    let last = items.last().filter(|_| more);
    let page = PageView {
        next_cursor: last.map(|last| last.seq.to_string()),
        items: items.iter().collect(),
    };
    json(StatusCode::OK, &page)
}

pub(super) async fn export(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let format = match call.text("format").as_deref() {
        None | Some("jsonl") => Format::JsonLines,
        Some("csv") => Format::Csv,
        Some(_) => return Err(Problem::field("format", "must be `jsonl` or `csv`")),
    };
    let (services, filter) = (call.services(), filter(&call)?);
    let target = Target::named(TargetKind::Audit, "audit log");
    let entry = caller
        .by()
        .did(AuditAction::AuditExport, target, Timestamp::now());
    services.store.note(entry).await?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let store = Arc::clone(&services.store);
    tokio::spawn(async move {
        // Without the end of its chunks a browser knows that a download is not whole.
        if let Err(error) = send(&*store, format, filter, &sender).await {
            tracing::warn!(
                error = chain(&error),
                "an export of the audit log broke off"
            );
        }
    });
    let mut response = Response::new(Body::pieces(receiver));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(format.media_type());
    headers.insert(CONTENT_TYPE, kind);
    let name = format!("attachment; filename=\"audit.{}\"", format.extension());
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Sends the log piece by piece, the oldest entry first.
async fn send(
    store: &dyn Store,
    format: Format,
    filter: Filter,
    sender: &mpsc::Sender<Bytes>,
) -> Result<(), Error> {
    let mut export = ExportWalk::new(format, filter)?;
    while let Some(piece) = export.next(store).await? {
        if sender.send(piece.into()).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
