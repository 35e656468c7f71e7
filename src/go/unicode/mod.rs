//! Go's package unicode, with the tables of the version that Go 1.19 has: categories, scripts,
//! cases and folding.
//!
//! The tables are in `tables.rs`, written by `generate.go`. std's own are of a newer version of
//! Unicode, and have neither categories nor scripts.

mod tables;

use tables::{CATEGORIES, CATEGORY_NAMES, FOLD, LOWER, SCRIPT_NAMES, SCRIPTS, UPPER};

/// The largest character, `unicode.MaxRune`.
pub const MAX: u32 = 0x10_FFFF;

/// Characters at equal steps that change by the same amount: first, last, step, and what to add.
struct Run(u32, u32, u8, i32);

/// Go's `unicode.ToLower`.
pub fn lower(found: char) -> char {
    if found.is_ascii() {
        return found.to_ascii_lowercase();
    }
    char_of(mapped(u32::from(found), &LOWER), found)
}

/// Go's `unicode.ToUpper`.
pub fn upper(found: char) -> char {
    if found.is_ascii() {
        return found.to_ascii_uppercase();
    }
    char_of(mapped(u32::from(found), &UPPER), found)
}

/// Go's `strings.ToLower`.
pub fn lowered(text: &str) -> String {
    text.chars().map(lower).collect()
}

/// Go's `unicode.SimpleFold`: the next larger character that differs only in case, or the
/// smallest of them.
pub fn simple_fold(code: u32) -> u32 {
    mapped(code, &FOLD)
        .or_else(|| mapped(code, &LOWER))
        .or_else(|| mapped(code, &UPPER))
        .unwrap_or(code)
}

fn char_of(code: Option<u32>, found: char) -> char {
    code.and_then(char::from_u32).unwrap_or(found)
}

fn mapped(code: u32, runs: &[Run]) -> Option<u32> {
    let index = runs.partition_point(|run| run.1 < code);
    let Run(first, _, step, change) = runs.get(index)?;
    let distance = code.checked_sub(*first)?;
    if distance % u32::from(*step) == 0 {
        code.checked_add_signed(*change)
    } else {
        None
    }
}

/// The general category, in two letters; empty for a character that is not assigned.
pub fn category(found: char) -> &'static str {
    let code = u32::from(found);
    let next = CATEGORIES.partition_point(|entry| entry >> 8 <= code);
    let entry = next.checked_sub(1).and_then(|index| CATEGORIES.get(index));
    let name = entry.and_then(|entry| CATEGORY_NAMES.get((entry & 0xFF) as usize));
    name.copied().unwrap_or_default()
}

/// Go's `unicode.IsLetter`.
pub fn is_letter(found: char) -> bool {
    if found.is_ascii() {
        return found.is_ascii_alphabetic();
    }
    category(found).starts_with('L')
}

/// Go's `unicode.IsDigit`: decimal digits of any script.
pub fn is_digit(found: char) -> bool {
    if found.is_ascii() {
        return found.is_ascii_digit();
    }
    category(found) == "Nd"
}

/// Go's `unicode.IsUpper`.
pub fn is_upper(found: char) -> bool {
    category(found) == "Lu"
}

/// Go's `unicode.IsLower`.
pub fn is_lower(found: char) -> bool {
    category(found) == "Ll"
}

/// Go's `unicode.IsPrint`, and `strconv.IsPrint`: what shows ink, and the ASCII space.
pub fn is_print(found: char) -> bool {
    if found.is_ascii() {
        return matches!(found, ' '..='~');
    }
    category(found).starts_with(['L', 'M', 'N', 'P', 'S'])
}

/// The ranges, first and last, of a general category (`Lu`), of a group of them (`L`), or of a
/// script (`Greek`).
pub fn ranges(name: &str) -> Option<Vec<(u32, u32)>> {
    if SCRIPT_NAMES.contains(&name) {
        return Some(ranges_of(&SCRIPTS, &SCRIPT_NAMES, |script| script == name));
    }
    let known =
        |category: &&str| *category == name || (name.len() == 1 && category.starts_with(name));
    CATEGORY_NAMES.iter().find(|name| known(name))?;
    Some(ranges_of(&CATEGORIES, &CATEGORY_NAMES, |category| {
        known(&category)
    }))
}

