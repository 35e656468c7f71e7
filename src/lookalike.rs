//! Full-width and typographic characters that look like ASCII ones, in templates and in TOML.

/// Characters that look like an ASCII one, with that one; a space for the spaces.
#[rustfmt::skip]
const LOOKALIKES: &[(char, char)] = &[
    ('“', '"'), ('”', '"'), ('„', '"'), ('＂', '"'), ('「', '"'), ('」', '"'), ('『', '"'), ('』', '"'),
    ('«', '"'), ('»', '"'),
    ('‘', '"'), ('’', '"'), ('＇', '"'), ('´', '"'),
    ('（', '('), ('）', ')'), ('【', '('), ('】', ')'), ('［', '('), ('］', ')'),
    ('｛', '{'), ('｝', '}'), ('，', ' '), ('、', ' '), ('；', ' '),
    ('：', ':'), ('＝', '='), ('｜', '|'), ('．', '.'), ('。', '.'), ('＄', '$'), ('／', '/'),
    ('－', '-'), ('—', '-'), ('–', '-'), ('−', '-'), ('＋', '+'), ('！', '!'),
    ('\u{3000}', ' '), ('\u{a0}', ' '), ('\u{2002}', ' '), ('\u{2003}', ' '), ('\u{2009}', ' '),
    ('\u{202f}', ' '), ('\u{200b}', ' '), ('\u{feff}', ' '),
];

/// The help for a full-width or typographic character where there should be an ASCII one.
pub(crate) fn help(found: char) -> Option<String> {
    let (_, ascii) = LOOKALIKES.iter().find(|(like, _)| *like == found)?;
    let code = u32::from(found);
    Some(match (found, ascii) {
        ('，' | '、' | '；', _) => "separate arguments with a space".to_owned(),
        (_, ' ') => format!("replace U+{code:04X} with an ordinary space"),
        (_, '"') => format!("use straight quotes (\") instead of {found}"),
        (_, ascii) => format!("replace the full-width {found} with {ascii}"),
    })
}
