//! Windows, from NT 6.1 on: the same names as on Unix.

mod host;

pub use host::{group_id, hostname, interface_addresses, local_zone, nameservers, shell, user_id};
