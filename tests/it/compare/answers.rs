//! Our answers, in the form of the Go program's.

use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use app_agent::go::filepath::Pattern;
use app_agent::go::regexp::Regexp;
use app_agent::go::strconv::{self, NumError};
use app_agent::go::time::{Civil, Local, Time, Zone, duration};
use app_agent::go::{path, unicode};
use app_agent::resource::funcs::{FUNCTIONS, Funcs, HostEnv};
use app_agent::template::{Budget, CallError, ErrorKind, Function, Host, Options, Template, Value};
use app_agent::tree::{Tree, View};

use super::Answer;

/// The steps that a search may take.
const STEPS: u64 = 10_000_000;

fn text(part: &[u8]) -> &str {
    str::from_utf8(part).expect("a question of UTF-8")
}

fn number(part: &[u8]) -> i64 {
    text(part).parse().expect("a number")
}

fn parts<T: Into<Vec<u8>>>(parts: impl IntoIterator<Item = T>) -> Answer {
    Some(parts.into_iter().map(Into::into).collect())
}

pub(super) fn pattern(question: &[Vec<u8>]) -> Answer {
    let (pattern, name) = (text(&question[0]), text(&question[1]));
    parts([match Pattern::parse(pattern) {
        Ok(pattern) => pattern.matches(name).to_string(),
        Err(bad) if bad.is_reached(name.as_bytes()) => format!("falseerror: {bad}"),
        Err(_) => "false".to_owned(),
    }])
}

pub(super) fn regexp(question: &[Vec<u8>]) -> Answer {
    let [pattern, text, with] = question else {
        return None;
    };
    let regexp = match Regexp::new(pattern) {
        Ok(regexp) => regexp,
        Err(error) => return parts([format!("error: {error}")]),
    };
    let is_match = regexp.is_match(text, &mut STEPS.clone()).ok()?;
    let found = regexp.find(text, &mut STEPS.clone()).ok()?;
    let replaced = regexp.replace_all(text, with, 1 << 20, &mut STEPS.clone());
    parts([
        is_match.to_string().into_bytes(),
        found.unwrap_or_default().to_vec(),
        replaced.ok()?,
    ])
}

pub(super) fn float(question: &[Vec<u8>]) -> Answer {
    let number = f64::from_bits(text(&question[0]).parse().expect("bits"));
    let verbs = b"eEfgGbxX".iter();
    let precisions = [None, Some(0), Some(1), Some(5), Some(17), Some(25)];
    parts(verbs.flat_map(|verb| {
        precisions.map(|precision| strconv::format_float(number, *verb, precision))
    }))
}

