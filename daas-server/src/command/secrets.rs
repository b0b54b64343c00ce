//! `daas-server secrets`.

use clap::Subcommand;
use daas_core::access::By;
use daas_core::audit::{AuditAction, Target, TargetKind};
use daas_core::blocking::Gate;
use daas_core::model::Timestamp;
use daas_core::storage::{AuditLog as _, Store as _};
use daas_core::vault::Vault;

use super::{CommandError, opened};
use crate::config::Config;

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Seal all secrets in the database with a new key, and forget the old one. Do it when
    /// somebody may have seen the file of the keys.
    Rotate,
}

impl Secrets {
    /// Adds a key, seals with it, and only then drops the one before: whatever breaks off in
    /// between, each secret opens, and doing it again ends it.
    pub(super) async fn run(self, config: &Config) -> Result<(), CommandError> {
        let Self::Rotate = self;
        let store = opened(config).await?;
        let (gate, path) = (Gate::new(1), config.key_file.clone());
        let vault = blocking(gate.run(move || Vault::add_key(&path)).await)??;
        let sealed = store.seal_again().await?;
        let target = Target::named(TargetKind::Secrets, vault.active_id());
        let entry = By::console().did(AuditAction::SecretsRotate, target, Timestamp::now());
        store.note(entry).await?;
        let path = config.key_file.clone();
        let vault = blocking(gate.run(move || vault.drop_old_keys(&path)).await)??;
        let id = vault.active_id();
        println!("{sealed} secrets are sealed with the new key {id}; there is no other.");
        println!("Copies of the database from before need the copy of the old key file.");
        Ok(())
    }
}

fn blocking<T, E: std::error::Error + Send + Sync + 'static>(
    done: Result<T, E>,
) -> Result<T, std::io::Error> {
    done.map_err(std::io::Error::other)
}
