//! Takes filters apart.

use super::{Comparison, Node, Part, Value};

/// Longest filter in bytes.
const LENGTH_MAX: usize = 4096;
/// Deepest nesting.
const DEPTH_MAX: usize = 16;

pub(super) fn filter(text: &str) -> Result<Node, &'static str> {
    if text.len() > LENGTH_MAX {
        return Err("it is too long");
    }
    let mut rest = Rest(text.as_bytes());
    let node = rest.node(0)?;
    match rest.0 {
        [] => Ok(node),
        _ => Err("something follows after its end"),
    }
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        let (first, rest) = self.0.split_first().ok_or("it ends too early")?;
        self.0 = rest;
        Ok(*first)
    }

    /// Whether these bytes come next; if so they are taken.
    fn skip(&mut self, bytes: &[u8]) -> bool {
        let rest = self.0.strip_prefix(bytes);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn node(&mut self, depth: usize) -> Result<Node, &'static str> {
        if depth > DEPTH_MAX {
            return Err("it is nested too deeply");
        }
        if !self.skip(b"(") {
            return Err("a parenthesis is missing");
        }
        let node = if self.skip(b"&") {
            Node::And(self.nodes(depth)?)
        } else if self.skip(b"|") {
            Node::Or(self.nodes(depth)?)
        } else if self.skip(b"!") {
            Node::Not(Box::new(self.node(depth + 1)?))
        } else {
            self.item()?
        };
        if !self.skip(b")") {
            return Err("a parenthesis is missing");
        }
        Ok(node)
    }

    fn nodes(&mut self, depth: usize) -> Result<Vec<Node>, &'static str> {
        let mut nodes = vec![self.node(depth + 1)?];
        while self.peek() == Some(b'(') {
            nodes.push(self.node(depth + 1)?);
        }
        Ok(nodes)
    }

    fn item(&mut self) -> Result<Node, &'static str> {
        let attribute = self.word();
        if self.peek() == Some(b':') {
            return self.extensible(attribute);
        }
        if attribute.is_empty() {
            return Err("the name of an attribute is missing");
        }
        let comparison = match self.byte()? {
            b'=' => return equal(attribute, self.values()?),
            b'>' => Comparison::AtLeast,
            b'<' => Comparison::AtMost,
            b'~' => Comparison::Approximate,
            _ => return Err("a name is followed by something that is no comparison"),
        };
        if !self.skip(b"=") {
            return Err("a comparison has no =");
        }
        Ok(Node::Compare(comparison, attribute, self.value()?))
    }

    fn extensible(&mut self, attribute: String) -> Result<Node, &'static str> {
        let dn = self.skip(b":dn:");
        if !dn {
            self.skip(b":");
        }
        let rule = self.word();
        if !rule.is_empty() && !self.skip(b":") || !self.skip(b"=") {
            return Err("a comparison by a rule has no :=");
        }
        if rule.is_empty() && attribute.is_empty() {
            return Err("neither an attribute nor a rule is named");
        }
        let value = self.value()?;
        Ok(Node::Extensible {
            attribute,
            rule,
            dn,
            value,
        })
    }

    /// The name of an attribute or rule, or its number.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(byte) = self.peek()
            && (byte.is_ascii_alphanumeric() || b"-.;_".contains(&byte))
        {
            word.push(char::from(byte));
            self.0 = self.0.get(1..).unwrap_or_default();
        }
        word
    }

    fn value(&mut self) -> Result<Value, &'static str> {
        match self.values()?.as_slice() {
            [value] => Ok(value.clone()),
            _ => Err("a * stands where none may be"),
        }
    }

    /// Values with a `*` between each two of them.
    fn values(&mut self) -> Result<Vec<Value>, &'static str> {
        let mut values = Vec::new();
        let mut value = Value::default();
        loop {
            match self.peek() {
                Some(b')') => break,
                Some(b'{') => value.0.push(self.place()?),
                _ => match self.byte()? {
                    b'*' => values.push(std::mem::take(&mut value)),
                    b'\\' => value.push(self.hex()?),
                    b'(' | 0 => return Err("a value has a character that must be escaped"),
                    byte => value.push(byte),
                },
            }
        }
        values.push(value);
        Ok(values)
    }

    fn place(&mut self) -> Result<Part, &'static str> {
        if self.skip(b"{name}") {
            Ok(Part::Name)
        } else if self.skip(b"{dn}") {
            Ok(Part::Dn)
        } else {
            Err("only {name} and {dn} may stand in braces; a brace itself is \\7b")
        }
    }

    fn hex(&mut self) -> Result<u8, &'static str> {
        let mut digit = || {
            let digit = char::from(self.byte()?).to_digit(16);
            digit.ok_or("a \\ is not followed by two digits")
        };
        let byte = digit()? << 4 | digit()?;
        u8::try_from(byte).map_err(|_| "a \\ is not followed by two digits")
    }
}

fn equal(attribute: String, mut values: Vec<Value>) -> Result<Node, &'static str> {
    match values.as_slice() {
        [_] => {
            let value = values.pop().unwrap_or_default();
            Ok(Node::Compare(Comparison::Equal, attribute, value))
        }
        [first, last] if first.is_empty() && last.is_empty() => Ok(Node::Present(attribute)),
        [_, between @ .., _] if between.iter().any(Value::is_empty) => {
            Err("two * follow each other")
        }
        _ => Ok(Node::Substrings(attribute, values)),
    }
}
