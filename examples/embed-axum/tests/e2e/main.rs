//! The example as a real process, beside the development control plane.

mod embedded;
mod faulty;
mod listening;
mod refused;
mod serving;
mod starting;
