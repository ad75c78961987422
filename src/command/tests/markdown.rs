//! Only plain text at the start of a line, at the top level.

use super::*;

/// Checks that `/hold` is a command in this comment.
fn check_command(body: &str) {
    assert_eq!(one(body), Command::Hold { stage: None, until: None, reason: None }, "{body}");
}

#[test]
fn plain_lines_are_commands() {
    for body in [
        "/hold",
        "/hold\n",
        "text\n/hold",
        "text\n\n/hold\n\ntext",
        "text\r\n/hold\r\n",
        "# title\n/hold",
        "- item\n\n/hold",
        "> quote\n\n/hold",
        "```\ncode\n```\n/hold",
        "<!-- note -->\n\n/hold",
        "<!--\n<details>\n-->\n\n/hold",
        "<details>\nx\n</details>\n\n/hold",
        "<br>\n\n/hold",
        "a<br>b\n/hold",
        "<p>\n\n/hold",
        "| a |\n|---|\n| b |\n\n/hold",
        "text  \n/hold",
        "text\\\n/hold",
        "text\r/hold",
        "[a]: /url\n\n/hold",
        "---\n\n/hold",
        "*text*\n/hold",
        "👍\n/hold",
    ] {
        check_command(body);
    }
}

#[test]
fn everything_else_is_not() {
    for body in [
        "`/hold`",
        "`text\n/hold`",
        "```\n/hold\n```",
        "~~~\n/hold\n~~~",
        "```\n/hold",
        "    /hold",
        "\t/hold",
        "> /hold",
        "> quote\n/hold",
        "- /hold",
        "- item\n/hold",
        "- item\n\n  /hold",
        "1. /hold",
        "1. item\n/hold",
        "# /hold",
        "/hold\n===",
        "/hold\n---",
        "**/hold**",
        "**text\n/hold**",
        "~~text\n/hold~~",
        "[text\n/hold](https://x.example)",
        "[/hold](x)",
        "![text\n/hold](x)",
        "<!-- /hold -->",
        "<!--\n/hold\n-->",
        "<details>\n/hold\n</details>",
        "<details>\n\n/hold\n\n</details>",
        "<blockquote>\n\n/hold\n\n</blockquote>",
        "<div hidden>\n\n/hold",
        "<pre>\n/hold\n</pre>",
        "<b\n/hold>",
        "text <b>\n/hold</b>",
        "| a |\n|---|\n/hold",
        "| a |\n|---|\n| /hold |",
        "\\/hold",
        "&#47;hold",
        " /hold",
        "   /hold",
        "\u{a0}/hold",
        "\u{feff}/hold",
        "[^1]: note\n/hold",
        "[a]:\n/hold",
        "text /hold",
        "/hold\u{a0}",
        "<https://x.example\n/hold>",
        "<script>\n/hold\n</script>",
        "text <span>\n\n/hold",
    ] {
        check_none(body);
    }
}

#[test]
fn our_own_texts_are_no_commands() {
    check_none(&help_text());
    for verb in Verb::ALL {
        assert!(help_text().contains(&format!("| `/{}", verb.name())));
    }
    insta::assert_snapshot!(help_text());
}

#[test]
fn many_marks_take_little_time() {
    for mark in ["[", "*", "`", "<", "> ", "![", "_a ", "/hold ", "- "] {
        let body = format!("{}\n/hold", mark.repeat(60_000 / mark.len()));
        let _ = parsed(&body);
    }
}
