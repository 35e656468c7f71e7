//! confd's template functions, bound to what one resource may see of the metadata.
//!
//! The template engine calls them by number; `table.rs` has their names and parameters, the other rooms what they do.
//! Whatever makes text or lists charges the rendering's budget, so that no template can eat the machine.

mod data;
mod include;
mod json;
mod number;
mod regex;
mod store;
mod system;
mod table;
mod text;
mod yaml;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use self::include::Included;
use self::json::Want;
use self::number::Operator;
use self::regex::Expression;
use self::table::{NAMES, Name};
use self::text::Case;
use crate::platform;
use crate::sorted::SortedMap;
use crate::template::value::{LocalZone, Map, Str};
use crate::template::{Budget, CallError, Function, Host, Options, Value, strconv};
use crate::tree::View;

pub use store::Reads;
pub use table::FUNCTIONS;

/// How many compiled regular expressions one rendering keeps.
const EXPRESSIONS: usize = 64;

/// How many bytes of text a function looks at in the time of one step.
const BYTES_A_STEP: usize = 64;

/// What the functions find outside of the metadata.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The directory that `include` reads from.
    pub templates: PathBuf,
    /// How what is included is executed: as what includes it.
    pub options: Options,
    /// Looks up an environment variable.
    pub variable: fn(&str) -> Option<OsString>,
    /// The zone of `datetime`.
    pub zone: LocalZone,
}

impl Surroundings {
    /// The process's environment and the machine's time zone.
    pub fn of_process(templates: &Path, options: Options) -> Surroundings {
        Surroundings {
            templates: templates.to_path_buf(),
            options,
            variable: |name| std::env::var_os(name),
            zone: system::local_zone(),
        }
    }
}

/// The functions for one rendering.
#[derive(Debug)]
pub struct Funcs {
    view: View,
    /// Where in the tree the last look-up ended.
    near: usize,
    around: Surroundings,
    reads: Reads,
    included: Included,
    expressions: SortedMap<Str, Rc<Expression>>,
}

impl Funcs {
    /// Functions that see this much of the metadata.
    pub fn new(view: View, around: Surroundings) -> Funcs {
        Funcs {
            view,
            near: 0,
            around,
            reads: Reads::default(),
            included: Included::default(),
            expressions: SortedMap::default(),
        }
    }

    /// What the rendering asked the store for.
    pub fn into_reads(self) -> Reads {
        self.reads
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

/// What is wrong with a regular expression, in Go's words; nothing when it can be used.
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
        let args = Args(args);
        budget.spend_steps(args.weight())?;
        self.run(name, args, budget)
    }
}

