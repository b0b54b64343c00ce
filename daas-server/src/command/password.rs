//! Where passwords come from: the terminal, or a line of the standard input. Never from an
//! argument, which everybody on the machine can see.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use clap::Args;
use daas_core::Secret;

use super::CommandError;

/// Longest line that is read; the longest password has 1024 bytes.
const LINE_MAX: u64 = 4096;

/// Where the password comes from.
#[derive(Debug, Args)]
pub struct Source {
    /// Print a link with which they choose a password themselves.
    #[arg(long)]
    invite: bool,
    #[arg(skip)]
    typed: Option<Secret<String>>,
}

impl Source {
    /// Reads the password, unless somebody is to be invited: at a terminal twice and without
    /// showing it, else the first line.
    pub(super) fn read(mut self, whose: &str) -> Result<Self, CommandError> {
        if !self.invite {
            let typed = if io::stdin().is_terminal() {
                ask(whose)?
            } else {
                line()?
            };
            self.typed = Some(Secret::new(typed));
        }
        Ok(self)
    }

    /// The password, or none for who is to be invited.
    pub(super) fn into_password(self) -> Option<Secret<String>> {
        self.typed
    }
}

fn ask(whose: &str) -> Result<String, CommandError> {
    let typed = rpassword::prompt_password(format!("Password of {whose}: "))?;
    if rpassword::prompt_password("Once more: ")? != typed {
        return Err(CommandError::Differ);
    }
    Ok(typed)
}

fn line() -> Result<String, CommandError> {
    let mut line = String::new();
    io::stdin().lock().take(LINE_MAX).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    if line.is_empty() {
        return Err(CommandError::NoPassword);
    }
    Ok(line)
}
