//! Small damage to texts that are mostly right: what typing errors, bad merges and half-written
//! files look like.

use super::choices::Choices;

/// `text` with a few wounds, `other` being something to take pieces from, and `words` what means
/// something in such texts.
pub(super) fn mutate(
    text: &[u8],
    other: &[u8],
    words: &[Vec<u8>],
    choices: &mut impl Choices,
) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..1 + choices.below(4) {
        wound(&mut text, other, words, choices);
    }
    text
}

fn wound(text: &mut Vec<u8>, other: &[u8], words: &[Vec<u8>], choices: &mut impl Choices) {
    let place = choices.below(text.len() + 1);
    let end = place + choices.below((text.len() - place).min(16) + 1);
    match choices.below(8) {
        0 => {
            text.drain(place..end);
        }
        1 => text.truncate(place),
        2 => {
            let again = text[place..end].to_vec();
            text.splice(place..place, again);
        }
        3 => {
            if let Some(byte) = text.get_mut(place) {
                *byte ^= 1 << choices.below(8);
            }
        }
        4 => {
            let from = choices.below(other.len() + 1);
            let to = from + choices.below((other.len() - from).min(40) + 1);
            text.splice(place..end, other[from..to].iter().copied());
        }
        5 => {
            let byte = choices.below(256) as u8;
            text.insert(place, byte);
        }
        _ => {
            let word = words.get(choices.below(words.len()));
            text.splice(place..place, word.into_iter().flatten().copied());
        }
    }
}
