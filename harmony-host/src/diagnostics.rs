//! Configuration problems: their places in files, collecting and rendering them, and masking secrets.

pub(crate) mod bare;
mod broken;
pub(crate) mod escape;
pub(crate) mod logged;
pub(crate) mod mask;
pub(crate) mod named_values;
mod near_secret;
pub(crate) mod problem;
pub(crate) mod redaction;
pub(crate) mod rejection;
pub(crate) mod render;
pub(crate) mod secret_names;
mod secret_paths;
pub(crate) mod secret_values;
pub(crate) mod sensitive;
pub(crate) mod source;
pub(crate) mod throttle;
