#![doc = include_str!("../README.md")]

mod audience;
mod claims;
mod factory;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod issue;
mod local;
mod mesh_auth;
mod mesh_keys;
mod quote;
mod resolver;
mod resource_index;
mod verify;

pub use factory::{LocalFactory, LocalSettings};
