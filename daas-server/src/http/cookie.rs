//! Cookies: of the session, and of a log-in that has begun elsewhere.

#[cfg(feature = "oidc")]
use std::time::Duration;

use daas_core::access::Token;
use hyper::header::{COOKIE, HeaderMap, HeaderValue};

/// What a cookie is for.
struct Kind {
    name: &'static str,
    /// With the prefix, browsers take it over TLS only, and from no other host.
    secure_name: &'static str,
    /// From where requests come that carry it.
    same_site: &'static str,
}

const SESSION: Kind = Kind {
    name: "daas_session",
    secure_name: "__Host-daas_session",
    same_site: "Strict",
};
/// A provider's page leads back here, so this has to come along with requests that begin on
/// the pages of others.
#[cfg(feature = "oidc")]
const SIGN_ON: Kind = Kind {
    name: "daas_sign_on",
    secure_name: "__Host-daas_sign_on",
    same_site: "Lax",
};

impl Kind {
    const fn name(&self, secure: bool) -> &'static str {
        if secure { self.secure_name } else { self.name }
    }

    fn set(&self, secure: bool, value: &str, more: &str) -> Option<HeaderValue> {
        let flag = if secure { "; Secure" } else { "" };
        let (name, site) = (self.name(secure), self.same_site);
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={site}{flag}{more}");
        HeaderValue::try_from(text).ok()
    }

    /// Where the cookie is there twice, somebody may have slipped one in: neither is taken.
    fn find(&self, headers: &HeaderMap, secure: bool) -> Option<Token> {
        let name = self.name(secure);
        let headers = headers.get_all(COOKIE).into_iter();
        let pairs = headers
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter_map(|(key, value)| (key == name).then_some(value));
        let value = values.next()?;
        values.next().is_none().then(|| value.parse().ok())?
    }
}

/// `Set-Cookie` for a new session. It ends with the browser; the server ends it before.
pub(crate) fn session_cookie(secure: bool, token: &Token) -> Option<HeaderValue> {
    SESSION.set(secure, &token.expose(), "")
}

/// `Set-Cookie` that removes it.
pub(crate) fn clear_cookie(secure: bool) -> Option<HeaderValue> {
    SESSION.set(secure, "", "; Max-Age=0")
}

/// The token of the session in a request.
pub(crate) fn session_token_in(headers: &HeaderMap, secure: bool) -> Option<Token> {
    SESSION.find(headers, secure)
}

/// `Set-Cookie` for a browser that begins to log in elsewhere, as long as it may take.
#[cfg(feature = "oidc")]
pub(crate) fn sign_on_cookie(secure: bool, token: &Token, lasts: Duration) -> Option<HeaderValue> {
    let lasts = format!("; Max-Age={}", lasts.as_secs());
    SIGN_ON.set(secure, &token.expose(), &lasts)
}

/// `Set-Cookie` that removes it.
#[cfg(feature = "oidc")]
pub(crate) fn clear_sign_on_cookie(secure: bool) -> Option<HeaderValue> {
    SIGN_ON.set(secure, "", "; Max-Age=0")
}

/// The token of a log-in elsewhere in a request.
#[cfg(feature = "oidc")]
pub(crate) fn sign_on_token_in(headers: &HeaderMap, secure: bool) -> Option<Token> {
    SIGN_ON.find(headers, secure)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn has_token(cookies: &[&str], secure: bool) -> bool {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, cookie.parse().unwrap());
        }
        session_token_in(&headers, secure).is_some()
    }

    #[test]
    fn tokens_are_found() {
        let text = Token::random().unwrap().expose();
        let (plain, secure) = (
            format!("daas_session={text}"),
            format!("__Host-daas_session={text}"),
        );
        assert!(has_token(&[&plain], false));
        assert!(has_token(&[&format!("a=b; {plain}; c=d")], false));
        assert!(has_token(&["a=b", &plain], false));
        assert!(has_token(&[&secure], true));
        assert!(!has_token(&[&plain], true), "without the prefix");
        assert!(!has_token(&[&secure], false));
        assert!(!has_token(&[&plain, &plain], false), "twice");
        assert!(!has_token(&["daas_session=", "x"], false));
        assert!(!has_token(&[], false));
    }
}
