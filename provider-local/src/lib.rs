#![doc = include_str!("../README.md")]

mod audience;
mod claims;
mod factory;
mod issue;
mod local;
mod mesh_auth;
mod mesh_keys;
mod quote;
mod resolver;
mod resource_index;
mod verify;

pub use factory::{LocalFactory, LocalSettings};
