//! The built-in gateway: listeners that serve the data plane and the management API.

mod activation;
mod dispatch;
mod running;

pub use activation::Gateway;
pub use running::RunningGateway;
