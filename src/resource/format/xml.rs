//! Well-formed XML 1.0: one root element, tags that match, attributes in quotes and once each,
//! references, comments, CDATA and processing instructions.
//!
//! A DOCTYPE is skipped, not read: where there is one, any entity may be used. Nothing here
//! recurses.

use std::collections::BTreeSet;

use super::Flaw;

/// Entities that every document has.
const ENTITIES: &[&str] = &["amp", "lt", "gt", "apos", "quot"];

/// Checks a document.
pub(super) fn check(text: &str) -> Result<(), Flaw> {
    let mut document = Document {
        text,
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        open: Vec::new(),
        has_root: false,
        has_doctype: false,
    };
    document.read_declaration()?;
    while document.at < text.len() {
        document.read_next()?;
    }
    match document.open.last() {
        Some((at, name)) => Err(Flaw::new(*at, format!("<{name}> is not closed"))),
        None if !document.has_root => Err(Flaw::new(text.len(), "no element")),
        None => Ok(()),
    }
}

/// A document as far as it has been read.
struct Document<'t> {
    text: &'t str,
    at: usize,
    /// The elements that are open, with their places, the innermost last.
    open: Vec<(usize, &'t str)>,
    has_root: bool,
    has_doctype: bool,
}

impl<'t> Document<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn flaw<T>(&self, message: impl Into<String>) -> Result<T, Flaw> {
        Err(Flaw::new(self.at, message))
    }

    /// The declaration may stand at the very beginning only.
    fn read_declaration(&mut self) -> Result<(), Flaw> {
        let rest = self.rest();
        if let Some(after) = rest.strip_prefix("<?xml")
            && after.starts_with(char::is_whitespace)
        {
            self.skip_past("?>", "the declaration has no ?>")?;
        }
        Ok(())
    }

    /// Reads the next piece of markup, or the text up to it.
    fn read_next(&mut self) -> Result<(), Flaw> {
        let rest = self.rest();
        if rest.starts_with("<!--") {
            self.read_comment()
        } else if rest.starts_with("<![CDATA[") {
            self.read_cdata()
        } else if rest.starts_with("<!DOCTYPE") {
            self.read_doctype()
        } else if rest.starts_with("<?") {
            self.read_instruction()
        } else if rest.starts_with("</") {
            self.read_end()
        } else if rest.starts_with('<') {
            self.read_start()
        } else {
            self.read_text()
        }
    }

    /// Goes on behind `end`.
    fn skip_past(&mut self, end: &str, message: &str) -> Result<&'t str, Flaw> {
        let rest = self.rest();
        let Some(length) = rest.find(end) else {
            return self.flaw(message);
        };
        self.check_characters(self.at, self.at + length)?;
        self.at += length + end.len();
        Ok(rest.get(..length).unwrap_or_default())
    }

    fn read_comment(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        self.at += "<!--".len();
        let comment = self.skip_past("-->", "the comment has no -->")?;
        if comment.contains("--") || comment.ends_with('-') {
            return Err(Flaw::new(start, "-- in a comment"));
        }
        Ok(())
    }

    fn read_cdata(&mut self) -> Result<(), Flaw> {
        if self.open.is_empty() {
            return self.flaw("text outside of the root element");
        }
        self.skip_past("]]>", "the CDATA section has no ]]>")
            .map(drop)
    }

    /// Skips a document type, with its internal subset in brackets.
    fn read_doctype(&mut self) -> Result<(), Flaw> {
        if self.has_root || self.has_doctype {
            return self.flaw("a DOCTYPE in this place");
        }
        self.has_doctype = true;
        let (mut quote, mut depth) = (None, 0_usize);
        for (offset, found) in self.rest().char_indices() {
            match (quote, found) {
                (Some(open), _) if open == found => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(found),
                (None, '<' | '[') => depth += 1,
                (None, '>') if depth == 1 => {
                    self.at += offset + 1;
                    return Ok(());
                }
                (None, '>' | ']') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        self.flaw("the DOCTYPE has no >")
    }

    fn read_instruction(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        self.at += "<?".len();
        let name = self.read_name("a processing instruction without a name")?;
        if name.eq_ignore_ascii_case("xml") {
            return Err(Flaw::new(
                start,
                "an XML declaration that is not at the beginning",
            ));
        }
        self.skip_past("?>", "the processing instruction has no ?>")
            .map(drop)
    }

    fn read_end(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        self.at += "</".len();
        let name = self.read_name("an end tag without a name")?;
        self.skip_space();
        if !self.rest().starts_with('>') {
            return self.flaw("the end tag has no >");
        }
        self.at += 1;
        match self.open.pop() {
            Some((_, open)) if open == name => Ok(()),
            Some((_, open)) => Err(Flaw::new(
                start,
                format!("</{name}> where </{open}> is due"),
            )),
            None => Err(Flaw::new(start, format!("</{name}> closes nothing"))),
        }
    }

    fn read_start(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        if self.open.is_empty() && self.has_root {
            return self.flaw("a second root element");
        }
        self.at += 1;
        let name = self.read_name("< is written &lt;")?;
        self.has_root = true;
        let mut attributes = BTreeSet::new();
        loop {
            let has_space = self.skip_space();
            let rest = self.rest();
            if rest.starts_with("/>") {
                self.at += 2;
                return Ok(());
            }
            if rest.starts_with('>') {
                self.at += 1;
                self.open.push((start, name));
                return Ok(());
            }
            if rest.is_empty() {
                return Err(Flaw::new(start, format!("the tag <{name} has no >")));
            }
            let place = self.at;
            if !has_space {
                return self.flaw("an attribute without a space before it");
            }
            let attribute = self.read_attribute()?;
            if !attributes.insert(attribute) {
                return Err(Flaw::new(
                    place,
                    format!("the attribute {attribute} comes twice"),
                ));
            }
        }
    }

    fn read_attribute(&mut self) -> Result<&'t str, Flaw> {
        let name = self.read_name("an attribute without a name")?;
        self.skip_space();
        if !self.rest().starts_with('=') {
            return self.flaw(format!("the attribute {name} has no value"));
        }
        self.at += 1;
        self.skip_space();
        let rest = self.rest();
        let Some(quote) = rest
            .chars()
            .next()
            .filter(|first| ['"', '\''].contains(first))
        else {
            return self.flaw(format!("the value of {name} has no quotes"));
        };
        let start = self.at;
        self.at += 1;
        let end = self.rest().find(quote);
        let Some(end) = end.map(|length| self.at + length) else {
            return Err(Flaw::new(
                start,
                format!("the value of {name} has no closing quote"),
            ));
        };
        self.check_text(end)?;
        self.at = end + 1;
        Ok(name)
    }

    /// Text between two pieces of markup.
    fn read_text(&mut self) -> Result<(), Flaw> {
        let rest = self.rest();
        let end = self.at + rest.find('<').unwrap_or(rest.len());
        if self.open.is_empty() {
            let space = rest.len() - rest.trim_start().len();
            self.at = end.min(self.at + space);
            return if self.at < end {
                self.flaw("text outside of the root element")
            } else {
                Ok(())
            };
        }
        let text = self.text.get(self.at..end).unwrap_or_default();
        if let Some(offset) = text.find("]]>") {
            return Err(Flaw::new(self.at + offset, "]]> in text"));
        }
        self.check_text(end)?;
        self.at = end;
        Ok(())
    }

    /// Checks characters and references up to an offset.
    fn check_text(&self, end: usize) -> Result<(), Flaw> {
        self.check_characters(self.at, end)?;
        let text = self.text.get(self.at..end).unwrap_or_default();
        if let Some(offset) = text.find('<') {
            return Err(Flaw::new(self.at + offset, "< is written &lt;"));
        }
        for (offset, _) in text.match_indices('&') {
            let after = text.get(offset + 1..).unwrap_or_default();
            let name = after.split_once(';').map(|(name, _)| name);
            if !name.is_some_and(|name| self.is_reference(name)) {
                return Err(Flaw::new(self.at + offset, "& is written &amp;"));
            }
        }
        Ok(())
    }

    fn is_reference(&self, name: &str) -> bool {
        let number = match name
            .strip_prefix('#')
            .map(|number| (number.strip_prefix('x'), number))
        {
            Some((Some(hex), _)) => u32::from_str_radix(hex, 16).ok(),
            Some((None, decimal)) => decimal.parse().ok(),
            None => return ENTITIES.contains(&name) || (self.has_doctype && is_name(name)),
        };
        number.and_then(char::from_u32).is_some_and(is_character)
    }

    fn check_characters(&self, start: usize, end: usize) -> Result<(), Flaw> {
        let text = self.text.get(start..end).unwrap_or_default();
        let mut characters = text.char_indices();
        match characters.find(|(_, found)| !is_character(*found)) {
            Some((offset, _)) => Err(Flaw::new(start + offset, "a character that XML forbids")),
            None => Ok(()),
        }
    }

    fn read_name(&mut self, message: &str) -> Result<&'t str, Flaw> {
        let rest = self.rest();
        let end = rest
            .find(|found| !is_name_character(found))
            .unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if !is_name(name) {
            return self.flaw(message);
        }
        self.at += end;
        Ok(name)
    }

    /// Skips white space; returns true if there was any.
    fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.at += length;
        length > 0
    }
}

