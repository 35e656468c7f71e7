//! The help for a line of TOML that cannot be read: what was probably meant.
//!
//! It goes into the log, and what cannot be read may be a password: only keys that confd uses are
//! quoted, and their values.

use crate::keys::{self, Kind, is_same};
use crate::lookalike;

/// The help for a file that cannot be read at this place.
pub fn on(text: &str, offset: usize) -> String {
    match open_list(text, offset) {
        Some(key) => format!("close the list {key} with ]"),
        None => on_line(line_around(text, offset)),
    }
}

/// The message of the reader without words that say nothing.
pub fn words(message: &str) -> &str {
    let said = message.strip_suffix(", expected nothing");
    said.unwrap_or(message)
}

fn line_around(text: &str, offset: usize) -> &str {
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after
        .find('\n')
        .map_or(text.len(), |newline| offset + newline);
    text.get(start..end).unwrap_or_default()
}

/// The key of the list that the line before this place leaves open, where that line stands on its
/// own: its value begins with a bracket, and this line has another key.
fn open_list(text: &str, offset: usize) -> Option<&str> {
    let start = text.get(..offset)?.rfind('\n')?;
    let before = line_around(text, start);
    let (key, value) = before.split_once('=')?;
    let outside = outside_quotes(value);
    let count = |bracket| outside.iter().filter(|found| **found == bracket).count();
    let is_open = value.trim_start().starts_with('[') && count('[') > count(']');
    let has_key = outside_quotes(line_around(text, offset)).contains(&'=');
    (is_open && has_key).then(|| shown(key.trim()))
}

/// The help for a line that cannot be read, from the line alone: the reader's messages differ
/// between its versions.
fn on_line(line: &str) -> String {
    let mut whole = line.strip_suffix('\r').unwrap_or(line).chars();
    if let Some(found) = whole.find(|found| is_stray(*found)) {
        return format!("remove the control character U+{:04X}", u32::from(found));
    }
    // A full-width space at an end is a mistake, too.
    let line = line.trim_ascii();
    if line.starts_with("//") || line.starts_with(';') || line.starts_with("--") {
        return "comments begin with #".to_owned();
    }
    if let Some(help) = on_lookalike(line) {
        return help;
    }
    if line.starts_with('[') && !line.contains('=') {
        return if line.ends_with(']') {
            "remove one of the two sections".to_owned()
        } else {
            "close the bracket, as in [template]".to_owned()
        };
    }
    let Some((key, value)) = line.split_once('=') else {
        return match line.split_once(':') {
            Some((key, _)) => format!("write {} = \"…\"", shown(key.trim())),
            None => "a line is key = value".to_owned(),
        };
    };
    on_value(key.trim(), value.trim())
}

/// Returns true for a control character that may stand nowhere in a line.
fn is_stray(found: char) -> bool {
    found.is_ascii_control() && found != '\t'
}

/// The help for a full-width or typographic character outside of quotes.
fn on_lookalike(line: &str) -> Option<String> {
    let found = outside_quotes(line).into_iter();
    found
        .filter(|found| !found.is_ascii())
        .find_map(|found| match found {
            '，' | '、' => Some(format!(
                "separate values with a comma (,) instead of {found}"
            )),
            '＃' => Some("comments begin with #".to_owned()),
            '；' => Some("remove the ；".to_owned()),
            '［' | '【' => Some(format!("replace the full-width {found} with [")),
            '］' | '】' => Some(format!("replace the full-width {found} with ]")),
            _ => lookalike::help(found),
        })
}

/// The characters of a line that are neither in quotes nor in a comment.
fn outside_quotes(line: &str) -> Vec<char> {
    let mut outside = Vec::new();
    let mut open = None;
    for found in line.chars() {
        match open {
            Some(quote) if quote == found => open = None,
            Some(_) => {}
            None if found == '#' => break,
            None if matches!(found, '"' | '\'') => open = Some(found),
            None => outside.push(found),
        }
    }
    outside
}

/// A key as it may be shown.
fn shown(key: &str) -> &str {
    let mut used = keys::names(keys::SETTINGS).chain(keys::names(keys::RESOURCE));
    let is_used = used.any(|used| is_same(used, key));
    if is_used { key } else { "key" }
}

fn on_value(key: &str, value: &str) -> String {
    let shown = shown(key);
    let first = value.chars().next();
    // In double quotes a backslash takes the next character with it.
    let unescaped = match first {
        Some('"') => value.replace("\\\\", "").replace("\\\"", ""),
        _ => value.to_owned(),
    };
    let quotes = |quote: char| unescaped.chars().filter(|found| *found == quote).count();
    match first {
        None => format!("write a value after the =: {shown} = \"…\""),
        Some('"') if has_bad_escape(value) => {
            format!("single quotes keep every \\: {shown} = 'C:\\…'")
        }
        Some(quote @ ('"' | '\'')) if quotes(quote) % 2 == 1 => {
            format!("the closing {quote} is missing")
        }
        Some('"' | '\'') if quotes('"') + quotes('\'') == 2 => match behind_string(value) {
            Some(mark @ (';' | ',')) => format!("remove the {mark} behind the value"),
            Some(_) => {
                "nothing but a comment, which begins with #, stands behind a value".to_owned()
            }
            None => "remove one of the two keys".to_owned(),
        },
        Some('"') => "put single quotes around a string that has \" in it".to_owned(),
        Some('[') => "write a list as [\"/a\", \"/b\"], with commas".to_owned(),
        _ if matches!(value.to_ascii_lowercase().as_str(), "true" | "false") => {
            format!("write {shown} = {}", value.to_ascii_lowercase())
        }
        Some(_) if is_number(key) && value.bytes().all(|byte| byte.is_ascii_digit()) => {
            let number = value.trim_start_matches('0');
            format!(
                "write {key} = {}",
                if number.is_empty() { "0" } else { number }
            )
        }
        Some(_) if shown != key => "put the string in quotes".to_owned(),
        Some(_) => format!("put the string in quotes: {key} = \"{value}\""),
    }
}

