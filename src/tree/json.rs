//! From the metadata service's JSON to a tree, in one pass over the bytes.
//!
//! Read here is what the service sends: objects whose names are single segments in ascending order,
//! with strings in them. Whatever else comes along (arrays, numbers, another order, names with
//! slashes, anything that is not JSON) is left to
//! [`super::flatten`], which knows all rules and finds the words for errors.

use std::borrow::Cow;
use std::mem;

use super::builder::Builder;
use super::following::Following;
use super::mark::Mark;
use super::{DirId, Tree, flatten};

/// As deep as serde_json lets objects nest.
const DEEPEST: usize = 127;

/// Reads one whole JSON object with at least one leaf. Its directories get marks, and are copied
/// from the tree before, if it is `following` one.
pub(super) fn parse(body: &[u8], following: Option<Following<'_>>) -> Result<Tree, String> {
    match body.trim_ascii_start().first() {
        None => return Err("the body is empty".to_owned()),
        Some(b'{') => {}
        Some(_) => return Err("the body is not a JSON object".to_owned()),
    }
    let tree = match parse_plain(body, following) {
        Some(tree) => tree,
        None => flatten::parse(body)?,
    };
    if tree.is_empty() {
        return Err("there is no metadata in it".to_owned());
    }
    Ok(tree)
}

/// The tree of nothing but objects and strings; none when there is anything else.
fn parse_plain(body: &[u8], following: Option<Following<'_>>) -> Option<Tree> {
    let mut scan = Scan {
        text: str::from_utf8(body).ok()?,
        at: 0,
    };
    let older = following.and_then(|following| following.older);
    let mut builder = match older {
        Some(older) => Builder::like(older),
        // Names that come again and again are stored once.
        None => Builder::new(body.len() / 2),
    };
    scan.expect(b'{')?;
    let mut object = Object::new(0);
    object.older = older.map(Tree::root);
    // Those around it.
    let mut objects: Vec<Object<'_>> = Vec::new();
    loop {
        let is_first = object.before.is_empty();
        if is_first && scan.skip(b'}') || !is_first && !scan.skip(b',') {
            if !is_first {
                scan.expect(b'}')?;
            }
            let Some(around) = objects.pop() else {
                break;
            };
            builder.close(object.mark(body.get(object.start..scan.at)?, following));
            object = around;
            continue;
        }
        let name = scan.string()?;
        if !is_segment(&name) || name <= object.before {
            return None;
        }
        scan.expect(b':')?;
        if scan.skip(b'{') {
            let mut inner = Object::new(scan.at - 1);
            if let Some(following) = following {
                inner.older = object.find(&name, following);
                if let Some((older, dir, end)) = inner.same(body, following) {
                    builder.copy(older, dir);
                    scan.at = end;
                    object.before = name;
                    continue;
                }
            }
            builder.open(&name);
            object.before = name;
            objects.push(mem::replace(&mut object, inner));
            if objects.len() >= DEEPEST {
                return None;
            }
        } else {
            builder.leaf(&name, &scan.string()?);
            object.before = name;
        }
    }
    scan.next().is_none().then(|| builder.finish())
}

/// An object that is being read.
struct Object<'b> {
    /// Where its text begins.
    start: usize,
    /// The name before the next one, which must come after it; empty before the first.
    before: Cow<'b, str>,
    /// The directory that it was in the older tree.
    older: Option<DirId>,
    /// The directory in that which was found last.
    near: DirId,
    /// The mark of as much text as that directory had.
    tested: Mark,
}

impl Object<'_> {
    /// An object whose text begins at `start`.
    fn new(start: usize) -> Self {
        Object {
            start,
            before: Cow::Borrowed(""),
            older: None,
            near: 0,
            tested: Mark::NONE,
        }
    }

    /// The directory of this name that it had in the older tree. Mostly they come one after the
    /// other.
    fn find(&mut self, name: &str, following: Following<'_>) -> Option<DirId> {
        let (older, dir) = (following.older?, self.older?);
        self.near = older.find_dir(dir, name.as_bytes(), self.near + 1)?;
        Some(self.near)
    }

    /// The directory that it was in the older tree, if the text has not changed, and the end of
    /// that.
    fn same<'t>(
        &mut self,
        body: &[u8],
        following: Following<'t>,
    ) -> Option<(&'t Tree, DirId, usize)> {
        let (older, dir) = (following.older?, self.older?);
        let known = older.dir(dir).mark;
        let end = self.start + known.len();
        // Mostly a text of another length ends elsewhere.
        let text = body.get(self.start..end)?;
        self.tested = text.ends_with(b"}").then(|| following.marker.mark(text))?;
        (self.tested == known).then_some((older, dir, end))
    }

    /// The mark of its text, if the tree gets marks.
    fn mark(&self, text: &[u8], following: Option<Following<'_>>) -> Mark {
        match following {
            None => Mark::NONE,
            Some(_) if self.tested.len() == text.len() => self.tested,
            Some(Following { marker, .. }) => marker.mark(text),
        }
    }
}