/// XML's Char.
fn is_character(found: char) -> bool {
    !matches!(found, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// XML's NameChar, except for a few signs beyond ASCII.
fn is_name_character(found: char) -> bool {
    found.is_alphanumeric() || "_:-.·".contains(found)
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|first| first.is_alphabetic() || "_:".contains(first))
        && name.chars().all(is_name_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_documents_are_accepted() {
        let deep = format!("{}x{}", "<a>".repeat(50_000), "</a>".repeat(50_000));
        for text in [
            "<a/>",
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c - c -->\n<?pi x?>\n<a b='1' c=\"x > '\">é &amp; &#10;&#x4e2d;</a >\n",
            "<!DOCTYPE a [<!ENTITY e \"x>y\">\n<!ELEMENT a (#PCDATA)>]><a>&e;</a>",
            "<!DOCTYPE html PUBLIC \"-//W3C//DTD\" 'x'>\n<html/>",
            "<configuration><property><name>a.b</name><value></value></property><x:y xmlns:x=''/></configuration>",
            "<a><![CDATA[ < & ]] ]]></a>",
            "<元素/>",
            deep.as_str(),
        ] {
            assert_eq!(check(text), Ok(()), "{text:.80}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused_at_its_place() {
        for (text, offset, message) in [
            ("", 0, "no element"),
            ("<!-- a -->\n", 11, "no element"),
            ("<a>", 0, "<a> is not closed"),
            ("<a><b></a></b>", 6, "</a> where </b> is due"),
            ("<a/></a>", 4, "</a> closes nothing"),
            ("<a/><b/>", 4, "a second root element"),
            ("<a/>x", 4, "text outside of the root element"),
            ("x<a/>", 0, "text outside of the root element"),
            ("<a>a & b</a>", 5, "& is written &amp;"),
            ("<a>&nbsp;</a>", 3, "& is written &amp;"),
            ("<a>&#0;</a>", 3, "& is written &amp;"),
            ("<a>1 < 2</a>", 6, "< is written &lt;"),
            ("<a><no value></a>", 12, "the attribute value has no value"),
            ("<a b=1/>", 5, "the value of b has no quotes"),
            ("<a b=\"1/>", 5, "the value of b has no closing quote"),
            (
                "<a b='1'c='2'/>",
                8,
                "an attribute without a space before it",
            ),
            ("<a b='1' b='2'/>", 9, "the attribute b comes twice"),
            ("<a b='<'/>", 6, "< is written &lt;"),
            ("<a", 0, "the tag <a has no >"),
            ("<a>]]></a>", 3, "]]> in text"),
            ("<a><!-- a -- b --></a>", 3, "-- in a comment"),
            ("<a>\u{1}</a>", 3, "a character that XML forbids"),
            (
                "\n<?xml version='1.0'?><a/>",
                1,
                "an XML declaration that is not at the beginning",
            ),
            ("<a/><!DOCTYPE a>", 4, "a DOCTYPE in this place"),
            ("<!DOCTYPE a [", 0, "the DOCTYPE has no >"),
            ("<a></a", 6, "the end tag has no >"),
        ] {
            assert_eq!(check(text), Err(Flaw::new(offset, message)), "{text}");
        }
    }
}
