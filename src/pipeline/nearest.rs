//! "Did you mean": the known word nearest to a mistyped one.

/// Longest word that is compared; the table then has at most 65 × 65 cells.
const WORD_CHARS_MAX: usize = 64;

/// The known word at most `distance_max` edits away from `word` (two neighbours swapped are one edit), the nearest
/// first, then the first in the list.
pub(crate) fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
    distance_max: usize,
) -> Option<&'a str> {
    let near = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let near = near.filter(|(distance, candidate)| *distance <= distance_max && *distance < candidate.len());
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Edits from one word to the other: a letter added, left out, replaced, or two neighbours swapped.
///
/// Source: the optimal string alignment form of the Damerau–Levenshtein distance.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(WORD_CHARS_MAX + 1).collect();
    let other: Vec<char> = other.chars().take(WORD_CHARS_MAX + 1).collect();
    if one.len() > WORD_CHARS_MAX || other.len() > WORD_CHARS_MAX {
        return usize::MAX;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, &letter) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &wanted) in other.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(letter != wanted);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let is_swap = row > 0
                && column > 0
                && one.get(row - 1) == Some(&wanted)
                && other.get(column - 1) == Some(&letter);
            if is_swap {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (one, other, want) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "abc", 3),
            ("rollback", "rolback", 1),
            ("rollback", "rollabck", 1),
            ("hold", "old", 1),
            ("status", "stats", 1),
            ("prod", "dev", 4),
            ("ca", "abc", 3),
        ] {
            assert_eq!(distance(one, other), want, "{one} {other}");
            assert_eq!(distance(other, one), want, "{other} {one}");
        }
        assert_eq!(distance(&"a".repeat(64), &"a".repeat(64)), 0);
        assert_eq!(distance(&"a".repeat(65), &"a".repeat(65)), usize::MAX);
    }

    #[test]
    fn the_nearest_word_within_the_distance_is_meant() {
        let known = ["hold", "rollback", "resume"];
        for (word, want) in
            [("rolback", Some("rollback")), ("hodl", Some("hold")), ("rezoom", None), ("xy", None)]
        {
            assert_eq!(nearest(word, known, 2), want, "{word}");
        }
    }
}
