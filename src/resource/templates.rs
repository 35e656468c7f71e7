//! The parsed templates of one thread, each parsed again only when its file has changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use super::funcs::FUNCTIONS;
use super::input::FileInput;
use crate::error::{self, Error, Result};
use crate::template::Template;

/// Parsed templates by their paths, which are compared byte by byte.
#[derive(Debug, Default)]
pub struct Templates {
    parsed: BTreeMap<OsString, Parsed>,
}

/// One template and the file that it was parsed from.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub file: FileInput,
    pub template: Rc<Template>,
}

impl Templates {
    /// The template at `path`, which resources call `src`.
    pub(super) fn get(&mut self, path: &Path, src: &str) -> Result<Parsed> {
        let read = |source| Error::io("read template", path, source);
        if let Some(known) = self.parsed.get(path.as_os_str())
            && known.file.is_unchanged(&fs::metadata(path).map_err(read)?)
        {
            return Ok(known.clone());
        }
        let (file, text) = FileInput::read(path).map_err(read)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let template = Template::parse(&name, &text, FUNCTIONS);
        let template = template.map_err(|error| error::Kind::Unprocessed {
            src: src.to_owned(),
            error,
        })?;
        let template = Rc::new(template);
        let parsed = Parsed { file, template };
        self.parsed.insert(path.into(), parsed.clone());
        Ok(parsed)
    }
}
