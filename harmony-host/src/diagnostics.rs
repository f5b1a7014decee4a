//! Problems of a configuration: where they are, how they are collected, drawn and masked.

pub(crate) mod mask;
pub(crate) mod problem;
pub(crate) mod rejection;
pub(crate) mod render;
pub(crate) mod source;
