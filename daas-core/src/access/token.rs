//! Random values that open something to whoever has them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::random;

/// 256 random bits, written in 43 characters of base64. Equality is not offered: compare
/// hashes, which tells nothing by the time it takes.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// Where the operating system gives no random bits.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        random::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// SHA-256 of it, which is what is kept. A slow hash is not needed: nobody guesses 256
    /// bits.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// Another one that only its holder can know, for a purpose.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(purpose.as_bytes())
            .chain_update([0])
            .chain_update(self.0);
        Self(hash.finalize().into())
    }

    /// The text to hand out.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = ();

    /// Takes only what [`expose`](Self::expose) writes.
    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(drop)?;
        bytes.try_into().map(Self).map_err(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn texts_lead_back() {
        let token = Token::random().unwrap();
        let text = token.expose();
        assert_eq!(text.len(), 43);
        assert_eq!(text.parse::<Token>().unwrap().hash(), token.hash());
        assert_ne!(Token::random().unwrap().hash(), token.hash());
        assert_ne!(token.derive("csrf").hash(), token.hash());
        for wrong in [
            "",
            &text[1..],
            &format!("{text}A"),
            &format!("{text}="),
            "ä",
        ] {
            assert!(wrong.parse::<Token>().is_err(), "{wrong}");
        }
        assert!(!format!("{token:?}").contains(&text));
    }
}
