//! The steps that a call is charged for its work, before it does any.
//!
//! A step is about the time of one node of a template. Measured on the slowest machines in use, so
//! that no mix of functions makes a rendering last much longer than a loop over nothing does.

use super::table::Name;
use crate::template::{Budget, CallError, Value};

/// The bytes of a string that are searched or copied in one step.
const BYTES_A_STEP: usize = 64;
/// The longest pattern of keys in bytes: a compiled one takes many times its size.
const LONGEST_PATTERN: usize = 64 << 10;
/// The steps of a question to the system.
const SYSTEM: u64 = 100;

/// Charges a call with these arguments.
pub(super) fn charge(name: Name, args: &[Value], budget: &mut Budget) -> Result<(), CallError> {
    if let (Name::Gets | Name::Getvs, [Value::Str(pattern)]) = (name, args)
        && pattern.as_bytes().len() > LONGEST_PATTERN
    {
        let problem = format!("the pattern has more than {LONGEST_PATTERN} bytes");
        return Err(CallError::failed(problem));
    }
    let (fixed, factor) = cost(name);
    let size: u64 = args.iter().map(size).sum();
    Ok(budget.spend_steps(size.saturating_mul(factor).saturating_add(fixed))?)
}

/// The steps of a call by itself, and the factor for what it looks at.
fn cost(name: Name) -> (u64, u64) {
    match name {
        Name::Sha256sum => (32, 20),
        // These look at each character.
        Name::ToUpper
        | Name::ToLower
        | Name::Nospace
        | Name::Snakecase
        | Name::Camelcase
        | Name::Kebabcase
        | Name::Quote
        | Name::Squote
        | Name::Split
        | Name::Replace
        | Name::Indent
        | Name::Nindent
        | Name::Base
        | Name::Dir => (2, 16),
        Name::Json | Name::JsonArray | Name::FromJson => (4, 16),
        Name::ToJson | Name::ToPrettyJson => (8, 16),
        Name::ToYaml => (40, 40),
        Name::Base64Encode | Name::Base64Decode => (2, 8),
        Name::Join | Name::SortByLength | Name::SortKvByLength | Name::Map | Name::Dict => (4, 4),
        Name::Contains => (0, 4),
        Name::Gets | Name::Getvs | Name::Ls | Name::Lsdir => (10, 1),
        Name::LookupIfaceIpv4 | Name::LookupIfaceIpv6 => (10 * SYSTEM, 1),
        Name::Getenv
        | Name::Datetime
        | Name::FileExists
        | Name::Hostname
        | Name::LookupIp
        | Name::LookupIpv4
        | Name::LookupIpv6
        | Name::LookupSrv
        | Name::Include => (SYSTEM, 1),
        _ => (0, 1),
    }
}

/// The steps to look at all of a value once, without what its elements hold.
fn size(value: &Value) -> u64 {
    let size = match value {
        Value::Str(text) => text.as_bytes().len().div_ceil(BYTES_A_STEP),
        Value::Strings(texts) => texts.len(),
        Value::Pairs(pairs) => pairs.len(),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.entries().len(),
        _ => 0,
    };
    size as u64
}