impl Funcs {
    /// Every function, in the order of the table.
    fn run(&mut self, name: Name, args: Args, budget: &mut Budget) -> Result<Value, CallError> {
        match name {
            Name::Exists => self.exists(args.text(0)?, budget),
            Name::Get => self.get(args.text(0)?, budget),
            Name::Gets => self.gets(args.text(0)?, budget),
            Name::Getv => self.getv(args.text(0)?, args.rest(1).first(), budget),
            Name::Getvs => self.getvs(args.text(0)?, budget),
            Name::Ls => self.list(args.text(0)?, false, budget),
            Name::Lsdir => self.list(args.text(0)?, true, budget),
            Name::Base => Ok(text::base(args.text(0)?)),
            Name::Dir => Ok(text::dir(args.text(0)?)),
            Name::Split => text::split(args.text(0)?, args.text(1)?, budget),
            Name::Join => text::join(&args.texts(0)?, args.text(1)?, budget),
            Name::ToUpper => text::upper(args.text(0)?, budget),
            Name::ToLower => text::lower(args.text(0)?, budget),
            Name::Contains => Ok(Value::Bool(text::contains(args.text(0)?, args.text(1)?))),
            Name::Replace => {
                let limit = number::whole(args.any(3)?)?;
                text::replace(args.text(0)?, args.text(1)?, args.text(2)?, limit, budget)
            }
            Name::Map | Name::Dict => data::map(args.rest(0), budget),
            Name::Json => json::decode(args.bytes(0)?, Want::Object, budget),
            Name::JsonArray => json::decode(args.bytes(0)?, Want::Array, budget),
            Name::ToJson => json::encode(args.any(0)?, false, budget).map(Value::text),
            Name::ToYaml => yaml::encode(args.any(0)?, budget).map(Value::text),
            Name::Base64Encode => text::base64_encode(args.any(0)?, budget),
            Name::Base64Decode => text::base64_decode(args.any(0)?, budget),
            Name::Filter => {
                let pattern = args.text(0)?;
                data::filter(
                    args.any(1)?,
                    |budget| self.expression(pattern, budget),
                    budget,
                )
            }
            Name::Add => number::arithmetic(Operator::Add, args.any(0)?, args.any(1)?),
            Name::Sub => number::arithmetic(Operator::Sub, args.any(0)?, args.any(1)?),
            Name::Mul => number::arithmetic(Operator::Mul, args.any(0)?, args.any(1)?),
            Name::Div => number::arithmetic(Operator::Div, args.any(0)?, args.any(1)?),
            Name::Mod => number::modulo(args.any(0)?, args.any(1)?),
            Name::Max => number::max(args.any(0)?, args.any(1)?),
            Name::Min => number::min(args.any(0)?, args.any(1)?),
            Name::Eq => number::equal(args.any(0)?, args.any(1)?, budget).map(Value::Bool),
            Name::Ne => {
                number::equal(args.any(0)?, args.any(1)?, budget).map(|same| Value::Bool(!same))
            }
            Name::Gt => args.compare(|a, b| a > b),
            Name::Ge => args.compare(|a, b| a >= b),
            Name::Lt => args.compare(|a, b| a < b),
            Name::Le => args.compare(|a, b| a <= b),
            Name::Getenv => Ok(self.around.getenv(args.text(0)?, args.rest(1).first())),
            Name::Datetime => Ok(self.around.now()),
            Name::LookupIp | Name::LookupIpv4 => Ok(system::lookup_ipv4(args.text(0)?)),
            Name::LookupSrv => Ok(system::lookup_srv(
                args.text(0)?,
                args.text(1)?,
                args.text(2)?,
            )),
            Name::FileExists => Ok(system::file_exists(args.text(0)?)),
            Name::TrimSuffix => Ok(text::trim_suffix(args.text(0)?, args.text(1)?)),
            Name::TrimPrefix => Ok(text::trim_prefix(args.text(0)?, args.text(1)?)),
            Name::Repeat => text::repeat(number::whole(args.any(0)?)?, args.text(1)?, budget),
            Name::Nospace => text::no_space(args.text(0)?, budget),
            Name::Snakecase => text::change_case(args.text(0)?, Case::Snake, budget),
            Name::Camelcase => text::change_case(args.text(0)?, Case::Camel, budget),
            Name::Kebabcase => text::change_case(args.text(0)?, Case::Kebab, budget),
            Name::Indent => {
                text::indent(number::whole(args.any(0)?)?, args.text(1)?, false, budget)
            }
            Name::Nindent => {
                text::indent(number::whole(args.any(0)?)?, args.text(1)?, true, budget)
            }
            Name::Quote => text::quote(args.text(0)?, budget),
            Name::Squote => text::single_quote(args.text(0)?, budget),
            Name::RegexMatch => {
                let expression = self.expression(args.text(0)?, budget)?;
                expression.is_match(args.bytes(1)?, budget).map(Value::Bool)
            }
            Name::RegexFind => {
                let expression = self.expression(args.text(0)?, budget)?;
                expression.find(args.bytes(1)?, budget).map(Value::text)
            }
            Name::RegexReplaceAll => {
                let expression = self.expression(args.text(0)?, budget)?;
                let replaced = expression.replace_all(args.bytes(1)?, args.bytes(2)?, budget);
                replaced.map(Value::text)
            }
            Name::Sha256sum => Ok(text::sha256(args.text(0)?)),
            Name::Seq => data::sequence(
                number::whole(args.any(0)?)?,
                number::whole(args.any(1)?)?,
                budget,
            ),
            Name::Reverse => data::reverse(args.any(0)?, budget),
            Name::SortByLength => data::sort_by_length(&args.texts(0)?, budget),
            Name::SortKvByLength => data::sort_pairs_by_length(args.any(0)?, budget),
            Name::List => data::list(args.rest(0).to_vec(), budget),
            Name::Append => data::append(args.any(0)?, args.any(1)?, budget),
            Name::HasKey => Ok(Value::Bool(
                args.map(0)?.entries().get(args.text(1)?).is_some(),
            )),
            Name::Keys => data::keys(args.map(0)?, budget),
            Name::Values => data::values(args.map(0)?, budget),
            Name::Pluck => data::pluck(args.text(0)?, args.rest(1), budget),
            Name::FromJson => json::decode(args.bytes(0)?, Want::Any, budget),
            Name::ToPrettyJson => json::encode(args.any(0)?, true, budget).map(Value::text),
            Name::Default => Ok(data::or_default(args.any(0)?, args.any(1)?)),
            Name::Coalesce => Ok(data::coalesce(args.rest(0))),
            Name::Empty => Ok(Value::Bool(data::is_empty(args.any(0)?))),
            Name::Ternary => Ok(args.any(if args.truth(2)? { 0 } else { 1 })?.clone()),
            Name::ParseBool => parsed(strconv::parse_bool(args.bytes(0)?).map(Value::Bool)),
            Name::Atoi => parsed(strconv::atoi(args.bytes(0)?).map(Value::Int)),
            Name::Hostname => Ok(Value::text(platform::hostname())),
            Name::LookupIpv6 => Ok(system::lookup_ipv6(args.text(0)?)),
            Name::LookupIfaceIpv4 => Ok(system::interface_address(args.text(0)?, IpAddr::is_ipv4)),
            Name::LookupIfaceIpv6 => Ok(system::interface_address(args.text(0)?, IpAddr::is_ipv6)),
            Name::Include => self.include(args.text(0)?, args.rest(1), budget),
        }
    }
}

