//! confd's template functions, bound to what one resource may see of the metadata.
//!
//! The template engine calls them by number; `table.rs` has their names and parameters, the other
//! rooms what they do. Whatever makes strings or lists charges the rendering's budget, so that no
//! template can eat the machine.

mod cost;
mod data;
mod include;
mod json;
mod number;
mod observed;
mod regex;
mod store;
mod system;
mod table;
mod text;
mod yaml;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use self::include::Included;
use self::json::Want;
use self::number::Operator;
use self::regex::Expression;
use self::table::{NAMES, Name};
use self::text::Case;
use crate::go::strconv;
use crate::go::time::Local;
use crate::platform;
use crate::resource::input::FileInput;
use crate::template::value::{Shared, Str};
use crate::template::{Budget, CallError, Function, Host, Options, Value};
use crate::tree::{ReadSet, View};

pub use observed::Observed;
use system::Lookups;
pub use table::{Doc, FUNCTIONS, Kind, Reading, doc, docs};

/// How many compiled regular expressions one rendering keeps.
const EXPRESSIONS: usize = 64;

/// The environment of the functions outside of the metadata.
#[derive(Clone, Debug)]
pub struct HostEnv {
    /// The directory that `include` reads from.
    pub templates: PathBuf,
    /// How what is included is executed: as what includes it.
    pub options: Options,
    /// Looks up an environment variable.
    pub variable: fn(&str) -> Option<OsString>,
    /// The zone of `datetime`.
    pub zone: Local,
}

impl HostEnv {
    /// The process's environment and the machine's time zone.
    pub fn of_process(templates: &Path, options: Options) -> HostEnv {
        HostEnv {
            templates: templates.to_path_buf(),
            options,
            variable: |name| std::env::var_os(name),
            zone: platform::local_zone(),
        }
    }
}

/// The functions for one rendering.
#[derive(Debug)]
pub struct Funcs {
    around: HostEnv,
    /// The view, and what was asked of it.
    reads: ReadSet,
    /// The strings of the tree, of which values are parts.
    text: Rc<Shared>,
    observed: Observed,
    lookups: Lookups,
    included: Included,
    expressions: BTreeMap<Str, Rc<Expression>>,
}

impl Funcs {
    /// Functions that see this much of the metadata.
    pub fn new(view: View, around: HostEnv) -> Funcs {
        Funcs {
            around,
            text: Rc::new(Shared(Arc::clone(view.text()))),
            reads: ReadSet::new(view),
            observed: Observed::default(),
            lookups: Lookups::default(),
            included: Included::default(),
            expressions: BTreeMap::new(),
        }
    }

    /// The metadata that the rendering depends on.
    pub fn into_reads(self) -> ReadSet {
        self.reads
    }

    /// How what is included is executed.
    pub(super) fn options(&self) -> Options {
        self.around.options
    }

    /// The metadata that the rendering depends on, the calls whose results may change by
    /// themselves, and the files that it has included.
    pub fn into_inputs(self) -> (ReadSet, Observed, Vec<FileInput>) {
        (self.reads, self.observed, self.included.into_files())
    }

    /// A compiled expression, from an earlier call if need be.
    fn expression(
        &mut self,
        pattern: &Str,
        budget: &mut Budget,
    ) -> Result<Rc<Expression>, CallError> {
        if let Some(expression) = self.expressions.get(pattern) {
            return Ok(Rc::clone(expression));
        }
        let expression = Rc::new(Expression::new(pattern.as_bytes(), budget)?);
        if self.expressions.len() >= EXPRESSIONS {
            self.expressions.clear();
        }
        let kept = Rc::clone(&expression);
        self.expressions.insert(pattern.clone(), kept);
        Ok(expression)
    }
}

/// Go's message about an invalid regular expression; `None` when it is valid.
pub fn expression_fault(pattern: &str) -> Option<String> {
    let error = Expression::new(pattern.as_bytes(), &mut Budget::default()).err()?;
    Some(error.to_string())
}

impl Host for Funcs {
    fn functions(&self) -> &'static [Function] {
        FUNCTIONS
    }

    fn call(
        &mut self,
        index: usize,
        args: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        let Some(&name) = NAMES.get(index) else {
            return Err(CallError::failed(format!("there is no function {index}")));
        };
        cost::charge(name, args, budget)?;
        let result = self.run(name, args, budget)?;
        self.observed.note(name, args, &result);
        Ok(result)
    }
}

