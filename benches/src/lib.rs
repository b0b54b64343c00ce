//! What the benches of `guac-protocol` share: streams, the work that is measured, the
//! plain codec that it is measured against, and the tables of results.
//!
//! Nothing here measures: that is done by criterion in `benches/`, and by callgrind on
//! the program `bench-instructions`.

pub mod chunks;
#[cfg(feature = "load")]
pub mod load;
pub mod machine;
pub mod plain;
pub mod results;
pub mod streams;
// The generator of the tests.
#[path = "../../guac-protocol/tests/support/synthetic.rs"]
mod synthetic;
pub mod tables;
pub mod work;
