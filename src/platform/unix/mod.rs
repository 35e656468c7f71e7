//! Unix: libc calls behind safe functions.

mod host;

pub use host::{group_id, hostname, interface_addresses, local_zone, nameservers, shell, user_id};
