//! `html`, `js` and `urlquery`: text made safe for another language, as text/template and net/url
//! do it.
//!
//! Each takes the text of its arguments and returns at most
//! nine bytes for one.

use super::{unicode, utf8};

/// `template.HTMLEscape`
pub fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b'\'' => out.extend(b"&#39;"),
            b'"' => out.extend(b"&#34;"),
            b'&' => out.extend(b"&amp;"),
            b'<' => out.extend(b"&lt;"),
            b'>' => out.extend(b"&gt;"),
            0 => utf8::push(&mut out, utf8::ERROR),
            _ => out.push(byte),
        }
    }
    out
}

/// `template.JSEscape`: for the inside of a JavaScript string. Bytes that are not UTF-8 stay
/// unchanged.
pub fn js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (found, width) = utf8::decode(rest);
        let (this, after) = rest.split_at(width);
        match found {
            '\\' | '\'' | '"' => {
                out.push(b'\\');
                out.extend(this);
            }
            '<' | '>' | '&' | '=' | '\0'..' ' => push_unicode(&mut out, found),
            _ if found.is_ascii() || unicode::is_print(found) => out.extend(this),
            _ => push_unicode(&mut out, found),
        }
        rest = after;
    }
    out
}

fn push_unicode(out: &mut Vec<u8>, found: char) {
    out.extend(format!("\\u{:04X}", u32::from(found)).bytes());
}

/// `url.QueryEscape`: for one value in a URL's query; a space becomes `+`.
pub fn urlquery(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend(format!("%{byte:02X}").bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_in_go() {
        let all: fn(&[u8]) -> [Vec<u8>; 3] = |text| [html(text), js(text), urlquery(text)];
        for (text, want_html, want_js, want_url) in [
            (&b""[..], "", "", ""),
            (
                b"<b>&'\"</b>",
                "&lt;b&gt;&amp;&#39;&#34;&lt;/b&gt;",
                r#"\u003Cb\u003E\u0026\'\"\u003C/b\u003E"#,
                "%3Cb%3E%26%27%22%3C%2Fb%3E",
            ),
            (
                b"a b=c+d~e_f.g-h",
                "a b=c+d~e_f.g-h",
                r"a b\u003Dc+d~e_f.g-h",
                "a+b%3Dc%2Bd~e_f.g-h",
            ),
            (
                b"\0\n\\\x7f",
                "\u{fffd}\n\\\x7f",
                "\\u0000\\u000A\\\\\x7f",
                "%00%0A%5C%7F",
            ),
            (
                "é中\u{2028}".as_bytes(),
                "é中\u{2028}",
                "é中\\u2028",
                "%C3%A9%E4%B8%AD%E2%80%A8",
            ),
            (
                "\u{e0001}".as_bytes(),
                "\u{e0001}",
                "\\uE0001",
                "%F3%A0%80%81",
            ),
        ] {
            let want = [want_html, want_js, want_url].map(|want| want.as_bytes().to_vec());
            assert_eq!(all(text), want, "{text:?}");
        }
        let invalid = [&b"\xff"[..], b"\xff", b"%FF"].map(<[u8]>::to_vec);
        assert_eq!(all(b"\xff"), invalid);
    }
}
