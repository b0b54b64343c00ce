//! Parameters of a call, and the parts of its path.

use crate::secret::Secret;

/// Parameters by name, in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<(String, Secret<String>)>);

impl Form {
    /// Without parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0
            .push((name.to_owned(), Secret::new(value.to_string())));
        self
    }

    /// With one more, where there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With a switch, where it is on.
    #[must_use]
    pub fn on(self, name: &str, is_on: bool) -> Self {
        if is_on { self.with(name, 1) } else { self }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a body or a query: `name=value&…`.
    pub(super) fn encoded(&self) -> Secret<String> {
        let mut text = String::new();
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push('&');
            }
            encode(name, &mut text);
            text.push('=');
            encode(value.expose(), &mut text);
        }
        Secret::new(text)
    }
}

/// Encodes all but the unreserved characters (RFC 3986, section 2.3). A space becomes `%20`,
/// which is right in a form as well as in a path.
fn encode(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
}

/// Encoded for a cookie, with nothing changed that a cookie may have (RFC 6265, section 4.1.1)
/// but the sign of encoding: not everybody decodes it.
pub(super) fn in_cookie(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let is_plain = c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\' | '%');
        if is_plain {
            out.push(c);
        } else {
            encode(c.encode_utf8(&mut [0; 4]), &mut out);
        }
    }
    out
}

/// A path of parts that stay what they are, whatever is in them: `/nodes/a/tasks/UPID%3A…`.
///
/// A part that is a dot or two would be taken away by proxies; none of our names is.
pub(super) fn path(parts: &[&str]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push('/');
        encode(part, &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_keep_what_they_may_have() {
        let ticket = "PVE:daas@pve:66AABBCC::c2ln+/bmVk==";
        assert_eq!(in_cookie(ticket), ticket);
        assert_eq!(in_cookie("a;b c%\r\nü\""), "a%3Bb%20c%25%0D%0A%C3%BC%22");
    }

    #[test]
    fn nothing_breaks_out_of_a_part_or_a_value() {
        assert_eq!(path(&["nodes", "a/../b?c#d"]), "/nodes/a%2F..%2Fb%3Fc%23d");
        let form = Form::new()
            .with("a", "b&c=d+e %")
            .with("ü", "\r\n")
            .on("off", false)
            .on("on", true)
            .maybe("none", None::<u32>)
            .maybe("some", Some(7));
        assert_eq!(
            form.encoded().expose(),
            "a=b%26c%3Dd%2Be%20%25&%C3%BC=%0D%0A&on=1&some=7"
        );
    }
}