pub(super) fn integer(question: &[Vec<u8>]) -> Answer {
    fn shown<T: ToString>(found: Result<T, NumError>) -> String {
        match found {
            Ok(found) => found.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }
    let text = &question[0];
    let mut found = Vec::new();
    for base in [0, 2, 8, 10, 16] {
        found.push(shown(strconv::parse_int(text, base, 64)));
        found.push(shown(strconv::parse_uint(text, base, 64)));
    }
    // One NaN is as good as another.
    let bits = |number: f64| if number.is_nan() { 0 } else { number.to_bits() };
    found.push(shown(strconv::parse_float(text).map(bits)));
    found.push(shown(strconv::parse_bool(text)));
    parts(found)
}

pub(super) fn quote(question: &[Vec<u8>]) -> Answer {
    let text = &question[0];
    let unquoted = strconv::unquote(text);
    parts([
        strconv::quote(text),
        strconv::quote_to_ascii(text),
        strconv::can_backquote(text).to_string().into_bytes(),
        unquoted.unwrap_or_else(|| b"error: invalid syntax".to_vec()),
    ])
}

pub(super) fn case(question: &[Vec<u8>]) -> Answer {
    let text = text(&question[0]);
    let facts = text.chars().map(|found| {
        let is = [
            unicode::is_letter(found),
            unicode::is_digit(found),
            unicode::is_print(found),
            unicode::is_upper(found),
            unicode::is_lower(found),
        ];
        let is = is.map(|is| is.to_string()).join(" ");
        format!("{is} {}\n", unicode::simple_fold(found.into()))
    });
    parts([
        text.chars().map(unicode::upper).collect::<String>(),
        unicode::lowered(text),
        facts.collect(),
    ])
}

pub(super) fn paths(question: &[Vec<u8>]) -> Answer {
    let text = text(&question[0]);
    parts([
        path::clean(text),
        path::dir(text),
        path::base(text).to_owned(),
    ])
}

pub(super) fn time(question: &[Vec<u8>]) -> Answer {
    let name = text(&question[0]);
    let (seconds, nanos) = (number(&question[1]), number(&question[2]) as u32);
    let (layout, step) = (&question[3], number(&question[4]));
    let zone = if name == "UTC" {
        Zone::utc()
    } else {
        let content = std::fs::read(format!("/usr/share/zoneinfo/{name}")).ok()?;
        Zone::of_file(name, &content)?
    };
    let at = Time {
        seconds,
        nanos,
        utc: name == "UTC",
        local: Local::new(zone),
    };
    let civil = Civil::of(&at);
    let marshalled = at.marshal_text();
    parts([
        at.format(layout),
        at.to_text(),
        at.add_date(1, -3, 40).to_text(),
        at.truncate(step).to_text(),
        at.round(step).to_text(),
        at.add(step).to_text(),
        format!(
            "{} {} {}",
            civil.yday,
            app_agent::go::time::weekday_name(civil.weekday),
            civil.offset.is_dst
        )
        .into_bytes(),
        marshalled.map_or_else(Vec::new, |text| [b"\"", &*text, b"\""].concat()),
        at.location().name().into(),
    ])
}

pub(super) fn durations(question: &[Vec<u8>]) -> Answer {
    let (written, nanos) = (text(&question[0]), number(&question[1]));
    let parsed = duration::parse(written).map(|nanos| nanos.to_string());
    let units = [3600, 60, 1].map(|unit| Value::Float(duration::in_units(nanos, unit)));
    let mut units = app_agent::template::format::sprintln(&units, &mut Budget::default()).ok()?;
    units.pop();
    parts([
        parsed.unwrap_or_else(|| "none".to_owned()).into_bytes(),
        duration::to_text(nanos).into_bytes(),
        units,
    ])
}

/// confd's functions, with a clock that stands still and a machine that has nothing.
struct Still(Funcs);

static VIEW: LazyLock<View> = LazyLock::new(|| {
    let datasets = include_bytes!("../../conformance/datasets.json");
    let tree = Tree::from_json(datasets).expect("the data sets are JSON");
    Arc::new(tree).view("/kv", &["/".to_owned()])
});

/// The keys and values that templates see.
pub(super) fn leaves() -> impl Iterator<Item = (String, String)> {
    VIEW.leaves().map(|(key, value)| (key, value.to_owned()))
}

impl Host for Still {
    fn functions(&self) -> &'static [Function] {
        FUNCTIONS
    }

    fn call(
        &mut self,
        index: usize,
        args: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        if FUNCTIONS[index].name == "datetime" {
            return Ok(Value::Time(Rc::new(Time {
                seconds: 1,
                nanos: 2,
                utc: true,
                local: Local::new(Zone::utc()),
            })));
        }
        self.0.call(index, args, budget)
    }
}

pub(super) fn render(question: &[Vec<u8>]) -> Answer {
    let mut budget = Budget {
        steps: 200_000,
        bytes: 1 << 20,
        ..Budget::default()
    };
    let mut host = Still(Funcs::new(
        VIEW.clone(),
        HostEnv {
            templates: "/nonexistent".into(),
            options: Options::default(),
            variable: |_| None,
            zone: Local::new(Zone::utc()),
        },
    ));
    let rendered =
        Template::parse(text(&question[0]), &question[1], FUNCTIONS).and_then(|template| {
            template.execute(&mut host, &Value::Nil, Options::default(), &mut budget)
        });
    match rendered {
        Ok(out) => parts([b"out".to_vec(), out]),
        Err(error) => match error.kind() {
            ErrorKind::Limit => None,
            // Go's only limit is its memory.
            ErrorKind::Parse if error.to_string().contains("nested deeper than") => None,
            ErrorKind::Parse => parts(["parse".to_owned(), error.to_string()]),
            _ if error.to_string().ends_with("exceeded max depth") => None,
            _ => parts(["error".to_owned(), error.to_string()]),
        },
    }
}

/// The result of a function for a JSON text's value.
fn encoded(function: &str, text: &[u8]) -> Option<Vec<u8>> {
    let template = format!("{{{{{function} (fromJson .)}}}}");
    let template = Template::parse("x", template.as_bytes(), FUNCTIONS).ok()?;
    let mut host = Funcs::new(
        VIEW.clone(),
        HostEnv::of_process("/nonexistent".as_ref(), Options::default()),
    );
    let data = Value::text(text);
    let out = template.execute(&mut host, &data, Options::default(), &mut Budget::default());
    match out {
        Ok(out) => Some(out),
        Err(error) if error.kind() == ErrorKind::Limit => None,
        Err(error) => {
            let words = error.to_string();
            let (_, words) = words.rsplit_once("error calling fromJson: ")?;
            Some(format!("error: {words}").into_bytes())
        }
    }
}

pub(super) fn json(question: &[Vec<u8>]) -> Answer {
    let short = encoded("toJson", &question[0])?;
    if short.starts_with(b"error: ") {
        return parts([short]);
    }
    parts([short, encoded("toPrettyJson", &question[0])?])
}

pub(super) fn yaml(question: &[Vec<u8>]) -> Answer {
    parts([encoded("toYaml", &question[0])?])
}
