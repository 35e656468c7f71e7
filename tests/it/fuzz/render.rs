//! Renders a text as confd would, within a small budget.

use app_agent::resource::funcs::FUNCTIONS;
use app_agent::template::{Budget, Error, Options, Template, Value};

use super::host::Machineless;

/// Limits that end in milliseconds.
pub(super) fn small_budget() -> Budget {
    Budget {
        steps: 50_000,
        bytes: 1_000_000,
        ..Budget::default()
    }
}

fn render(text: &[u8], strict: bool) -> Result<Vec<u8>, Error> {
    let options = Options { strict };
    let template = Template::parse("x.tmpl", text, FUNCTIONS)?;
    let mut host = Machineless::new(options);
    template.execute(&mut host, &Value::Nil, options, &mut small_budget())
}

/// Renders the text twice: whatever comes out, it ends, says where it fails, and comes out again
/// the same.
pub(super) fn check(text: &[u8]) {
    let strict = text.len().is_multiple_of(2);
    let once = render(text, strict);
    if let Err(error) = &once {
        let message = format!("{error}\n{}", error.snippet());
        assert!(message.starts_with("template: "), "{message}");
    }
    assert_eq!(once, render(text, strict));
}
