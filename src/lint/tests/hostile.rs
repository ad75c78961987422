//! Texts that no reader expects.

use proptest::prelude::*;

use super::*;

/// Pieces of which files are made up that no reader expects.
const PIECES: [&str; 30] = [
    "docker",
    " run ",
    "pull",
    " web:latest",
    "$(",
    ")",
    "`",
    "\"",
    "'",
    "\\",
    "<<EOF",
    "\nEOF",
    "\n",
    "\r\n",
    " ",
    "#",
    "é🚀",
    "\u{feff}",
    "FROM ",
    "ARG A=",
    "${A",
    "}",
    "COPY --from=",
    "jobs: {a: {container: ",
    "image: ",
    "- ",
    "|\n  ",
    "@sha256:",
    ": ",
    "2>&1",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_is_too_odd_to_be_read(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        let text = pieces.concat();
        for file in ["a.yaml", ".github/workflows/a.yml", ".gitlab-ci.yml", ".drone.yml", "Dockerfile", "a.sh"] {
            for mention in survey(file, &text).mentions {
                let Region { line, column, end_column } = mention.region;
                prop_assert!(line >= 1 && column >= 1 && end_column >= column, "{:?}", mention);
                prop_assert!(line <= text.lines().count() + text.matches('\r').count() + 1);
            }
        }
    }
}
