use proptest::prelude::*;

use super::*;

fn check(text: &str, want: &str) {
    assert_eq!(render(text).trim(), want, "{text}");
}

#[test]
fn shows_what_lockkeeper_writes() {
    check("<!-- lockkeeper:v1 x -->\n**Decision** `a`", "<p><strong>Decision</strong> <code>a</code></p>");
    check("# a\n### b\n#### c", "<h3>a</h3>\n<h3>b</h3>\n<h4>c</h4>");
    check(
        "<details><summary>Commits (12)</summary>\n\n| a |\n|---|\n| b |\n\n</details>",
        "<details><summary>Commits (12)</summary>\n<table><thead><tr><th>a</th></tr></thead><tbody>\n\
         <tr><td>b</td></tr>\n</tbody></table>\n</details>",
    );
    check(
        "[x](https://a.example/b?c=d&e) [y](../7) [z](#a)",
        "<p><a href=\"https://a.example/b?c=d&amp;e\" rel=\"nofollow noopener noreferrer\">x</a> \
         <a href=\"../7\" rel=\"nofollow noopener noreferrer\">y</a> \
         <a href=\"#a\" rel=\"nofollow noopener noreferrer\">z</a></p>",
    );
}

#[test]
fn closes_a_table_before_details_end_without_a_blank_line() {
    let html = render("<details><summary>S</summary>\n\n| a |\n|---|\n| b |\n</details>\n\nafter");
    assert!(html.contains("</table>") && html.contains("</details>\n<p>after</p>"), "{html}");
}

#[test]
fn lets_nothing_else_through() {
    check("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
    check("a <b onclick=x>b</b>", "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>");
    check("<details open onclick=x>\n", "&lt;details open onclick=x&gt;");
    check("<details>", "<details></details>");
    check("</details>", "&lt;/details&gt;");
    check("<details>\n</summary>", "<details>\n&lt;/summary&gt;</details>");
    check("> <details>\n\nb", "<blockquote>\n&lt;details&gt;\n</blockquote>\n<p>b</p>");
    check("<!-- a --> <img src=x onerror=y>", "&lt;img src=x onerror=y&gt;");
    check("<!-- a", "&lt;!-- a");
    check("a <!-- b --> c", "<p>a  c</p>");
    check("<!--> <script>x</script> -->", "");
    check("![x](https://a.example/p.png)", "<p>x</p>");
    check("a\u{202e}b", "<p>a⟨U+202E⟩b</p>");
    check("pr\u{2060}od", "<p>pr⟨U+2060⟩od</p>");
    check("#\u{2060} by:\u{2060} @\u{2060}li", "<p># by: @li</p>");
}

#[test]
fn links_only_to_the_web_and_here() {
    for (to, is_safe) in [
        ("https://a.example", true),
        ("HTTP://a.example", true),
        ("a/b:c", true),
        ("?a=b:c", true),
        ("", true),
        ("javascript:alert(1)", false),
        ("JavaScript:alert(1)", false),
        ("java\tscript:alert(1)", false),
        (" javascript:alert(1)", false),
        ("\u{1}javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("vbscript:x", false),
        ("mailto:a@b.example", false),
        ("//evil.example", false),
        ("/\\evil.example", false),
        ("https://a.example/ b", false),
    ] {
        assert_eq!(is_safe_link(to), is_safe, "{to:?}");
    }
    check("<javascript:alert(1)>", "<p>javascript:alert(1)</p>");
    check("[x](javascript:alert(1))", "<p>x</p>");
    check("[x]\n\n[x]: java&#x73;cript:alert(1)", "<p>x</p>");
}

/// Every tag in the output, from `<` to `>` or the end.
fn tags(html: &str) -> Vec<&str> {
    html.match_indices('<').map(|(at, _)| html[at..].split_inclusive('>').next().unwrap()).collect()
}

proptest! {
    #[test]
    fn whatever_is_written_only_known_tags_come_out(
        text in r#"([ \n>\-*|`#!\[\]()"'a:=/]|<(/)?(details|summary|script|b|img src=x onerror=y)>?|<!--|-->|javascript:|https://a){0,40}"#
    ) {
        let html = render(&text);
        let known = ["p", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "table", "thead", "tbody",
            "tr", "th", "td", "h3", "h4", "h5", "h6", "hr", "br", "del", "details", "summary", "a"];
        let (mut opened, mut closed) = (0, 0);
        for tag in tags(&html) {
            let inside = tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches(" /");
            let name = inside.trim_start_matches('/').split(' ').next().unwrap();
            prop_assert!(known.contains(&name), "{tag} of {text:?} in {html}");
            let is_plain = !inside.contains(' ') || name == "a" || inside.starts_with("code class=\"language-")
                || inside.starts_with("ol start=\"");
            prop_assert!(is_plain, "{tag} of {text:?} in {html}");
            opened += usize::from(tag == "<details>" || tag == "<summary>");
            closed += usize::from(tag == "</details>" || tag == "</summary>");
        }
        prop_assert_eq!(opened, closed, "{} in {}", text, html);
        let has_script = html.contains("href=\"javascript");
        prop_assert!(!has_script);
    }
}
