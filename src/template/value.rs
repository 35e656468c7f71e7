//! The values that templates compute with: Go's dynamic types, those that a template can reach.
//!
//! Values are cheap to clone (shared), cannot change once made, and know how deep they nest and how
//! much they hold, so that printing, comparing or dropping one neither recurses nor goes on without
//! a limit.

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::Limit;
use super::sorted::SortedMap;
use crate::go::time::{Location, Time};

/// How deep lists and maps may nest.
pub const MAX_DEPTH: u32 = 500;
/// How many values a list or map may hold in total. A value that is shared counts each time: it is
/// printed, compared and encoded each time.
pub const MAX_SIZE: u64 = 1 << 24;

/// A Go string: any bytes, usually UTF-8. Copying one copies no bytes beyond [`SHORT`].
#[derive(Clone)]
pub struct Str(Text);

/// Strings of up to this many bytes need no memory beside the value.
const SHORT: usize = 22;

#[derive(Clone)]
enum Text {
    Short {
        len: u8,
        bytes: [u8; SHORT],
    },
    Own(Rc<[u8]>),
    Part {
        text: Rc<Shared>,
        start: u32,
        len: u32,
    },
}

/// A string that other threads share, of which values are parts. These count it by themselves, so
/// that to copy one takes no atomic operation.
#[derive(Debug)]
pub struct Shared(pub Arc<String>);

impl Str {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Text::Own(bytes) => bytes,
            Text::Part { text, start, len } => {
                let start = *start as usize;
                let bytes = text.0.as_bytes().get(start..start + *len as usize);
                bytes.unwrap_or_default()
            }
        }
    }

    /// The string, with U+FFFD for bytes that are not UTF-8.
    pub fn to_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// A part of a shared string, without a copy. A `part` that lies elsewhere is copied.
    pub fn part_of(whole: &Rc<Shared>, part: &str) -> Str {
        let text = &whole.0;
        let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        let end = start.checked_add(part.len());
        match (u32::try_from(start), u32::try_from(part.len())) {
            (Ok(start), Ok(len)) if end.is_some_and(|end| end <= text.len()) => Str(Text::Part {
                text: Rc::clone(whole),
                start,
                len,
            }),
            _ => Str::from(part),
        }
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Str {}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Str) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Str) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_text())
    }
}

impl std::borrow::Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<&[u8]> for Str {
    fn from(text: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(start), Ok(len)) => {
                start.copy_from_slice(text);
                Str(Text::Short { len, bytes })
            }
            _ => Str(Text::Own(text.into())),
        }
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Vec<u8>> for Str {
    fn from(bytes: Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

/// One key and its value: `memkv.KVPair{Key, Value string}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The cleaned path.
    pub key: Str,
    /// The leaf's value.
    pub value: Str,
}

/// One SRV record: `*net.SRV{Target string; Port, Priority, Weight uint16}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The host, with a final dot.
    pub target: Str,
    /// The TCP or UDP port.
    pub port: u16,
    /// Lower is tried first.
    pub priority: u16,
    /// Share among equals.
    pub weight: u16,
}

/// `[]interface {}`.
#[derive(Debug)]
pub struct List {
    items: Vec<Value>,
    extent: Extent,
}

/// `map[string]interface {}`, sorted by key as Go prints and ranges it.
#[derive(Debug)]
pub struct Map {
    entries: SortedMap<Str, Value>,
    extent: Extent,
}

/// How far a value reaches. Nil lists and maps have no depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    depth: u32,
    size: u64,
}

impl Extent {
    /// The extent of something that holds these values.
    fn around<'a>(inner: impl Iterator<Item = &'a Value>) -> Result<Extent, Limit> {
        let mut extent = Extent { depth: 1, size: 0 };
        for value in inner {
            let Extent { depth, size } = value.extent();
            extent.depth = extent.depth.max(1 + depth);
            extent.size += 1 + size;
            if extent.depth > MAX_DEPTH {
                return Err(Limit::Depth);
            }
            if extent.size > MAX_SIZE {
                return Err(Limit::Size);
            }
        }
        Ok(extent)
    }
}

