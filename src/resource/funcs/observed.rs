//! Calls whose results may change by themselves: name look-ups, the environment, files. What they
//! returned is kept, so that they can be called again to see whether it has changed.
//!
//! `datetime` is not among them: its result always changes, which is no reason to render again.

use std::collections::BTreeMap;

use super::HostEnv;
use super::Lookups;
use super::json;
use super::system;
use super::table::Name;
use crate::platform;
use crate::resource::input::digest;
use crate::template::value::Str;
use crate::template::{Budget, Value};

/// The calls of one rendering and numbers that stand for their results.
#[derive(Clone, Debug, Default)]
pub struct Observed(BTreeMap<(Name, Vec<Vec<u8>>), u64>);

impl Observed {
    /// Keeps the result of a call, if it may change by itself.
    pub(super) fn note(&mut self, name: Name, args: &[Value], result: &Value) {
        if !name.is_observed() {
            return;
        }
        let text = |value: &Value| match value {
            Value::Str(text) => Some(text.as_bytes().to_vec()),
            _ => None,
        };
        let args: Vec<Vec<u8>> = args.iter().filter_map(text).collect();
        self.0.insert((name, args), fingerprint(result));
    }

    /// Returns true if nothing was called whose result may change.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls everything again; returns true if a result is another one now. A name server that does
    /// not answer has changed nothing.
    pub fn has_changed(&self, around: &HostEnv) -> bool {
        let mut lookups = Lookups::default();
        self.0.iter().any(|((name, args), before)| {
            let args: Vec<Str> = args.iter().map(|arg| Str::from(arg.as_slice())).collect();
            let now = call(*name, &args, around, &mut lookups);
            now.is_some_and(|now| fingerprint(&now) != *before)
        })
    }
}

fn call(name: Name, args: &[Str], around: &HostEnv, lookups: &mut Lookups) -> Option<Value> {
    match (name, args) {
        (Name::Getenv, [name]) => Some(around.getenv(name, None)),
        (Name::Getenv, [name, default]) => {
            Some(around.getenv(name, Some(&Value::Str(default.clone()))))
        }
        (Name::FileExists, [path]) => Some(system::file_exists(path)),
        (Name::Hostname, []) => Some(Value::text(platform::hostname())),
        (Name::LookupIfaceIpv4 | Name::LookupIfaceIpv6, [interface]) => {
            Some(system::interface_address(name, interface))
        }
        _ => lookups.look_up(name, args).ok(),
    }
}

/// A number for a value. By its JSON: the static program's `Debug` shows no fields.
fn fingerprint(value: &Value) -> u64 {
    // What these functions return always has a JSON; an error would count as one more value.
    digest(&json::encode(value, false, &mut Budget::default()).unwrap_or_default())
}
