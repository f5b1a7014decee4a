//! The built-in gateway: the data plane and the management API, put together on listeners.

mod activation;
mod dispatch;
mod running;

pub use activation::Gateway;
pub use running::RunningGateway;
