//! Tests of the example as a real process, with the development control plane.

mod embedded;
mod faulty;
mod listening;
mod rejected;
mod serving;
mod starting;
