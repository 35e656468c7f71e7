//! The commands of a resource, ready to be run: `check_cmd` for a staged file, `reload_cmd` after
//! the swap.

use std::path::{Path, PathBuf};

use super::command::Invocation;
use super::{Prepared, Resource};
use crate::config::Config;
use crate::error::{self, Error, Result};
use crate::template::{Budget, CallError, Function, Host, Options, Template, Value};

/// The commands of a resource.
impl Resource {
    /// The `check_cmd` for a staged file; `None` when there is none to run. `staged` finds the new
    /// file of another resource of its group, by the name of its conf.d file.
    pub(crate) fn check(
        &self,
        prepared: &Prepared,
        config: &Config,
        staged: &dyn Fn(&str) -> Option<PathBuf>,
    ) -> Result<Option<Invocation>> {
        if self.check_cmd.is_empty() || config.sync_only || prepared.change.difference.surplus {
            return Ok(None);
        }
        let text = with_staged(&self.check_cmd, staged);
        let text =
            text.map_err(|problem| self.check_failed(Error::resource(&self.path, &problem)))?;
        let mut check = self.check_text(&text, &prepared.stage.path())?;
        check.changed_keys = prepared.change.keys.clone();
        Ok(Some(check))
    }

    /// The `check_cmd` for the file at `src`.
    pub fn check_on(&self, src: &Path) -> Result<Invocation> {
        self.check_text(&self.check_cmd, src)
    }

    fn check_text(&self, text: &str, src: &Path) -> Result<Invocation> {
        Ok(Invocation {
            text: self.expand_check(text, &src.to_string_lossy())?,
            src: src.to_path_buf(),
            dest: self.dest.clone(),
            changed_keys: Vec::new(),
            time_limit: self.check_timeout,
        })
    }

    /// The commands as they are written, each with its key; those that are empty are left out.
    pub fn commands(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let commands = [
            ("check_cmd", &self.check_cmd),
            ("reload_cmd", &self.reload_cmd),
        ];
        let written = commands
            .into_iter()
            .filter(|(_, command)| !command.is_empty());
        written.map(|(key, command)| (key, command.as_str()))
    }

    /// Go's text/template with `.src` and `.dest`, as the original expands `check_cmd`.
    fn expand_check(&self, text: &str, src: &str) -> Result<String> {
        let dest = self.dest.to_string_lossy();
        let data = vec![
            ("src".into(), Value::text(src)),
            ("dest".into(), Value::text(&*dest)),
        ];
        let data = Value::map(data).unwrap_or(Value::Nil);
        let template = Template::parse("check_cmd", text.as_bytes(), &[]);
        let expanded = template.and_then(|template| {
            let (options, mut budget) = (Options::default(), Budget::default());
            template.execute(&mut NoFunctions, &data, options, &mut budget)
        });
        let command = expanded.map_err(|error| self.check_failed(error.into()))?;
        Ok(String::from_utf8_lossy(&command).into_owned())
    }

    /// The consequence of the `check_cmd`'s outcome for the staged file.
    pub fn judge_check(&self, outcome: Result<()>) -> Result<()> {
        outcome.map_err(|error| self.check_failed(error))
    }

    fn check_failed(&self, cause: Error) -> Error {
        let dest = self.dest.clone();
        error::Kind::Check { dest, cause }.into()
    }

    /// The reload because of the `changed` keys; `None` without a command. Only `{{.src}}` and
    /// `{{.dest}}` mean something in it: the original passes other braces, such as those of `docker
    /// ps --format '{{.Names}}'`, on as they are.
    pub fn reload(&self, changed: Vec<String>) -> Option<Invocation> {
        if self.reload_cmd.is_empty() {
            return None;
        }
        let dest = self.dest.to_string_lossy();
        let placeholders = ["{{.src}}", "{{ .src }}", "{{.dest}}", "{{ .dest }}"];
        let mut text = self.reload_cmd.clone();
        for name in placeholders {
            text = text.replace(name, &dest);
        }
        Some(Invocation {
            text,
            src: self.dest.clone(),
            dest: self.dest.clone(),
            changed_keys: changed,
            time_limit: self.reload_timeout,
        })
    }
}

/// The text with `{{.stage "NAME.toml"}}` replaced by the staged file of that resource.
pub(crate) fn with_staged(
    text: &str,
    staged: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<String, String> {
    let (mut whole, mut rest) = (String::new(), text);
    while let Some((before, action)) = rest.split_once("{{") {
        let (inside, after) = action.split_once("}}").unwrap_or((action, ""));
        whole.push_str(before);
        let name = inside.trim_ascii().strip_prefix(".stage ");
        match name.map(|name| name.trim_matches([' ', '"', '`'])) {
            Some(name) => {
                let path = staged(name);
                let path = path.ok_or_else(|| {
                    format!("{{{{.stage {name:?}}}}}: no resource with one file in its group has that name")
                })?;
                whole.push_str(&path.to_string_lossy());
                rest = after;
            }
            None => {
                whole.push_str("{{");
                rest = action;
            }
        }
    }
    whole.push_str(rest);
    Ok(whole)
}

/// A `check_cmd` may use Go's built-in functions only.
struct NoFunctions;

impl Host for NoFunctions {
    fn functions(&self) -> &'static [Function] {
        &[]
    }

    fn call(&mut self, _: usize, _: &[Value], _: &mut Budget) -> Result<Value, CallError> {
        Err(CallError::failed("not a function".into()))
    }
}
