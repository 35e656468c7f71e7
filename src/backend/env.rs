//! Environment variables as metadata: `HOSTS_I1_IP=10.0.0.1` is the key `/hosts/i1/ip`, as in the
//! original.

use std::sync::Arc;
use std::time::Duration;

use super::{Cancel, Fetched, Version};
use crate::error::{Error, Result};
use crate::go::path;
use crate::go::unicode;
use crate::tree::Tree;

/// Environment variables. They never change while the program runs.
#[derive(Debug)]
pub struct Environment {
    /// Clean, with a leading slash.
    prefix: String,
    poll_limit: Duration,
    cancel: Cancel,
}

impl Environment {
    /// The variables whose keys are below `prefix`.
    pub fn new(prefix: &str, poll_limit: Duration) -> Environment {
        let prefix = unicode::lowered(prefix);
        Environment {
            prefix,
            poll_limit,
            cancel: Cancel::default(),
        }
    }

    /// Reads the environment. Variables that are not UTF-8 text are left out: templates are text.
    pub fn fetch(&self) -> Result<Fetched> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                variables.push((name, value));
            }
        }
        let tree = tree_of(variables, &self.prefix);
        if tree.is_empty() {
            return Err(Error::backend(
                "environment".to_owned(),
                format!("no variable for a key below {}", self.prefix),
            ));
        }
        Ok(Fetched {
            tree: Arc::new(tree),
            version: Version(1),
        })
    }

    /// Nothing ever changes.
    pub fn wait(&self) -> Option<Fetched> {
        self.cancel.sleep(self.poll_limit);
        None
    }

    /// Ends a wait.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}

fn tree_of(mut variables: Vec<(String, String)>, prefix: &str) -> Tree {
    // Two names may be one key: sorted, so that it is always the same one that counts.
    variables.sort_unstable();
    let below = variables.iter().filter_map(|(name, value)| {
        let key = path::clean(&format!("/{}", unicode::lowered(name).replace('_', "/")));
        let rest = match prefix {
            "/" => key.as_str(),
            _ => key.strip_prefix(prefix)?,
        };
        let is_below = rest.starts_with('/') && rest.len() > 1;
        is_below.then(|| (rest.to_owned(), value))
    });
    Tree::from_pairs(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(variables: &[(&str, &str)], prefix: &str) -> Tree {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        tree_of(owned.collect(), prefix)
    }

    #[test]
    fn variables_are_keys() {
        let variables = [
            ("HOSTS_I1_IP", "10.0.0.1"),
            ("Path", "/bin"),
            ("_", "x"),
            ("A__B", ""),
        ];
        let expected = [
            ("/hosts/i1/ip", "10.0.0.1"),
            ("/path", "/bin"),
            ("/a/b", ""),
        ];
        assert_eq!(tree(&variables, "/"), Tree::from_pairs(expected));
    }

    #[test]
    fn of_names_for_one_key_it_is_always_the_same_that_counts() {
        for variables in [[("A_B", "1"), ("a_b", "2")], [("a_b", "2"), ("A_B", "1")]] {
            assert_eq!(tree(&variables, "/"), Tree::from_pairs([("/a/b", "2")]));
        }
    }

    #[test]
    fn only_what_is_below_the_prefix_counts() {
        let variables = [("APP_K", "1"), ("APP", "2"), ("APPLE_K", "3"), ("K", "4")];
        assert_eq!(tree(&variables, "/app"), Tree::from_pairs([("/k", "1")]));
        let error = Environment::new("/no-such-prefix", Duration::ZERO).fetch();
        let said = error.expect_err("nothing there").to_string();
        assert_eq!(
            said,
            "environment: no variable for a key below /no-such-prefix"
        );
    }

    #[test]
    fn this_process_has_an_environment() {
        let fetched = Environment::new("/", Duration::ZERO)
            .fetch()
            .expect("cargo sets some");
        let name = fetched
            .tree
            .leaves()
            .find(|(key, _)| key == "/cargo/pkg/name");
        assert_eq!(name.map(|(_, value)| value), Some("app-agent"));
    }
}