/// True when a name is one segment of a clean path.
fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.as_bytes().contains(&b'/')
}

/// The number of bytes before the first that means something in a string: a quote, a backslash, a
/// control character.
fn plain_len(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    // The high bit of the lowest byte that is less than `limit`, of at most 128, and perhaps of
    // bytes above that.
    let less = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & (ONES << 7);
    let mut len = 0;
    while let Some(Ok(word)) = bytes.get(len..len + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(word);
        let equal = |byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
        let found = equal(b'"') | equal(b'\\') | less(word, u64::from(b' '));
        if found != 0 {
            return len + found.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let rest = bytes.get(len..).unwrap_or_default();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    len + rest.iter().position(special).unwrap_or(rest.len())
}

/// A JSON text, read as far as `at`.
struct Scan<'b> {
    text: &'b str,
    at: usize,
}

impl<'b> Scan<'b> {
    /// The next byte that is not space; it is not taken.
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// Takes a byte, if it comes next.
    fn skip(&mut self, byte: u8) -> bool {
        // Mostly there is no space.
        let found = self.text.as_bytes().get(self.at) == Some(&byte) || self.next() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip(byte).then_some(())
    }

    /// Takes a string.
    fn string(&mut self) -> Option<Cow<'b, str>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut is_plain = true;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let plain = plain_len(rest);
            self.at += plain;
            match rest.get(plain)? {
                b'"' => break,
                b'\\' => {
                    is_plain = false;
                    self.at += 2;
                }
                _ => return None,
            }
        }
        let end = self.at;
        self.at += 1;
        if is_plain {
            return self.text.get(start..end).map(Cow::Borrowed);
        }
        let quoted = self.text.get(start - 1..=end)?;
        serde_json::from_str(quoted).ok().map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Seeded;
    use super::*;

    fn leaves(body: &str) -> Vec<(String, String)> {
        let tree = parse(body.as_bytes(), None).expect(body);
        tree.leaves()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    #[test]
    fn every_kind_of_value() {
        for (body, want) in [
            (r#"{"a":"x","b":{"c":""}}"#, "/a=x /b/c="),
            (
                r#"{"t":true,"f":false,"n":null}"#,
                "/f=false /n=null /t=true",
            ),
            (r#"{"e":{},"l":[],"k":"v"}"#, "/k=v"),
            (
                r#"{"l":["a",{"name":"n","v":"1"},{"v":"2"},["b"]]}"#,
                "/l/0=a /l/2/v=2 /l/3/0=b /l/n/name=n /l/n/v=1",
            ),
            (
                r#"{"l":[{"name":5},{"name":null}]}"#,
                "/l/0/name=5 /l/1/name=null",
            ),
            (
                r#"{"l":[{"v":{"w":["x"]},"name":"last"}]}"#,
                "/l/last/name=last /l/last/v/w/0=x",
            ),
            (
                r#"{"i":1000000,"g":-7,"h":1e21,"s":1e-7,"z":-0,"d":1.50,"m":18446744073709551615}"#,
                "/d=1.5 /g=-7 /h=1000000000000000000000 /i=1000000 /m=18446744073709552000 /s=0.0000001 /z=-0",
            ),
            (
                r#"{"a":{"x":"1","y":"2"},"b":"3","a":{"z":"4"}}"#,
                "/a/z=4 /b=3",
            ),
            (r#"{"a":"1","a":"2","a":"3"}"#, "/a=3"),
            (
                r#"{"b":{"x":"1","x":{"y":"2"}},"a":"3","b":{"x":"4","w":"5"},"c":{"x":"6"}}"#,
                "/a=3 /b/w=5 /b/x=4 /c/x=6",
            ),
            (
                r#"{"a":{"b":"1"},"ab":"2","a":{"ab":"3"}}"#,
                "/a/ab=3 /ab=2",
            ),
            (
                r#"{"a//b":"1","c/":{"./d":"2"},"e":{"..":"3"},"":"4"}"#,
                "/=4 /a/b=1 /c/d=2",
            ),
            (r#"{"a":"1","a-b":"2"} "#, "/a=1 /a-b=2"),
        ] {
            let found: Vec<_> = leaves(body)
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            assert_eq!(found.join(" "), want, "{body}");
        }
    }

    #[test]
    fn anything_but_a_whole_object_is_refused_without_quoting_it() {
        let deep = format!("{}1{}", "{\"secret\":".repeat(100_000), "}".repeat(100_000));
        let deep_list = format!(
            "{{\"secret\":{}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        for body in [
            "",
            " \n",
            "\"secret\"",
            "[\"secret\"]",
            "null",
            "5",
            "<html>secret</html>",
            "{",
            "{\"secret\":",
            "{\"secret\":\"x\"",
            "{\"secret\":\"x\"}}",
            "{\"a\":\"b\"} secret",
            "{\"secret\":1e999}",
            "{}",
            "{\"secret\":{}}",
            "{\"secret\":[[],{}]}",
            "{secret:1}",
            "{\"a\":secret}",
            "{\"secret\":\"\\ud800\"}",
            "{5:\"secret\"}",
            "{\"secret\":tru}",
            deep.as_str(),
            deep_list.as_str(),
        ] {
            let problem = parse(body.as_bytes(), None).expect_err(body);
            assert!(!problem.contains("secret"), "{problem}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}", None).is_err());
    }

    /// An object, mostly as the service writes it.
    fn random_object(random: &mut Seeded, depth: usize, out: &mut String) {
        let mut names = vec!["a", "a-b", "a.b", "b", "c", "i-1", "i-10", "z\u{1}中"];
        names.retain(|_| random.below(3) > 0);
        if random.below(30) == 0 {
            names.push(random.pick(&["a", "..", "", "b/c", "/", "."]));
        }
        out.push('{');
        for (place, name) in names.into_iter().enumerate() {
            out.push_str(if place > 0 { "," } else { "" });
            out.push_str(&serde_json::to_string(name).unwrap());
            out.push_str(if random.below(9) == 0 { " : " } else { ":" });
            match random.below(12) {
                0..4 if depth > 0 => random_object(random, depth - 1, out),
                4 if random.below(9) == 0 => out.push_str(r#"[1,{"name":"n","v":[]},null,true]"#),
                5 => out.push_str(r#""\u003c\"\\x\n""#),
                _ => out.push_str(random.pick(&[r#""""#, r#""10.0.0.1""#, r#""中 ""#])),
            }
        }
        out.push('}');
    }

    #[test]
    fn random_json_is_read_alike_both_ways() {
        let mut random = Seeded(0x1234_5678_9ABC_DEF1);
        let mut plain = 0;
        for _ in 0..2000 {
            let mut body = String::new();
            random_object(&mut random, 3, &mut body);
            let flat = flatten::parse(body.as_bytes()).expect(&body);
            if let Some(tree) = parse_plain(body.as_bytes(), None) {
                plain += 1;
                let leaves: Vec<_> = tree.leaves().collect();
                assert_eq!(leaves, flat.leaves().collect::<Vec<_>>(), "{body}");
                assert_eq!(tree, flat);
            }
        }
        assert!((500..2000).contains(&plain), "{plain}");
    }

    #[test]
    fn what_means_something_in_a_string_is_found_anywhere() {
        for before in 0..20 {
            for after in 0..20 {
                for special in ["\"", "\\", "\n", "\0", "\u{1f}"] {
                    let text =
                        format!("{}{special}{}", "é~ #[".repeat(before), "\"x".repeat(after));
                    assert_eq!(plain_len(text.as_bytes()), before * 6, "{text:?}");
                }
            }
            let text = "\u{7f}\u{80}ÿ!".repeat(before);
            assert_eq!(plain_len(text.as_bytes()), text.len());
        }
    }

    #[test]
    fn both_readers_read_the_same() {
        let plain = |body: &str| parse_plain(body.as_bytes(), None);
        for body in [
            r#"{"a":"x","b":{"c":""}}"#,
            r#" { "a" : { } , "b" : { "c" : "\u003c\"\\" } } "#,
            r#"{"a":{"k":"1"},"a-b":{"k":"2"},"a.b":{"k":"3"}}"#,
            r#"{"i-1":"1","i-10":{"k":"2"},"i\u002d2":"3","中":"中"}"#,
        ] {
            let tree = plain(body).expect(body);
            let flat = flatten::parse(body.as_bytes()).expect(body);
            assert_eq!(
                tree.leaves().collect::<Vec<_>>(),
                flat.leaves().collect::<Vec<_>>()
            );
        }
        let deep = format!("{}\"1\"{}", "{\"a\":".repeat(128), "}".repeat(128));
        for body in [
            r#"{"b":"1","a":"2"}"#,
            r#"{"a":"1","a":"2"}"#,
            r#"{"a":{"x":"1"},"a":"2"}"#,
            r#"{"a/b":"1"}"#,
            r#"{"":"1"}"#,
            r#"{"..":"1"}"#,
            r#"{"a":1}"#,
            r#"{"a":["1"]}"#,
            r#"{"a":"1",}"#,
            r#"{"a":"1"}}"#,
            r#"{"a":"1" "b":"2"}"#,
            r#"{,"a":"1"}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":"\ud800"}"#,
            r#"{"a":"1"#,
            r#"{"a":"1\"#,
            deep.as_str(),
        ] {
            assert!(plain(body).is_none(), "{body}");
        }
    }
}
