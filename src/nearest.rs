//! The known word that is most similar to a wrong one, for flags, settings and keys.

/// Longer words are not compared: nobody mistypes them by a letter or two, and the cost grows with
/// the square.
const LONGEST: usize = 128;

/// The known word that takes the fewest edits (letters added, removed, changed or swapped with a
/// neighbour) to become from `word`, if it takes so few that it was probably meant. Of equals, the
/// first.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = Word::new(word);
    let mut nearest: Option<(usize, &str)> = None;
    for candidate in known {
        if let Some(edits) = word.edits(candidate)
            && nearest.is_none_or(|(fewest, _)| edits < fewest)
        {
            nearest = Some((edits, candidate));
        }
    }
    nearest.map(|(_, candidate)| candidate)
}

/// A word to be compared with many.
pub(crate) struct Word {
    letters: Vec<char>,
    farthest: usize,
}

impl Word {
    /// Takes the word apart.
    pub(crate) fn new(word: &str) -> Word {
        let letters: Vec<char> = word.chars().take(LONGEST + 1).collect();
        let farthest = (letters.len() / 3).clamp(1, 3);
        Word { letters, farthest }
    }

    /// The edits that lead to `candidate`; none when there are so many that it was probably not
    /// meant.
    pub(crate) fn edits(&self, candidate: &str) -> Option<usize> {
        let edits = distance(&self.letters, candidate)?;
        (edits <= self.farthest).then_some(edits)
    }
}

/// The edits between two words (optimal string alignment); none for words that are too long.
fn distance(from: &[char], to: &str) -> Option<usize> {
    let to: Vec<char> = to.chars().take(LONGEST + 1).collect();
    if from.len() > LONGEST || to.len() > LONGEST {
        return None;
    }
    // Row i holds the edits from the first i letters of one word to each beginning of the other;
    // three rows are enough.
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let same = from[i - 1] == to[j - 1];
            let changed = last[j - 1] + usize::from(!same);
            let mut edits = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                edits = edits.min(before_last[j - 2] + 1);
            }
            row.push(edits);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("watch", "wathc", 1),
            ("ca", "abc", 3),
            ("größe", "grösse", 2),
        ];
        for (from, to, edits) in cases {
            let letters: Vec<char> = from.chars().collect();
            assert_eq!(distance(&letters, to), Some(edits), "{from} {to}");
        }
    }

    #[test]
    fn only_what_was_probably_meant_is_named() {
        let known = ["reload_cmd", "check_cmd", "src", "dest", "uid", "gid"];
        let cases = [
            ("relaod_cmd", Some("reload_cmd")),
            ("reload-cmd", Some("reload_cmd")),
            ("check_comand", Some("check_cmd")),
            ("scr", Some("src")),
            ("destination", None),
            ("did", Some("uid")),
            ("x", None),
            ("", None),
        ];
        for (word, meant) in cases {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        let long = "s".repeat(100_000);
        assert_eq!(nearest(&long, known), None);
    }
}
