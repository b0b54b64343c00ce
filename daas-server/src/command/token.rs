//! `daas-server token`.

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use daas_core::access::{By, TOKEN_PREFIX};
use daas_core::model::{Scope, Timestamp};

use super::{CommandError, Desk};

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token with which a program acts in the name of a user. It is printed, once.
    Create {
        /// In whose name.
        #[arg(long)]
        user: String,
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it is good for, as far as the user may do that; may be given more than once.
        #[arg(long = "scope", required = true, value_parser = scope_parser())]
        scopes: Vec<Scope>,
        /// How many days it is good for, up to 366.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
}

fn scope_parser() -> impl TypedValueParser<Value = Scope> {
    let words = PossibleValuesParser::new(Scope::ALL.map(Scope::as_str));
    words.try_map(|text| {
        let mut all = Scope::ALL.into_iter();
        all.find(|scope| scope.as_str() == text)
            .ok_or("not a scope")
    })
}

impl Token {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), CommandError> {
        let Self::Create {
            user,
            name,
            scopes,
            days,
        } = self;
        let owner = desk.user(&user).await?;
        let (by, now) = (By::console(), Timestamp::now());
        let made = desk
            .access
            .make_token(&by, &owner, &name, scopes, days, now);
        let (token, kept) = made.await?;
        // Alone on the standard output, so that it can be passed on.
        println!("{TOKEN_PREFIX}{}", token.expose());
        eprintln!("It is good until {}.", kept.expires_at.rfc3339());
        Ok(())
    }
}
