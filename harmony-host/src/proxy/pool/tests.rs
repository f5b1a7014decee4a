//! Properties of reading and writing HTTP/1.

mod chunks;
mod reading;
mod writing;
