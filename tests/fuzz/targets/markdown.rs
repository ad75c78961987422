//! Comments of strangers as pages show them.

use std::sync::LazyLock;

use lockkeeper::forge::local::pages::markdown::render;
use regex::Regex;

/// Every tag that a page may get from a comment.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    let plain = "p|h[3-6]|ul|ol|li|blockquote|pre|code|em|strong|del|table|thead|tbody|tr|th|td|details|summary|br|hr";
    let link = "a href=\"[^\"<>]*\" rel=\"nofollow noopener noreferrer\"";
    Regex::new(&format!("^(?:</?(?:{plain})>|<(?:br|hr) />|<ol start=\"[0-9]+\">|<code class=\"language-[^\"<>]*\">|<{link}>|</a>)"))
        .unwrap()
});
static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new("<a href=\"([^\"]*)\"").unwrap());

/// Elements that are open until they are closed; the rest closes by itself.
const PAIRED: [&str; 3] = ["a", "details", "summary"];

/// Only our tags and attributes come out, links go to the web or stay here, and what is opened is closed.
pub fn markdown(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let html = render(&text);
    for (at, _) in html.match_indices('<') {
        assert!(
            TAG.is_match(&html[at..]),
            "{:?} of {text:?}",
            &html[at..].chars().take(80).collect::<String>()
        );
    }
    for link in LINK.captures_iter(&html) {
        let to = link[1].replace("&amp;", "&").to_ascii_lowercase();
        let scheme = to.split(['/', '?', '#']).next().unwrap_or_default();
        assert!(matches!(scheme, "http:" | "https:") || !scheme.contains(':'), "{to}");
        assert!(!to.starts_with("//") && !to.contains(['\\', '\n', '\t', ' ']), "{to}");
    }
    for name in PAIRED {
        let opened = html.matches(&format!("<{name}>")).count() + html.matches(&format!("<{name} ")).count();
        assert_eq!(opened, html.matches(&format!("</{name}>")).count(), "<{name}> in {html}");
    }
    let shown_max = 16 * text.len() + 200;
    assert!(html.len() <= 3 * shown_max, "{} bytes made {}", text.len(), html.len());
}
