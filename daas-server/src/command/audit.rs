//! `daas-server audit`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use clap::{Args, Subcommand};
use daas_core::access::By;
use daas_core::audit::chain::{Verifier, hex, parse_hex};
use daas_core::audit::{AuditAction, Filter, Format, Target, TargetKind};
use daas_core::model::Timestamp;
use daas_core::storage::{AuditLog as _, ExportWalk, Sqlite, Walk};

use super::CommandError;

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Find out whether the log is whole and unchanged. Note the head that is printed, away
    /// from this machine, and give it next time: then not even who writes the whole log again
    /// stays unnoticed.
    Verify {
        /// A head that was printed before.
        #[arg(long, value_name = "HASH", value_parser = head)]
        expect: Option<[u8; 32]>,
    },
    /// Write the log to the standard output, or to a file.
    Export(ExportArgs),
}

/// What to export.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Each entry as a line of JSON, or of a table.
    #[arg(long, default_value = "jsonl", value_parser = PossibleValuesParser::new(["jsonl", "csv"])
        .map(|text| if text == "csv" { Format::Csv } else { Format::JsonLines }))]
    format: Format,
    /// A file that is made; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only what this person did: a name or an id.
    #[arg(long)]
    actor: Option<String>,
    /// Only this, such as user.create.
    #[arg(long)]
    action: Option<AuditAction>,
    /// Only what was done to this: a name or an id.
    #[arg(long)]
    target: Option<String>,
    /// Not before this time, such as 2026-01-31T12:00:00Z.
    #[arg(long)]
    from: Option<Timestamp>,
    /// Before this time.
    #[arg(long)]
    to: Option<Timestamp>,
}

fn head(text: &str) -> Result<[u8; 32], &'static str> {
    parse_hex(text).ok_or("a head has 64 hexadecimal digits")
}

impl Audit {
    pub(super) async fn run(self, store: &Sqlite) -> Result<(), CommandError> {
        match self {
            Self::Verify { expect } => verify(store, expect).await,
            Self::Export(args) => export(store, args).await,
        }
    }
}

async fn verify(store: &Sqlite, expect: Option<[u8; 32]>) -> Result<(), CommandError> {
    let mut verifier = Verifier::new();
    if let Some(head) = expect {
        verifier = verifier.expecting(head);
    }
    let mut walk = Walk::new(Filter::default());
    loop {
        let kept = walk.next(store).await?;
        if kept.is_empty() {
            break;
        }
        for (entry, hash) in &kept {
            verifier.check(entry, hash)?;
        }
    }
    let verified = verifier.finish()?;
    println!("The audit log is whole: {} entries.", verified.checked);
    println!("head {}", hex(&verified.head));
    Ok(())
}

async fn export(store: &Sqlite, args: ExportArgs) -> Result<(), CommandError> {
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(create(path)?)),
        None => Box::new(io::stdout().lock()),
    };
    let target = Target::named(TargetKind::Audit, "audit log");
    let entry = By::console().did(AuditAction::AuditExport, target, Timestamp::now());
    store.note(entry).await?;
    let filter = Filter {
        actor: args.actor,
        action: args.action,
        target: args.target,
        from: args.from,
        to: args.to,
    };
    let mut export = ExportWalk::new(args.format, filter)?;
    while let Some(piece) = export.next(store).await? {
        out.write_all(&piece)?;
    }
    Ok(out.flush()?)
}

/// For its owner only, as it tells who did what.
fn create(path: &Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}
