//! The cookie of the session.

use daas_core::access::Token;
use hyper::header::{COOKIE, HeaderMap, HeaderValue};

/// Its name. With the prefix, browsers take it over TLS only, and from no other host.
const fn name(secure: bool) -> &'static str {
    if secure {
        "__Host-daas_session"
    } else {
        "daas_session"
    }
}

fn set_cookie(secure: bool, value: &str, more: &str) -> Option<HeaderValue> {
    let flag = if secure { "; Secure" } else { "" };
    let name = name(secure);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{flag}{more}");
    HeaderValue::try_from(text).ok()
}

/// `Set-Cookie` for a new session. It ends with the browser; the server ends it before.
pub(crate) fn session_cookie(secure: bool, token: &Token) -> Option<HeaderValue> {
    set_cookie(secure, &token.expose(), "")
}

/// `Set-Cookie` that removes it.
pub(crate) fn clear_cookie(secure: bool) -> Option<HeaderValue> {
    set_cookie(secure, "", "; Max-Age=0")
}

/// The token in a request. Where the cookie is there twice, somebody may have slipped one
/// in: neither is taken.
pub(crate) fn session_token_in(headers: &HeaderMap, secure: bool) -> Option<Token> {
    let headers = headers.get_all(COOKIE).into_iter();
    let pairs = headers
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter_map(|(key, value)| (key == name(secure)).then_some(value));
    let value = values.next()?;
    values.next().is_none().then(|| value.parse().ok())?
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
