//! Network protocols that std does not speak: DNS queries with a deadline.

mod dns;

pub(crate) use dns::{SrvRecord, query_srv};