/// Returns true for a key that has a whole number.
fn is_number(key: &str) -> bool {
    let mut keys = keys::SETTINGS.iter().chain(keys::RESOURCE);
    keys.any(|known| known.kind == Kind::Integer && is_same(known.name, key))
}

/// The first character behind a string, if it begins no comment.
fn behind_string(value: &str) -> Option<char> {
    let quote = value.chars().next()?;
    let (_, rest) = value.rsplit_once(quote)?;
    rest.trim_ascii_start()
        .chars()
        .next()
        .filter(|found| *found != '#')
}

/// Returns true if a string in double quotes has an invalid escape.
fn has_bad_escape(value: &str) -> bool {
    let mut rest = value.chars();
    while let Some(found) = rest.next() {
        if found == '\\'
            && !rest
                .next()
                .is_some_and(|next| "btnfre\"\\uU".contains(next))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    #[test]
    fn every_line_that_cannot_be_read_has_its_help() {
        for (text, want) in [
            ("mode = 0644\n", "put the string in quotes: mode = \"0644\""),
            ("uid = 0500\n", "write uid = 500"),
            ("Interval = 00\n", "write Interval = 0"),
            (
                "src = \"a\u{1b}b\"\n",
                "remove the control character U+001B",
            ),
            ("# a\u{c}\n", "remove the control character U+000C"),
            (
                "src = 'a'\rdest = 'b'\n",
                "remove the control character U+000D",
            ),
            ("src = mysql\n", "put the string in quotes: src = \"mysql\""),
            ("src = \"a\n", "the closing \" is missing"),
            ("src = 'a\n", "the closing ' is missing"),
            ("src = \"sh -c \\\"a\n", "the closing \" is missing"),
            (
                "src = \"C:\\x\"\n",
                "single quotes keep every \\: src = 'C:\\…'",
            ),
            ("［src］\n", "replace the full-width ［ with ["),
            (
                "src = \"a\"b\"\"\n",
                "put single quotes around a string that has \" in it",
            ),
            (
                "src = \"C:\\Program\"\n",
                "single quotes keep every \\: src = 'C:\\…'",
            ),
            ("src = “a”\n", "use straight quotes (\") instead of “"),
            (
                "src\u{3000}= \"a\"\n",
                "replace U+3000 with an ordinary space",
            ),
            ("src ＝ \"a\"\n", "replace the full-width ＝ with ="),
            (
                "src = \"a\"\u{3000}\n",
                "replace U+3000 with an ordinary space",
            ),
            (
                "\u{3000}src = \"a\"\n",
                "replace U+3000 with an ordinary space",
            ),
            ("src = \"a\" ＃ note\n", "comments begin with #"),
            ("src = \"a\";\n", "remove the ; behind the value"),
            ("src = 'a', # note\n", "remove the , behind the value"),
            (
                "src = \"a\" note\n",
                "nothing but a comment, which begins with #, stands behind a value",
            ),
            (
                "keys = [\"/\"\nmode = \"0644\"\n",
                "close the list keys with ]",
            ),
            (
                "src = \"a\" # one\nsrc = 'b'\n",
                "remove one of the two keys",
            ),
            (
                "keys = [\"/a\"，\"/b\"]\n",
                "separate values with a comma (,) instead of ，",
            ),
            ("src =\n", "write a value after the =: src = \"…\""),
            ("src: \"a\"\n", "write src = \"…\""),
            ("src\n", "a line is key = value"),
            ("noop = True\n", "write noop = true"),
            ("pass-word: x\n", "write key = \"…\""),
            ("password = x\n", "put the string in quotes"),
            ("c2VjcmV0=\n", "write a value after the =: key = \"…\""),
            (
                "keys = [\"/\" \"/b\"]\n",
                "write a list as [\"/a\", \"/b\"], with commas",
            ),
            ("src = \"a\"\nsrc = 'b'\n", "remove one of the two keys"),
            ("// note\n", "comments begin with #"),
            ("[section\n", "close the bracket, as in [template]"),
            ("[section]\n[section]\n", "remove one of the two sections"),
        ] {
            let error = DeTable::parse(text).expect_err(text);
            let at = error.span().expect(text).start;
            assert_eq!(on(text, at), want, "{text}");
        }
    }
}
