//! The files of the page, embedded.

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The name in the address, the type and the content of each.
#[rustfmt::skip]
const ASSETS: &[(&str, &str, &str)] = &[
    ("", HTML, include_str!("../page/index.html")),
    ("colours.css", CSS, include_str!("../page/colours.css")),
    ("style.css", CSS, include_str!("../page/style.css")),
    ("panes.css", CSS, include_str!("../page/panes.css")),
    ("api.js", SCRIPT, include_str!("../page/api.js")),
    ("code.js", SCRIPT, include_str!("../page/code.js")),
    ("dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("editing.js", SCRIPT, include_str!("../page/editing.js")),
    ("files.js", SCRIPT, include_str!("../page/files.js")),
    ("i18n.js", SCRIPT, include_str!("../page/i18n.js")),
    ("keys.js", SCRIPT, include_str!("../page/keys.js")),
    ("leaves.js", SCRIPT, include_str!("../page/leaves.js")),
    ("life.js", SCRIPT, include_str!("../page/life.js")),
    ("main.js", SCRIPT, include_str!("../page/main.js")),
    ("metadata.js", SCRIPT, include_str!("../page/metadata.js")),
    ("output.js", SCRIPT, include_str!("../page/output.js")),
    ("pointing.js", SCRIPT, include_str!("../page/pointing.js")),
    ("provenance.js", SCRIPT, include_str!("../page/provenance.js")),
    ("rows.js", SCRIPT, include_str!("../page/rows.js")),
    ("state.js", SCRIPT, include_str!("../page/state.js")),
    ("tabs.js", SCRIPT, include_str!("../page/tabs.js")),
    ("template.js", SCRIPT, include_str!("../page/template.js")),
    ("theme.js", SCRIPT, include_str!("../page/theme.js")),
];

/// The type and the content of a file.
pub(crate) fn asset(name: &str) -> Option<(&'static str, Vec<u8>)> {
    let found = ASSETS.iter().find(|(known, _, _)| *known == name);
    found.map(|(_, kind, content)| (*kind, content.as_bytes().to_vec()))
}
