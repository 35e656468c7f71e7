//! `include file [data]`: the text of another template, rendered with the same functions and the
//! same budget.
//!
//! Files are found below `templates/` and nowhere else, whatever `..`, absolute paths and links
//! say. A file may not include itself, not through others either.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::Funcs;
use super::table::FUNCTIONS;
use crate::resource::input::FileInput;
use crate::template::value::Str;
use crate::template::{Budget, CallError, Error, Template, Value};

/// How many files may be open at once: each takes some of the native stack.
const MAX_OPEN: usize = 20;

/// The files that one rendering has included so far.
#[derive(Debug, Default)]
pub(super) struct Included {
    /// The files by the names under which they are included; each is parsed once.
    files: BTreeMap<Str, Rc<Include>>,
    /// Those that are being rendered, the innermost last.
    open: Vec<Rc<Include>>,
    /// The files as they were read.
    read: Vec<FileInput>,
}

impl Included {
    /// The files that were included.
    pub(super) fn into_files(self) -> Vec<FileInput> {
        self.read
    }
}

/// A file that can be included.
#[derive(Debug)]
pub(in crate::resource) struct Include {
    name: String,
    /// The file itself, links followed.
    path: PathBuf,
    pub template: Template,
}

impl Funcs {
    /// `include`
    pub(super) fn include(
        &mut self,
        file: &Str,
        data: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        let include = self.begin_include(file, data, budget)?;
        let (data, options) = (data.first().unwrap_or(&Value::Nil), self.around.options);
        let rendered = include.template.execute(self, data, options, budget);
        self.end_include(rendered, budget)
    }

    /// The file that is to be included, which counts as open from now on.
    pub(in crate::resource) fn begin_include(
        &mut self,
        file: &Str,
        data: &[Value],
        budget: &mut Budget,
    ) -> Result<Rc<Include>, CallError> {
        if data.len() > 1 {
            return Err(failed(
                "include takes a file and one value at the most".to_owned(),
            ));
        }
        let include = self.load(file)?;
        let open = &mut self.included.open;
        if let Some(first) = open.iter().position(|open| open.path == include.path) {
            let mut words = "include cycle: ".to_owned();
            for open in &open[first..] {
                words.push_str(&open.name);
                words.push_str(" -> ");
            }
            words.push_str(&include.name);
            return Err(failed(words));
        }
        if open.len() >= MAX_OPEN {
            return Err(failed(format!(
                "include is nested deeper than {MAX_OPEN} files"
            )));
        }
        budget.enter()?;
        open.push(Rc::clone(&include));
        Ok(include)
    }

    /// The value of the include that was begun last, of what its file rendered to.
    pub(in crate::resource) fn end_include(
        &mut self,
        rendered: Result<Vec<u8>, Error>,
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        budget.leave();
        self.included.open.pop();
        match rendered {
            Ok(text) => Ok(Value::text(text)),
            Err(error) => Err(CallError::nested(error)),
        }
    }

    fn load(&mut self, file: &Str) -> Result<Rc<Include>, CallError> {
        if let Some(include) = self.included.files.get(file) {
            return Ok(Rc::clone(include));
        }
        let name = file.to_text().into_owned();
        let path = resolve(&self.around.templates, &name)?;
        let read = FileInput::read(&path);
        let (input, text) =
            read.map_err(|cause| failed(format!("cannot read template {name}: {cause}")))?;
        self.included.read.push(input);
        let template = Template::parse(&name, &text, FUNCTIONS).map_err(CallError::nested)?;
        let include = Rc::new(Include {
            name,
            path,
            template,
        });
        self.included
            .files
            .insert(file.clone(), Rc::clone(&include));
        Ok(include)
    }
}

/// The file that a name stands for, with all links followed.
fn resolve(templates: &Path, name: &str) -> Result<PathBuf, CallError> {
    let outside = || {
        failed(format!(
            "template {name} is not below the templates directory"
        ))
    };
    let mut components = Path::new(name).components();
    if !components.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let real = |path: &Path| {
        let found = fs::canonicalize(path);
        found.map_err(|cause| failed(format!("cannot find template {name}: {cause}")))
    };
    let root = real(templates)?;
    let path = real(&root.join(name))?;
    if path.starts_with(&root) {
        Ok(path)
    } else {
        Err(outside())
    }
}

