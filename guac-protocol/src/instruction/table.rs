//! The macro that makes structs and an enum of a table of instructions.

/// For each entry `Name = Opcode { field: Type, … }` a struct with its parser and encoder,
/// and a variant of the enum. `Name = Opcode if condition { … }` is tried only where the
/// condition holds; another entry for the opcode may follow.
macro_rules! instructions {
    (
        $(#[$enum_doc:meta])*
        enum $enum:ident;
        $(
            $(#[$doc:meta])*
            $name:ident $(<$lifetime:lifetime>)? = $opcode:ident $(if $condition:path)? {
                $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
            }
        )*
    ) => {
        $(
            declare! {
                $(#[$doc])*
                $name $(<$lifetime>)? { $($(#[$field_doc])* $field: $type,)* }
            }

            impl<'a> $name $(<$lifetime>)? {
                /// Its opcode.
                pub const OPCODE: Opcode = Opcode::$opcode;

                /// How many arguments it has.
                pub const ARGUMENTS: RangeInclusive<usize> = Self::MIN..=Self::MAX;

                const MIN: usize = 0 $(+ <$type as Field<'a>>::MIN)*;
                const MAX: usize = 0_usize$(.saturating_add(<$type as Field<'a>>::MAX))*;

                /// Reads an instruction of this opcode.
                ///
                /// # Errors
                /// Where it has another opcode, or arguments that do not fit.
                #[inline]
                pub fn parse(instruction: Instruction<'a>) -> Result<Self, ArgumentError> {
                    if instruction.opcode() != Self::OPCODE {
                        let kind = ArgumentErrorKind::OtherOpcode;
                        return Err(ArgumentError::new(Self::OPCODE, 0, kind));
                    }
                    Self::parse_arguments(&instruction)
                }

                #[inline]
                #[allow(unused_mut, unused_variables, reason = "not all have fields")]
                fn parse_arguments(instruction: &Instruction<'a>) -> Result<Self, ArgumentError> {
                    let mut reader =
                        Reader::new(instruction, Self::OPCODE, Self::MIN, Self::MAX)?;
                    Ok(Self { $($field: Field::read(&mut reader)?,)* })
                }

                /// Its opcode.
                #[must_use]
                pub const fn opcode(&self) -> Opcode {
                    Self::OPCODE
                }
            }

            impl $(<$lifetime>)? Encode for $name $(<$lifetime>)? {
                #[inline]
                fn elements<E>(
                    &self,
                    mut each: impl FnMut(&str) -> Result<(), E>,
                ) -> Result<(), E> {
                    each(Self::OPCODE.as_str())?;
                    $(Field::write(&self.$field, &mut each)?;)*
                    Ok(())
                }
            }

            impl<'a> From<$name $(<$lifetime>)?> for $enum<'a> {
                fn from(instruction: $name $(<$lifetime>)?) -> Self {
                    Self::$name(instruction)
                }
            }
        )*

        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $enum<'a> {
            $(
                #[doc = concat!("See [`", stringify!($name), "`](struct@", stringify!($name), ").")]
                $name($name $(<$lifetime>)?),
            )*
            /// Any other instruction, as it is.
            Unknown(Instruction<'a>),
        }

        impl<'a> $enum<'a> {
            /// Reads an instruction.
            ///
            /// # Errors
            /// Where its opcode is known, and its arguments do not fit.
            // Inlined, so that the instruction is not copied for the call.
            #[inline(always)]
            pub fn parse(instruction: Instruction<'a>) -> Result<Self, ArgumentError> {
                Self::parse_known(&instruction)
            }

            fn parse_known(instruction: &Instruction<'a>) -> Result<Self, ArgumentError> {
                match instruction.opcode() {
                    $(
                        Opcode::$opcode $(if $condition(instruction))? => {
                            Ok(Self::$name($name::parse_arguments(instruction)?))
                        }
                    )*
                    _ => Ok(Self::Unknown(*instruction)),
                }
            }

            /// Its opcode.
            #[must_use]
            pub fn opcode(&self) -> Opcode {
                match self {
                    $(Self::$name(instruction) => instruction.opcode(),)*
                    Self::Unknown(instruction) => instruction.opcode(),
                }
            }
        }

        impl Encode for $enum<'_> {
            #[inline]
            fn elements<E>(&self, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
                match self {
                    $(Self::$name(instruction) => instruction.elements(each),)*
                    Self::Unknown(instruction) => Encode::elements(instruction, each),
                }
            }
        }

        /// Least and greatest number of arguments of the first entry for an opcode.
        #[allow(unreachable_patterns, reason = "an opcode may have several entries")]
        pub(super) const fn arity(opcode: Opcode) -> Option<(usize, usize)> {
            match opcode {
                $(Opcode::$opcode => Some(($name::MIN, $name::MAX)),)*
                _ => None,
            }
        }
    };
}

/// A struct with public fields, or a unit struct.
macro_rules! declare {
    ($(#[$doc:meta])* $name:ident $(<$lifetime:lifetime>)? {}) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name;
    };
    (
        $(#[$doc:meta])*
        $name:ident $(<$lifetime:lifetime>)? {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name $(<$lifetime>)? {
            $($(#[$field_doc])* pub $field: $type,)+
        }
    };
}

pub(super) use {declare, instructions};
