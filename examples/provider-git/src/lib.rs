#![doc = include_str!("../README.md")]

mod changes;
mod factory;
mod followed;
mod git;
mod reports;
mod resolver;
mod signers;
mod source;

pub use factory::{GitFactory, Settings};