fn ranges_of(
    entries: &[u32],
    names: &[&'static str],
    wanted: impl Fn(&'static str) -> bool,
) -> Vec<(u32, u32)> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    let ends = entries.iter().skip(1).map(|next| next >> 8);
    for (entry, end) in entries.iter().zip(ends.chain([MAX + 1])) {
        let first = entry >> 8;
        match names.get((entry & 0xFF) as usize) {
            Some(name) if wanted(name) => match found.last_mut() {
                Some((_, last)) if *last + 1 == first => *last = end - 1,
                _ => found.push((first, end - 1)),
            },
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_those_of_go_1_19() {
        for (found, up, down) in [
            ('ß', 'ß', 'ß'),
            ('é', 'É', 'é'),
            ('集', '集', '集'),
            ('1', '1', '1'),
            ('İ', 'İ', 'i'),
            ('ı', 'I', 'ı'),
            ('ǆ', 'Ǆ', 'ǆ'),
            ('ǅ', 'Ǆ', 'ǆ'),
            ('ᾀ', 'ᾈ', 'ᾀ'),
            ('ŉ', 'ŉ', 'ŉ'),
            // Since Unicode 14 and 16; unknown to Go 1.19.
            ('\u{2c2f}', '\u{2c2f}', '\u{2c2f}'),
            ('\u{a7c0}', '\u{a7c0}', '\u{a7c0}'),
            ('\u{1c89}', '\u{1c89}', '\u{1c89}'),
            ('\u{19b}', '\u{19b}', '\u{19b}'),
        ] {
            assert_eq!((upper(found), lower(found)), (up, down), "{found:?}");
        }
        assert_eq!(lowered("ÄÖÜ İ Σ ZK"), "äöü i σ zk");
    }

    #[test]
    fn the_cases_of_old_characters_are_those_of_std() {
        let only = |mut all: std::char::ToLowercase| all.next();
        for found in ('\0'..=char::MAX).filter(|found| lower(*found) != *found) {
            assert_eq!(Some(lower(found)), only(found.to_lowercase()), "{found:?}");
        }
        for found in ('\0'..=char::MAX).filter(|found| upper(*found) != *found) {
            let mut std = found.to_uppercase();
            if std.len() == 1 {
                assert_eq!(Some(upper(found)), std.next(), "{found:?}");
            }
        }
    }

    #[test]
    fn folding_goes_through_all_cases() {
        for (from, to) in [
            ('A', 'a'),
            ('a', 'A'),
            ('K', 'k'),
            ('k', '\u{212A}'),
            ('\u{212A}', 'K'),
            ('s', 'ſ'),
            ('σ', 'Σ'),
            ('Σ', 'ς'),
            ('ς', 'σ'),
            ('1', '1'),
            ('İ', 'İ'),
            ('中', '中'),
        ] {
            let (from, to) = (u32::from(from), u32::from(to));
            let mut around = simple_fold(from);
            let orbit = std::iter::from_fn(|| {
                let now = around;
                around = simple_fold(around);
                (now != from).then_some(now)
            });
            let orbit: Vec<u32> = orbit.collect();
            assert!(
                to == from && orbit.is_empty() || orbit.contains(&to),
                "{from:x}"
            );
            assert!(orbit.len() < 4);
        }
        assert_eq!(simple_fold(0x4B), 0x6B);
    }

    #[test]
    fn categories_and_scripts() {
        for (found, want) in [
            ('a', "Ll"),
            ('A', "Lu"),
            ('ǅ', "Lt"),
            ('中', "Lo"),
            ('٣', "Nd"),
            ('²', "No"),
            ('\u{301}', "Mn"),
            ('，', "Po"),
            ('\u{3000}', "Zs"),
            ('€', "Sc"),
            ('\u{e000}', "Co"),
            ('\u{378}', ""),
            ('\u{10FFFF}', ""),
        ] {
            assert_eq!(category(found), want, "{found:?}");
        }
        assert_eq!(ranges("Lt").map(|all| all.len()), Some(10));
        let han = ranges("Han").unwrap_or_default();
        assert!(han.contains(&(0x4e00, 0x9ffc)), "{han:x?}");
        assert!(ranges("L").is_some_and(|all| all.contains(&(0x41, 0x5a))));
        for unknown in ["", "l", "greek", "Lx", "Cn", "Any", "中"] {
            assert_eq!(ranges(unknown), None, "{unknown}");
        }
        assert!(is_print('é') && is_print(' ') && !is_print('\u{a0}') && !is_print('\u{ad}'));
        assert!(is_letter('节') && !is_letter('\u{301}') && is_digit('٣') && !is_digit('²'));
        assert!(is_upper('É') && is_lower('é') && !is_lower('ǅ'));
    }
}
