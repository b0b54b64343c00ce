//! What deserialisers say, without the value that they say it of.

/// What was expected, where a text of a deserialiser repeats what there was instead: that may
/// be a secret in the wrong place. Other texts stay as they are.
pub(crate) fn without_value(text: &str) -> String {
    const REPEAT: [&str; 4] = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant ",
    ];
    let Some(start) = REPEAT.into_iter().find(|start| text.starts_with(start)) else {
        return text.to_owned();
    };
    // The last one, as the value may have the same words in it. What was expected has not.
    let expected = text.rsplit_once(", expected ");
    let expected = expected.map_or("something else", |(_, expected)| expected);
    let kind = start.trim_end_matches([':', ' ']);
    format!("{kind}: expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out() {
        for (text, expected) in [
            (
                "invalid type: string \"horse\", expected a string",
                "invalid type: expected a string",
            ),
            (
                "invalid type: string \"a, expected b\", expected u32",
                "invalid type: expected u32",
            ),
            (
                "invalid value: integer `1234`, expected u16",
                "invalid value: expected u16",
            ),
            (
                "invalid length 1, expected struct LogIn with 3 elements",
                "invalid length: expected struct LogIn with 3 elements",
            ),
            (
                "unknown variant `horse`, expected one of `user`, `admin`",
                "unknown variant: expected one of `user`, `admin`",
            ),
            (
                "unknown variant `horse`, there are no variants",
                "unknown variant: expected something else",
            ),
            ("must be an id", "must be an id"),
        ] {
            assert_eq!(without_value(text), expected);
        }
    }
}