impl List {
    /// The elements.
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// True if it is Go's nil slice: empty, but not the same as an empty list to `eq`, `toJson` and
    /// `%#v`.
    pub fn is_nil(&self) -> bool {
        self.extent.depth == 0
    }
}

impl Map {
    /// The entries by key.
    pub fn entries(&self) -> &SortedMap<Str, Value> {
        &self.entries
    }

    /// True if it is Go's nil map: empty, but not the same as an empty map to `eq`, `toJson` and
    /// `%#v`.
    pub fn is_nil(&self) -> bool {
        self.extent.depth == 0
    }
}

/// A value and its Go type.
#[derive(Clone, Debug)]
pub enum Value {
    /// nil, or no value at all.
    Nil,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `int64`
    Int64(i64),
    /// `uint8`: a byte of a string
    Uint8(u8),
    /// `uint16`: a field of an SRV record
    Uint16(u16),
    /// `float64`
    Float(f64),
    /// `complex128`
    Complex(f64, f64),
    /// `string`
    Str(Str),
    /// `[]string`
    Strings(Rc<[Str]>),
    /// `[]interface {}`
    List(Rc<List>),
    /// `map[string]interface {}`
    Map(Rc<Map>),
    /// `memkv.KVPair`
    Pair(Rc<Pair>),
    /// `memkv.KVPairs`
    Pairs(Rc<[Pair]>),
    /// `*net.SRV`
    Service(Rc<Service>),
    /// `[]*net.SRV`
    Services(Rc<[Service]>),
    /// `time.Time`
    Time(Rc<Time>),
    /// `time.Duration`, in nanoseconds
    Duration(i64),
    /// `*time.Location`
    Location(Rc<Location>),
    /// `[]uint8`
    Bytes(Rc<[u8]>),
    /// `time.Month`, 1..=12
    Month(u8),
    /// `time.Weekday`, 0 is Sunday
    Weekday(u8),
}

impl Value {
    /// A string value.
    pub fn text(text: impl Into<Str>) -> Value {
        Value::Str(text.into())
    }

    /// A `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Result<Value, Limit> {
        let extent = Extent::around(items.iter())?;
        Ok(Value::List(Rc::new(List { items, extent })))
    }

    /// A `map[string]interface {}`; of equal keys the last counts.
    pub fn map(entries: Vec<(Str, Value)>) -> Result<Value, Limit> {
        let entries = SortedMap::from(entries);
        let extent = Extent::around(entries.values())?;
        Ok(Value::Map(Rc::new(Map { entries, extent })))
    }

    /// A nil `[]interface {}`, as `jsonArray "null"` returns it.
    pub fn nil_list() -> Value {
        let (items, extent) = (Vec::new(), Extent::default());
        Value::List(Rc::new(List { items, extent }))
    }

    /// A nil `map[string]interface {}`, as `json "null"` returns it.
    pub fn nil_map() -> Value {
        let (entries, extent) = (SortedMap::default(), Extent::default());
        Value::Map(Rc::new(Map { entries, extent }))
    }

    fn extent(&self) -> Extent {
        match self {
            Value::List(list) => list.extent,
            Value::Map(map) => map.extent,
            Value::Strings(_) | Value::Pairs(_) | Value::Services(_) => Extent {
                depth: 0,
                size: self.length().unwrap_or(0) as u64,
            },
            _ => Extent::default(),
        }
    }

    /// The Go type's name, as `%T` prints it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Int64(_) => "int64",
            Value::Uint8(_) => "uint8",
            Value::Uint16(_) => "uint16",
            Value::Float(_) => "float64",
            Value::Complex(..) => "complex128",
            Value::Str(_) => "string",
            Value::Strings(_) => "[]string",
            Value::List(_) => "[]interface {}",
            Value::Map(_) => "map[string]interface {}",
            Value::Pair(_) => "memkv.KVPair",
            Value::Pairs(_) => "memkv.KVPairs",
            Value::Service(_) => "*net.SRV",
            Value::Services(_) => "[]*net.SRV",
            Value::Time(_) => "time.Time",
            Value::Duration(_) => "time.Duration",
            Value::Location(_) => "*time.Location",
            Value::Bytes(_) => "[]uint8",
            Value::Month(_) => "time.Month",
            Value::Weekday(_) => "time.Weekday",
        }
    }
}

