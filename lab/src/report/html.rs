//! HTML as text. Whatever is not markup of this program goes through [`Html::text`], which escapes
//! it.

/// A document while it is written.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup, which only this program has written.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// A text, with nothing in it that a browser could take for markup.
    pub(super) fn text(&mut self, text: &str) -> &mut Html {
        for found in text.chars() {
            match found {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Browsers drop some of them and show nothing for the others.
                found if found.is_control() && found != '\n' && found != '\t' => {
                    self.0.push('\u{fffd}');
                }
                found => self.0.push(found),
            }
        }
        self
    }

    /// A text in an element without attributes.
    pub(super) fn element(&mut self, name: &'static str, text: &str) -> &mut Html {
        self.raw("<").raw(name).raw(">").text(text);
        self.raw("</").raw(name).raw(">")
    }

    /// A text in an element of this class.
    pub(super) fn classed(
        &mut self,
        name: &'static str,
        class: &'static str,
        text: &str,
    ) -> &mut Html {
        self.raw("<").raw(name).raw(" class=\"").raw(class);
        self.raw("\">").text(text);
        self.raw("</").raw(name).raw(">")
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let mut html = Html::default();
        html.classed("td", "x", "<script>'&\"\u{1b}[0m\r\n\t");
        assert_eq!(
            html.into_string(),
            "<td class=\"x\">&lt;script&gt;&#39;&amp;&quot;\u{fffd}[0m\u{fffd}\n\t</td>"
        );
    }
}