fn failed(message: String) -> CallError {
    CallError::failed(message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::resource::funcs::HostEnv;
    use crate::template::{ErrorKind, Options};
    use crate::tree::Tree;

    /// A directory of templates, and one beside it that they may not reach.
    struct Templates(PathBuf);

    impl Templates {
        fn new(test: &str, files: &[(&str, &str)]) -> Templates {
            let name = format!("confd-include-{}-{test}", std::process::id());
            let templates = Templates(std::env::temp_dir().join(name));
            for (file, text) in files {
                let path = templates.0.join("templates").join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            templates
        }

        fn render(&self, text: &str) -> Result<String, crate::template::Error> {
            let tree = Arc::new(Tree::from_pairs([("/k", "v"), ("/l", "w")]));
            let around = HostEnv::of_process(&self.0.join("templates"), Options::default());
            let mut funcs = Funcs::new(tree.view("", &["/".to_owned()]), around);
            let template = Template::parse("main.tmpl", text.as_bytes(), FUNCTIONS)?;
            let budget = &mut Budget::default();
            let out = template.execute(&mut funcs, &Value::Nil, Options::default(), budget)?;
            Ok(String::from_utf8(out).unwrap())
        }

        fn error(&self, text: &str) -> String {
            self.render(text).unwrap_err().to_string()
        }
    }

    impl Drop for Templates {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_text_of_another_template() {
        let templates = Templates::new(
            "text",
            &[
                ("a.tmpl", "[{{.}} {{getv \"/k\"}}]"),
                (
                    "inc/b.tmpl",
                    "{{define \"x\"}}x{{end}}{{template \"x\"}}{{include \"a.tmpl\" .n}}",
                ),
            ],
        );
        for (text, want) in [
            (r#"{{include "a.tmpl"}}"#, "[<no value> v]"),
            (r#"{{include "./a.tmpl" "d" | toUpper}}"#, "[D V]"),
            (r#"{{include "inc/b.tmpl" (map "n" 5)}}"#, "x[5 v]"),
            (
                r#"{{range ls "/"}}{{include "a.tmpl" .}}{{end}}"#,
                "[k v][l v]",
            ),
        ] {
            assert_eq!(templates.render(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn only_files_below_the_templates_directory() {
        let templates = Templates::new(
            "below",
            &[("a.tmpl", "a"), ("dir/b.tmpl", "b"), ("../secret", "s")],
        );
        let secret = templates.0.join("secret").display().to_string();
        for name in [
            "../secret",
            "dir/../../secret",
            secret.as_str(),
            "/etc/passwd",
            "..",
        ] {
            let message = templates.error(&format!("{{{{include {name:?}}}}}"));
            assert!(
                message.contains("is not below the templates directory"),
                "{message}"
            );
        }
        for name in ["none.tmpl", "dir", "", "."] {
            let message = templates.error(&format!("{{{{include {name:?}}}}}"));
            assert!(message.contains(": cannot "), "{message}");
        }
        assert!(
            templates
                .error(r#"{{include "a.tmpl" 1 2}}"#)
                .contains("one value")
        );
    }

    #[test]
    fn circles_are_found() {
        let templates = Templates::new(
            "circle",
            &[
                ("a.tmpl", r#"{{include "b.tmpl"}}"#),
                ("b.tmpl", r#"{{include "./a.tmpl"}}"#),
            ],
        );
        let message = templates.error(r#"{{include "a.tmpl"}}"#);
        assert!(
            message.ends_with("include cycle: a.tmpl -> b.tmpl -> ./a.tmpl"),
            "{message}"
        );
        let files: Vec<(String, String)> = (0..30)
            .map(|n| (format!("{n}"), format!("{{{{include \"{}\"}}}}", n + 1)))
            .collect();
        let chain = files.iter().map(|(name, text)| (&**name, &**text));
        let files: Vec<(&str, &str)> = chain.chain([("30", "end")]).collect();
        let templates = Templates::new("chain", &files);
        let message = templates.error(r#"{{include "0"}}"#);
        assert!(
            message.ends_with("include is nested deeper than 20 files"),
            "{message}"
        );
        assert_eq!(templates.render(r#"{{include "11"}}"#).unwrap(), "end");
    }

    #[test]
    fn errors_have_both_places() {
        let templates = Templates::new(
            "errors",
            &[
                ("a.tmpl", "x\n{{getv \"/none\"}}{{getv \"/no\"}}"),
                ("b.tmpl", "{{end}}"),
            ],
        );
        let error = templates.render(r#"{{include "a.tmpl"}}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Missing);
        assert_eq!(
            error.to_string(),
            "template: main.tmpl:1:2: executing \"main.tmpl\" at <include \"a.tmpl\">: error calling include: \
             template: a.tmpl:2:2: executing \"a.tmpl\" at <getv \"/none\">: error calling getv: key does not exist: /none"
        );
        let message = templates.error(r#"{{include "b.tmpl"}}"#);
        assert!(
            message.contains("template: b.tmpl:1: unexpected {{end}}"),
            "{message}"
        );
    }
}
