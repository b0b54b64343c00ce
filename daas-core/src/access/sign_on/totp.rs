//! A second factor: codes of authenticator apps, by RFC 6238, and recovery codes for whoever
//! lost theirs.

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::secret::Secret;

/// Bytes of a secret: as many as HMAC-SHA-1 has, which RFC 4226 (section 4) recommends.
const SECRET: usize = 20;
/// Milliseconds of a step.
const STEP_MS: i64 = 30_000;
/// Digits of a code.
const DIGITS: usize = 6;
/// Alphabet of RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Alphabet of recovery codes: no letter looks like a digit or like another.
const READABLE: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Groups of a recovery code, and characters of a group.
const GROUPS: (usize, usize) = (4, 5);
/// Recovery codes at a time.
const CODES: usize = 10;
/// Longest thing that is looked at when a code is typed, in bytes.
const TYPED: usize = 64;

/// What an authenticator app and the server share: 160 random bits.
#[derive(Clone)]
pub struct TotpSecret([u8; SECRET]);

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

impl TotpSecret {
    /// A new one.
    ///
    /// # Errors
    /// Where the operating system gives no random bits.
    pub fn random() -> Result<Self> {
        random().map(Self)
    }

    /// Reads what [`text`](Self::text) wrote; nothing else is taken.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut secret = [0; SECRET];
        if text.len() != SECRET * 8 / 5 {
            return None;
        }
        for (five, eight) in secret.chunks_mut(5).zip(text.as_bytes().chunks(8)) {
            let mut bits = 0_u64;
            for byte in eight {
                let value = BASE32.iter().position(|known| known == byte)?;
                bits = bits << 5 | u64::try_from(value).ok()?;
            }
            five.copy_from_slice(bits.to_be_bytes().get(3..)?);
        }
        Some(Self(secret))
    }

    /// In 32 characters of base32, to be kept or typed into an app.
    #[must_use]
    pub fn text(&self) -> Secret<String> {
        let mut text = String::with_capacity(SECRET * 8 / 5);
        for five in self.0.chunks(5) {
            let bits = five.iter().fold(0_u64, |bits, b| bits << 8 | u64::from(*b));
            for place in (0..8).rev() {
                text.push(symbol(BASE32, (bits >> (place * 5)) as u8));
            }
        }
        Secret::new(text)
    }

    /// The address to show as a picture that apps scan. It holds the secret.
    ///
    /// The parameters are what apps take for granted, and some take nothing else.
    #[must_use]
    pub fn url(&self, issuer: &str, account: &str) -> Secret<String> {
        // A colon parts the two names, so none may be in the first.
        let issuer = percent(&issuer.replace(':', " "));
        let account = percent(account);
        let text = self.text();
        let secret = text.expose();
        Secret::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}\
             &algorithm=SHA1&digits=6&period=30"
        ))
    }

    /// Checks a code of six digits, spaces among them aside. One step before and one after
    /// are good too, since clocks differ and people type slowly.
    ///
    /// Answers the step of the code, to be kept: with it as `last_step` the code and all
    /// older ones are refused from then on.
    #[must_use]
    pub fn check(&self, code: &str, now: Timestamp, last_step: Option<u64>) -> Option<u64> {
        let code = digits(code)?;
        let present = u64::try_from(now.0).ok()? / STEP_MS as u64;
        // All are computed and compared, so that time tells nothing. Of two equal codes the
        // later step counts: the earlier would let it be used once more.
        let (mut found, mut step) = (subtle::Choice::from(0), 0);
        for candidate in present.saturating_sub(1)..=present.saturating_add(1) {
            let equal = self.code(candidate).ct_eq(&code);
            step.conditional_assign(&candidate, equal);
            found |= equal;
        }
        let is_new = last_step.is_none_or(|last| step > last);
        (bool::from(found) && is_new).then_some(step)
    }

    /// The code of a step: RFC 4226, section 5.3.
    fn code(&self, step: u64) -> u32 {
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&self.0) else {
            // HMAC takes keys of any length; a code that nobody can type.
            return u32::MAX;
        };
        mac.update(&step.to_be_bytes());
        let hash: [u8; SECRET] = mac.finalize().into_bytes().into();
        let offset = usize::from(hash.last().copied().unwrap_or_default() & 15);
        let four = hash.get(offset..offset + 4).unwrap_or_default();
        let number = four.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        (number & 0x7fff_ffff) % 10_u32.pow(DIGITS as u32)
    }
}

/// The number that six digits are.
fn digits(code: &str) -> Option<u32> {
    if code.len() > TYPED {
        return None;
    }
    let digits: String = code.chars().filter(|c| *c != ' ').collect();
    let fits = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

/// All but the unreserved characters of RFC 3986 as `%XX`.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Unavailable {
        backend: "the operating system",
        operation: "giving random bits",
        source: Some(error.into()),
    })?;
    Ok(bytes)
}

/// The character for the low five bits.
fn symbol(alphabet: &[u8; 32], bits: u8) -> char {
    alphabet
        .get(usize::from(bits & 31))
        .map_or('?', |byte| char::from(*byte))
}

/// New recovery codes: the texts to show once, and the hashes to keep.
#[derive(Clone, Debug)]
pub struct RecoveryCodes {
    /// Ten codes such as `2q7dk-…`, of 100 random bits each.
    pub codes: Vec<Secret<String>>,
    /// SHA-256 of each. A slow hash is not needed: nobody guesses 100 bits.
    pub hashes: Vec<[u8; 32]>,
}

