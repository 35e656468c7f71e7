//! From the metadata service's JSON to leaves, in one pass over the text.
//!
//! The path so far is one buffer that grows and shrinks with the nesting. Errors carry no metadata: serde's own
//! complaints about types would quote values, so every type is accepted here and judged by our own words.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::{Builder, Tree};

/// Reads one whole JSON object with at least one leaf.
pub(super) fn parse(body: &[u8]) -> Result<Tree, String> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => return Err("the body is empty".to_owned()),
        Some(b'{') => {}
        Some(_) => return Err("the body is not a JSON object".to_owned()),
    }
    let mut walk = Walk::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    walk.deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| format!("the body is not valid JSON: {error}"))?;
    if walk.leaves.leaves.is_empty() {
        return Err("there is no metadata in it".to_owned());
    }
    Ok(walk.leaves.finish())
}

/// The leaves found so far and the path of the value that comes next.
#[derive(Default)]
struct Walk {
    path: String,
    leaves: Builder,
    /// The names of the objects that are being read, one after the other: for objects with the same name twice.
    names: String,
    seen: Vec<Seen>,
}

/// One name of an object that is being read.
struct Seen {
    /// Where in [`Walk::names`].
    name: Range<usize>,
    /// Which leaves its value gave.
    leaves: Range<usize>,
}

impl Walk {
    fn leaf(&mut self, value: &str) {
        self.leaves.push(&self.path, value);
    }

    /// Numbers are float64 in the original, printed without an exponent: `FormatFloat(v, 'f', -1, 64)`.
    fn number(&mut self, value: f64) {
        self.leaf(&value.to_string());
    }

    /// Does `read` one level further down.
    fn below<T, E>(
        &mut self,
        segment: &str,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<(), E> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(segment);
        read(self)?;
        self.path.truncate(length);
        Ok(())
    }

    /// Of the names from `first` on, what all but the last of equal ones gave.
    fn replaced(&mut self, first: usize) -> Vec<Range<usize>> {
        let Some(seen) = self.seen.get_mut(first..) else {
            return Vec::new();
        };
        let names = &self.names;
        let name = |seen: &Seen| names.get(seen.name.clone());
        if seen.is_sorted_by(|one, next| name(one) < name(next)) {
            return Vec::new();
        }
        seen.sort_unstable_by(|one, other| {
            (name(one), one.name.start).cmp(&(name(other), other.name.start))
        });
        let mut replaced = Vec::new();
        for pair in seen.windows(2) {
            if let [one, next] = pair
                && name(one) == name(next)
            {
                replaced.push(one.leaves.clone());
            }
        }
        replaced
    }

    /// Drops these leaves: a repeated key replaces all that its first value held.
    fn forget(&mut self, mut replaced: Vec<Range<usize>>) {
        replaced.sort_unstable_by_key(|range| range.start);
        let Some(first) = replaced.first().map(|range| range.start) else {
            return;
        };
        let mut replaced = replaced.into_iter().peekable();
        let tail = self.leaves.leaves.split_off(first);
        for (index, leaf) in (first..).zip(tail) {
            while replaced.next_if(|range| range.end <= index).is_some() {}
            if replaced.peek().is_none_or(|range| index < range.start) {
                self.leaves.leaves.push(leaf);
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.leaf(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.number(value as f64);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.number(value as f64);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.leaf(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.leaf("null");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (length, names, first) = (self.path.len(), self.names.len(), self.seen.len());
        loop {
            let start = self.names.len();
            if map.next_key_seed(Name(&mut self.names))?.is_none() {
                break;
            }
            let name = start..self.names.len();
            self.path.push('/');
            self.path
                .push_str(self.names.get(name.clone()).unwrap_or_default());
            let before = self.leaves.leaves.len();
            map.next_value_seed(&mut *self)?;
            self.path.truncate(length);
            let leaves = before..self.leaves.leaves.len();
            self.seen.push(Seen { name, leaves });
        }
        let replaced = self.replaced(first);
        self.forget(replaced);
        self.seen.truncate(first);
        self.names.truncate(names);
        Ok(())
    }

    /// An object's `name` stands for its index. It may come last, so elements are the one thing read whole first.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while let Some(element) = seq.next_element::<Json>()? {
            let name = element
                .get("name")
                .and_then(Json::as_str)
                .map(str::to_owned);
            let segment = name.unwrap_or_else(|| index.to_string());
            self.below(&segment, |walk| walk.deserialize(element))
                .map_err(serde::de::Error::custom)?;
            index += 1;
        }
        Ok(())
    }
}

/// Appends the name of a member to a text.
struct Name<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.push_str(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(body: &str) -> Vec<(String, String)> {
        let tree = parse(body.as_bytes()).expect(body);
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
            let problem = parse(body.as_bytes()).expect_err(body);
            assert!(!problem.contains("secret"), "{problem}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
    }
}
