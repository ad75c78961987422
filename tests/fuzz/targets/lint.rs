//! Files of a checkout, as the linter reads them: somebody else's pull request.

use lockkeeper::lint::{Kind, Survey, purges};

const KINDS: [Kind; 6] =
    [Kind::Manifest, Kind::GitHub, Kind::GitLab, Kind::OtherCi, Kind::Dockerfile, Kind::Script];

/// The first byte says which kind of file it is. Whatever is found stands within the file.
pub fn lint(data: &[u8]) {
    let Some((first, file)) = data.split_first() else { return };
    let kind = KINDS[usize::from(*first) % KINDS.len()];
    let text = String::from_utf8_lossy(file);
    let lines = text.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 1;
    let survey = Survey::of("file", kind, file, &[]);
    let regions = survey.mentions.iter().map(|mention| &mention.region);
    for region in regions.chain(survey.unread.iter().map(|unread| &unread.region)) {
        assert!((1..=lines).contains(&region.line), "line {} of {lines}", region.line);
        assert!(1 <= region.column && region.column <= region.end_column, "{region:?}");
    }
    for mention in &survey.mentions {
        assert!(!mention.text.is_empty());
    }
    for purge in purges(&text) {
        assert!((1..=lines).contains(&purge.line), "line {} of {lines}", purge.line);
    }
}
