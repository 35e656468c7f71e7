//! What templates print, and how they fail.

use crate::template::{Budget, CallError, Error, Function, Host, Options, Template, Type, Value};

/// A host with a few functions whose results are easy to foresee.
struct Fixture;

static FUNCTIONS: [Function; 7] = [
    function("list", &[], Some(Type::Any)),
    function("map", &[], Some(Type::Any)),
    function("split", &[Type::Str, Type::Str], None),
    function("key", &[Type::Str], None),
    function("fail", &[], None),
    function("repeat", &[Type::Int, Type::Str], None),
    function("count", &[Type::Strings], None),
];

const fn function(name: &'static str, params: &'static [Type], variadic: Option<Type>) -> Function {
    Function {
        name,
        params,
        variadic,
    }
}

impl Host for Fixture {
    fn functions(&self) -> &'static [Function] {
        &FUNCTIONS
    }

    fn call(
        &mut self,
        index: usize,
        args: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        let deep = |_| CallError::Failed("too deep".into());
        match (FUNCTIONS[index].name, args) {
            ("list", items) => Value::list(items.to_vec()).map_err(deep),
            ("map", pairs) => {
                let pairs = pairs.chunks(2).map(|pair| match pair {
                    [Value::Str(key), value] => (key.clone(), value.clone()),
                    _ => ("?".into(), Value::Nil),
                });
                Value::map(pairs.collect()).map_err(deep)
            }
            ("split", [Value::Str(text), Value::Str(by)]) => {
                let (text, by) = (text.to_text(), by.to_text());
                let parts = text.split(&*by).map(|part| part.into());
                Ok(Value::Strings(parts.collect()))
            }
            ("key", [Value::Str(key)]) => {
                let key = key.to_text();
                Err(CallError::Missing(format!("no key {key}")))
            }
            ("repeat", [Value::Int(count), Value::Str(text)]) => {
                let text = text.to_text().repeat(*count as usize);
                budget.spend_bytes(text.len())?;
                Ok(Value::text(text))
            }
            ("count", [Value::Strings(texts)]) => Ok(Value::Int(texts.len() as i64)),
            _ => Err(CallError::Failed("as asked".into())),
        }
    }
}

fn render_with(text: &str, options: Options, budget: &mut Budget) -> Result<String, Error> {
    let template = Template::parse("t", text.as_bytes(), &FUNCTIONS)?;
    let out = template.execute(&mut Fixture, &Value::Nil, options, budget)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn render(text: &str) -> Result<String, Error> {
    render_with(text, Options::default(), &mut Budget::default())
}

/// What the template prints, or its first line of words.
fn shown(text: &str) -> String {
    render(text).unwrap_or_else(|error| error.to_string())
}

#[test]
fn control_structures() {
    for (text, want) in [
        ("a{{if 1}}b{{else}}c{{end}}d", "abd"),
        (
            "{{if 0}}a{{else if \"\"}}b{{else if 1.5}}c{{else}}d{{end}}",
            "c",
        ),
        (
            "{{with 1}}{{.}}{{end}}{{with 0}}{{.}}{{else}}{{.}}{{end}}",
            "1<no value>",
        ),
        ("{{with 0}}a{{else with 2}}{{.}}{{else}}b{{end}}", "2"),
        ("{{range split \"a,b\" \",\"}}[{{.}}]{{end}}", "[a][b]"),
        (
            "{{range $i, $e := list 7 8}}{{$i}}={{$e}} {{end}}",
            "0=7 1=8 ",
        ),
        (
            "{{range $k, $v := map \"b\" 1 \"a\" 2}}{{$k}}={{$v}} {{end}}",
            "a=2 b=1 ",
        ),
        ("{{range list}}a{{else}}none{{end}}", "none"),
        ("{{range print nil | len}}{{.}}{{end}}", "01234"),
        (
            "{{range nilly}}{{end}}",
            "template: t:1: function \"nilly\" not defined",
        ),
        ("{{range $i := 3}}{{$i}}{{.}} {{end}}", "00 11 22 "),
        ("{{range 0}}a{{else}}none{{end}}", "none"),
        (
            "{{range $i, $e := list 1 2 3}}{{if $i}}{{with 1}}{{break}}{{end}}{{end}}{{$e}}{{end}}.",
            "1.",
        ),
        (
            "{{range $i, $e := list 1 0 3}}{{if not $e}}{{continue}}{{end}}{{$e}}{{end}}.",
            "13.",
        ),
        (
            "{{range list 1 2}}{{range list 3 4}}{{break}}{{end}}{{.}}{{end}}",
            "12",
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}
