//! Values that have one form as text, which is also theirs in JSON and in the configuration.

/// For types that are parsed and shown: by serde they go through that text.
macro_rules! as_text {
    ($($name:ident: $error:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

/// The same for types that hold nothing but that text.
macro_rules! words {
    ($($name:ident: $error:ident),*) => {$(
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        $crate::model::text::as_text!($name: $error);
    )*};
}

pub(super) use {as_text, words};
