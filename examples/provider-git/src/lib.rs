#![doc = include_str!("../README.md")]

mod branch;
mod changed_file;
mod factory;
mod provider;
mod resolver;
mod signers;
mod source;
mod status_log;

pub use factory::{GitFactory, Settings};