fn parsed(result: Result<Value, strconv::NumError>) -> Result<Value, CallError> {
    result.map_err(|error| CallError::failed(error.to_string()))
}

/// A call's arguments, which the executor has checked against the table.
#[derive(Clone, Copy)]
struct Args<'a>(&'a [Value]);

impl<'a> Args<'a> {
    fn any(self, index: usize) -> Result<&'a Value, CallError> {
        self.0.get(index).ok_or_else(|| unchecked(index))
    }

    /// What it takes to look at all of it once, in steps.
    fn weight(self) -> u64 {
        let weight = |value: &Value| match value {
            Value::Str(text) => text.as_bytes().len() / BYTES_A_STEP,
            Value::Strings(texts) => texts.len(),
            Value::Pairs(pairs) => pairs.len(),
            Value::List(list) => list.items().len(),
            _ => 0,
        };
        self.0.iter().map(|value| weight(value) as u64).sum()
    }

    fn rest(self, index: usize) -> &'a [Value] {
        self.0.get(index..).unwrap_or_default()
    }

    fn text(self, index: usize) -> Result<&'a Str, CallError> {
        match self.any(index)? {
            Value::Str(text) => Ok(text),
            _ => Err(unchecked(index)),
        }
    }

    fn bytes(self, index: usize) -> Result<&'a [u8], CallError> {
        self.text(index).map(Str::as_bytes)
    }

    fn truth(self, index: usize) -> Result<bool, CallError> {
        match self.any(index)? {
            Value::Bool(yes) => Ok(*yes),
            _ => Err(unchecked(index)),
        }
    }

    fn map(self, index: usize) -> Result<&'a Map, CallError> {
        match self.any(index)? {
            Value::Map(map) => Ok(map),
            _ => Err(unchecked(index)),
        }
    }

    /// A `[]string`, or a list of nothing but strings, such as `filter` gives.
    fn texts(self, index: usize) -> Result<Rc<[Str]>, CallError> {
        match self.any(index)? {
            Value::Strings(texts) => Ok(Rc::clone(texts)),
            Value::List(list) => {
                let text = |item: &Value| match item {
                    Value::Str(text) => Ok(text.clone()),
                    _ => Err(unchecked(index)),
                };
                list.items().iter().map(text).collect()
            }
            _ => Err(unchecked(index)),
        }
    }

    fn compare(self, holds: fn(f64, f64) -> bool) -> Result<Value, CallError> {
        let (left, right) = number::compared(self.any(0)?, self.any(1)?);
        Ok(Value::Bool(holds(left, right)))
    }
}

/// An argument that is not what the table says.
fn unchecked(index: usize) -> CallError {
    CallError::failed(format!("argument {} has the wrong type", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_the_tables_order() {
        let mut names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
        assert_eq!(names.len(), NAMES.len());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
    }
}
