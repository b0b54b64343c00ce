//! WebAssembly fixed-width SIMD.
