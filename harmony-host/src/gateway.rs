//! The built-in gateway: listeners that serve the data plane and the management API.

mod activation;
mod address_file;
mod client;
mod dispatch;
mod proof;
mod running;

pub use activation::Gateway;
pub(crate) use address_file::{NotServed, ServedApi, api_url};
pub(crate) use proof::{CHALLENGE, Challenge};
pub use running::RunningGateway;