/// The answers of Go's reflection about a value.
impl Value {
    /// True if `if` takes it for true: not the zero of its type, and not empty.
    pub fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Float(number) => *number != 0.0,
            Value::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Value::Pair(_) | Value::Service(_) | Value::Time(_) | Value::Location(_) => true,
            _ => match (self.as_integer(), self.length()) {
                (Some(number), _) => number != 0,
                (_, length) => length.is_some_and(|length| length > 0),
            },
        }
    }

    /// The number, when its Go type is a kind of integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Int(number) | Value::Int64(number) | Value::Duration(number) => Some(*number),
            Value::Uint8(number) | Value::Month(number) | Value::Weekday(number) => {
                Some(i64::from(*number))
            }
            Value::Uint16(number) => Some(i64::from(*number)),
            _ => None,
        }
    }

    /// An integer of the same type as this one, if it is one; `number` must fit it.
    pub fn same_integer(&self, number: i64) -> Value {
        match self {
            Value::Int64(_) => Value::Int64(number),
            Value::Duration(_) => Value::Duration(number),
            Value::Uint8(_) => Value::Uint8(number as u8),
            Value::Month(_) => Value::Month(number as u8),
            Value::Weekday(_) => Value::Weekday(number as u8),
            Value::Uint16(_) => Value::Uint16(number as u16),
            _ => Value::Int(number),
        }
    }

    /// How many elements, entries or bytes it has, when its Go type has a length.
    pub fn length(&self) -> Option<usize> {
        match self {
            Value::Str(text) => Some(text.as_bytes().len()),
            Value::Strings(texts) => Some(texts.len()),
            Value::List(list) => Some(list.items.len()),
            Value::Map(map) => Some(map.entries.len()),
            Value::Pairs(pairs) => Some(pairs.len()),
            Value::Services(services) => Some(services.len()),
            Value::Bytes(bytes) => Some(bytes.len()),
            _ => None,
        }
    }

    /// The element or byte at an index.
    pub fn element(&self, at: usize) -> Option<Value> {
        match self {
            Value::Str(text) => text.as_bytes().get(at).copied().map(Value::Uint8),
            Value::Bytes(bytes) => bytes.get(at).copied().map(Value::Uint8),
            Value::Strings(texts) => texts.get(at).cloned().map(Value::Str),
            Value::List(list) => list.items.get(at).cloned(),
            Value::Pairs(pairs) => pairs.get(at).map(|pair| Value::Pair(Rc::new(pair.clone()))),
            Value::Services(services) => {
                let service = services.get(at).cloned();
                service.map(|service| Value::Service(Rc::new(service)))
            }
            _ => None,
        }
    }

    /// The elements or bytes from one index to before another, as a value of the same type.
    pub fn part(&self, from: usize, to: usize) -> Option<Value> {
        Some(match self {
            Value::Str(text) => Value::text(text.as_bytes().get(from..to)?),
            Value::Strings(texts) => Value::Strings(texts.get(from..to)?.into()),
            Value::List(list) => Value::list(list.items.get(from..to)?.to_vec()).ok()?,
            Value::Pairs(pairs) => Value::Pairs(pairs.get(from..to)?.into()),
            Value::Services(services) => Value::Services(services.get(from..to)?.into()),
            Value::Bytes(bytes) => Value::Bytes(bytes.get(from..to)?.into()),
            _ => return None,
        })
    }
}