impl Funcs {
    /// Every function, in the order of the table. The executor has checked the arguments against
    /// that.
    fn run(&mut self, name: Name, args: &[Value], budget: &mut Budget) -> Result<Value, CallError> {
        match (name, args) {
            (Name::Exists, [Value::Str(key)]) => self.exists(key, budget),
            (Name::Get, [Value::Str(key)]) => self.get(key, budget),
            (Name::Gets, [Value::Str(pattern)]) => self.gets(pattern, budget),
            (Name::Getv, [Value::Str(key), more @ ..]) => self.getv(key, more.first(), budget),
            (Name::Getvs, [Value::Str(pattern)]) => self.getvs(pattern, budget),
            (Name::Ls, [Value::Str(dir)]) => self.list(dir, false, budget),
            (Name::Lsdir, [Value::Str(dir)]) => self.list(dir, true, budget),
            (Name::Base, [Value::Str(path)]) => Ok(text::base(path)),
            (Name::Dir, [Value::Str(path)]) => Ok(text::dir(path)),
            (Name::Split, [Value::Str(text), Value::Str(by)]) => text::split(text, by, budget),
            (Name::Join, [parts, Value::Str(by)]) => text::join(&texts(parts)?, by, budget),
            (Name::ToUpper, [Value::Str(text)]) => text::upper(text, budget),
            (Name::ToLower, [Value::Str(text)]) => text::lower(text, budget),
            (Name::Contains, [Value::Str(text), Value::Str(part)]) => {
                Ok(Value::Bool(text::contains(text, part)))
            }
            (Name::Replace, [Value::Str(text), Value::Str(old), Value::Str(new), limit]) => {
                text::replace(text, old, new, number::whole(limit)?, budget)
            }
            (Name::Map | Name::Dict, pairs) => data::map(pairs, budget),
            (Name::Json, [Value::Str(text)]) => json::decode(text.as_bytes(), Want::Object, budget),
            (Name::JsonArray, [Value::Str(text)]) => {
                json::decode(text.as_bytes(), Want::Array, budget)
            }
            (Name::ToJson, [value]) => json::encode(value, false, budget).map(Value::text),
            (Name::ToYaml, [value]) => yaml::encode(value, budget).map(Value::text),
            (Name::Base64Encode, [value]) => text::base64_encode(value, budget),
            (Name::Base64Decode, [value]) => text::base64_decode(value, budget),
            (Name::Filter, [Value::Str(pattern), values]) => {
                let expression = |budget: &mut Budget| self.expression(pattern, budget);
                data::filter(values, expression, budget)
            }
            (Name::Add, [a, b]) => number::arithmetic(Operator::Add, a, b),
            (Name::Sub, [a, b]) => number::arithmetic(Operator::Sub, a, b),
            (Name::Mul, [a, b]) => number::arithmetic(Operator::Mul, a, b),
            (Name::Div, [a, b]) => number::arithmetic(Operator::Div, a, b),
            (Name::Mod, [a, b]) => number::modulo(a, b),
            (Name::Max, [a, b]) => number::max(a, b),
            (Name::Min, [a, b]) => number::min(a, b),
            (Name::Eq, [a, b]) => number::equal(a, b, budget).map(Value::Bool),
            (Name::Ne, [a, b]) => number::equal(a, b, budget).map(|same| Value::Bool(!same)),
            (Name::Gt, [a, b]) => Ok(number::compare(a, b, |a, b| a > b)),
            (Name::Ge, [a, b]) => Ok(number::compare(a, b, |a, b| a >= b)),
            (Name::Lt, [a, b]) => Ok(number::compare(a, b, |a, b| a < b)),
            (Name::Le, [a, b]) => Ok(number::compare(a, b, |a, b| a <= b)),
            (Name::Getenv, [Value::Str(name), more @ ..]) => {
                Ok(self.around.getenv(name, more.first()))
            }
            (Name::Datetime, []) => Ok(self.around.now()),
            (Name::LookupIp | Name::LookupIpv4 | Name::LookupIpv6, [Value::Str(host)]) => {
                self.lookups.look_up(name, std::slice::from_ref(host))
            }
            (
                Name::LookupSrv,
                [
                    Value::Str(service),
                    Value::Str(protocol),
                    Value::Str(domain),
                ],
            ) => {
                let args = [service, protocol, domain].map(Str::clone);
                self.lookups.look_up(name, &args)
            }
            (Name::FileExists, [Value::Str(path)]) => Ok(system::file_exists(path)),
            (Name::TrimSuffix, [Value::Str(text), Value::Str(suffix)]) => {
                Ok(text::trim_suffix(text, suffix))
            }
            (Name::TrimPrefix, [Value::Str(text), Value::Str(prefix)]) => {
                Ok(text::trim_prefix(text, prefix))
            }
            (Name::Repeat, [count, Value::Str(text)]) => {
                text::repeat(number::whole(count)?, text, budget)
            }
            (Name::Nospace, [Value::Str(text)]) => text::no_space(text, budget),
            (Name::Snakecase, [Value::Str(text)]) => text::change_case(text, Case::Snake, budget),
            (Name::Camelcase, [Value::Str(text)]) => text::change_case(text, Case::Camel, budget),
            (Name::Kebabcase, [Value::Str(text)]) => text::change_case(text, Case::Kebab, budget),
            (Name::Indent, [count, Value::Str(text)]) => {
                text::indent(number::whole(count)?, text, false, budget)
            }
            (Name::Nindent, [count, Value::Str(text)]) => {
                text::indent(number::whole(count)?, text, true, budget)
            }
            (Name::Quote, [Value::Str(text)]) => text::quote(text, budget),
            (Name::Squote, [Value::Str(text)]) => text::single_quote(text, budget),
            (Name::RegexMatch, [Value::Str(pattern), Value::Str(text)]) => {
                let expression = self.expression(pattern, budget)?;
                let matches = expression.is_match(text.as_bytes(), budget);
                matches.map(Value::Bool)
            }
            (Name::RegexFind, [Value::Str(pattern), Value::Str(text)]) => {
                let expression = self.expression(pattern, budget)?;
                let found = expression.find(text.as_bytes(), budget);
                found.map(Value::text)
            }
            (Name::RegexReplaceAll, [Value::Str(pattern), Value::Str(text), Value::Str(new)]) => {
                let expression = self.expression(pattern, budget)?;
                let replaced = expression.replace_all(text.as_bytes(), new.as_bytes(), budget);
                replaced.map(Value::text)
            }
            (Name::Sha256sum, [Value::Str(text)]) => Ok(text::sha256(text)),
            (Name::Seq, [first, last]) => {
                data::sequence(number::whole(first)?, number::whole(last)?, budget)
            }
            (Name::Reverse, [value]) => data::reverse(value, budget),
            (Name::SortByLength, [values]) => data::sort_by_length(&texts(values)?, budget),
            (Name::SortKvByLength, [value]) => data::sort_pairs_by_length(value, budget),
            (Name::List, values) => data::list(values.to_vec(), budget),
            (Name::Append, [value, last]) => data::append(value, last, budget),
            (Name::HasKey, [Value::Map(map), Value::Str(key)]) => {
                Ok(Value::Bool(map.entries().get(key).is_some()))
            }
            (Name::Keys, [Value::Map(map)]) => data::keys(map, budget),
            (Name::Values, [Value::Map(map)]) => data::values(map, budget),
            (Name::Pluck, [Value::Str(key), maps @ ..]) => data::pluck(key, maps, budget),
            (Name::FromJson, [Value::Str(text)]) => {
                json::decode(text.as_bytes(), Want::Any, budget)
            }
            (Name::ToPrettyJson, [value]) => json::encode(value, true, budget).map(Value::text),
            (Name::Default, [default, value]) => Ok(data::or_default(default, value)),
            (Name::Coalesce, values) => Ok(data::coalesce(values)),
            (Name::Empty, [value]) => Ok(Value::Bool(data::is_empty(value))),
            (Name::Ternary, [yes, no, Value::Bool(which)]) => {
                Ok(if *which { yes } else { no }.clone())
            }
            (Name::ParseBool, [Value::Str(text)]) => {
                parsed(strconv::parse_bool(text.as_bytes()).map(Value::Bool))
            }
            (Name::Atoi, [Value::Str(text)]) => {
                parsed(strconv::atoi(text.as_bytes()).map(Value::Int))
            }
            (Name::Hostname, []) => Ok(Value::text(platform::hostname())),
            (Name::LookupIfaceIpv4 | Name::LookupIfaceIpv6, [Value::Str(interface)]) => {
                Ok(system::interface_address(name, interface))
            }
            (Name::Include, [Value::Str(file), data @ ..]) => self.include(file, data, budget),
            _ => Err(unchecked()),
        }
    }
}

fn parsed(result: Result<Value, strconv::NumError<'_>>) -> Result<Value, CallError> {
    result.map_err(|error| CallError::failed(error.to_string()))
}

/// A `[]string`, or a list of nothing but strings, such as `filter` returns.
fn texts(value: &Value) -> Result<Rc<[Str]>, CallError> {
    match value {
        Value::Strings(texts) => Ok(Rc::clone(texts)),
        Value::List(list) => {
            let mut texts = Vec::new();
            for item in list.items() {
                let Value::Str(text) = item else {
                    return Err(unchecked());
                };
                texts.push(text.clone());
            }
            Ok(texts.into())
        }
        _ => Err(unchecked()),
    }
}

/// Arguments that do not fit the table.
fn unchecked() -> CallError {
    CallError::failed("an argument has the wrong type".to_owned())
}
