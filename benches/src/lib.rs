//! x
pub mod plain;
