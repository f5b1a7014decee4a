#![doc = include_str!("../README.md")]

mod address;
mod addressee;
mod api;
mod call;
mod changes;
mod claims;
mod credential;
mod credentials;
mod deadlines;
mod enroll;
mod entry;
mod environment;
mod error_response;
mod factory;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod interner;
mod key;
mod key_sets;
mod keys;
mod list;
mod login;
mod mesh_auth;
mod official;
mod pool;
mod private_file;
mod publish;
mod purpose;
mod report;
mod resolve;
mod retention;
mod runbeam;
mod seen_tokens;
mod settings;
mod storage_key;
mod store;
mod texts;
mod transforms;
mod transport;
mod urls;
mod verify;
mod wire;

pub use deadlines::Deadlines;
pub use environment::Environment;
pub use factory::RunbeamFactory;
pub use login::Login;
pub use settings::Settings;
