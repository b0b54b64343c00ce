//! AArch64 NEON.