impl RecoveryCodes {
    /// New ones.
    ///
    /// # Errors
    /// Where the operating system gives no random bits.
    pub fn random() -> Result<Self> {
        let (mut codes, mut hashes) = (Vec::new(), Vec::new());
        for _ in 0..CODES {
            let code = recovery_code()?;
            hashes.push(Sha256::digest(&code).into());
            codes.push(Secret::new(grouped(&code)));
        }
        Ok(Self { codes, hashes })
    }

    /// The hash of those kept that a code has, to be removed. Case, hyphens, spaces and
    /// letters that look like digits do not matter.
    #[must_use]
    pub fn find(hashes: &[[u8; 32]], typed: &str) -> Option<[u8; 32]> {
        // Hashes tell nothing of the code by the time that comparing them takes.
        let hash: [u8; 32] = Sha256::digest(plain(typed)?).into();
        hashes.contains(&hash).then_some(hash)
    }
}

fn recovery_code() -> Result<String> {
    let bytes: [u8; GROUPS.0 * GROUPS.1] = random()?;
    Ok(bytes.iter().map(|byte| symbol(READABLE, *byte)).collect())
}

fn grouped(code: &str) -> String {
    let groups = code.as_bytes().chunks(GROUPS.1);
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join("-")
}

/// A typed code as it was made.
fn plain(typed: &str) -> Option<String> {
    if typed.len() > TYPED {
        return None;
    }
    let typed = typed.chars().filter(|c| !matches!(c, '-' | ' '));
    let code: String = typed
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    (code.len() == GROUPS.0 * GROUPS.1).then_some(code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    /// RFC 6238, appendix B, of which apps show the last six of eight digits.
    #[test]
    fn vectors_of_the_rfc() {
        let secret = TotpSecret(*b"12345678901234567890");
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let step = secret.check(&code[2..], at(seconds), None);
            assert_eq!(step, Some(seconds as u64 / 30), "{seconds}");
        }
    }

    /// RFC 4648, section 10, and RFC 4226, appendix D.
    #[test]
    fn texts_lead_back() {
        let secret = TotpSecret(*b"12345678901234567890");
        let text = secret.text();
        assert_eq!(text.expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(TotpSecret::parse(text.expose()).unwrap().0, secret.0);
        let random = TotpSecret::random().unwrap();
        let back = TotpSecret::parse(random.text().expose()).unwrap();
        assert_eq!(back.0, random.0);
        for wrong in ["", &text.expose()[1..], "gezdgnbvgy3tqojqgezdgnbvgy3tqojq"] {
            assert!(TotpSecret::parse(wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{secret:?}").contains("GEZ"));
    }

    #[test]
    fn one_step_before_and_after_and_none_twice() {
        let secret = TotpSecret(*b"12345678901234567890");
        // Step 1 of the appendix.
        let check = |seconds, last| secret.check("287 082", at(seconds), last);
        for seconds in [0, 29, 30, 59, 60, 89] {
            assert_eq!(check(seconds, None), Some(1), "{seconds}");
            assert_eq!(check(seconds, Some(0)), Some(1));
            assert_eq!(check(seconds, Some(1)), None);
            assert_eq!(check(seconds, Some(2)), None);
        }
        assert_eq!(check(90, None), None);
        assert_eq!(check(-1, None), None);
        assert_eq!(check(i64::MAX / 1000, None), None);
    }

    #[test]
    fn only_six_digits_are_a_code() {
        let secret = TotpSecret(*b"12345678901234567890");
        let many_spaces = format!("{}287082", " ".repeat(TYPED));
        for wrong in [
            "",
            "28708",
            "2870820",
            "287083",
            "+87082",
            "٢٨٧٠٨٢",
            "287\t082",
            &many_spaces,
        ] {
            assert_eq!(secret.check(wrong, at(59), None), None, "{wrong}");
        }
        assert_eq!(secret.check(" 287082 ", at(59), None), Some(1));
    }

    #[test]
    fn addresses_are_encoded() {
        let secret = TotpSecret(*b"12345678901234567890");
        let url = secret.url("Häuser & Co: A", "a b/c?d#e@example.org");
        assert_eq!(
            url.expose(),
            "otpauth://totp/H%C3%A4user%20%26%20Co%20%20A:a%20b%2Fc%3Fd%23e%40example.org\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=H%C3%A4user%20%26%20Co%20%20A\
             &algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn recovery_codes_are_found_however_they_are_typed() {
        let RecoveryCodes { codes, hashes } = RecoveryCodes::random().unwrap();
        assert_eq!((codes.len(), hashes.len()), (10, 10));
        for (code, hash) in codes.iter().zip(&hashes) {
            let code = code.expose();
            assert_eq!(code.len(), 23);
            assert_eq!(RecoveryCodes::find(&hashes, &code[1..]), None);
            let typed = code.to_uppercase().replace('-', " ").replace('0', "o");
            let found = RecoveryCodes::find(&hashes, &typed.replace('1', "l"));
            assert_eq!(found.as_ref(), Some(hash));
            assert_eq!(RecoveryCodes::find(&hashes[..0], code), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed(typed in any::<String>(), now in any::<i64>()) {
            let RecoveryCodes { hashes, .. } = RecoveryCodes::random().unwrap();
            prop_assert_eq!(RecoveryCodes::find(&hashes, &typed), None);
            let secret = TotpSecret::random().unwrap();
            let _ = secret.check(&typed, Timestamp(now), None);
            prop_assert_eq!(secret.check("abcdef", Timestamp(now), None), None);
            let _ = TotpSecret::parse(&typed);
        }
    }
}
