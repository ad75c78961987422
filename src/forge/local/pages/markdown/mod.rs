//! Markdown of strangers as HTML that is safe to show.
//!
//! All HTML in it is escaped, except `<details>`, `</details>`, `<summary>` and `</summary>` exactly as written here,
//! outside of lists and quotes, each closed as it was opened; and comments, which are left out, as they are the hidden
//! markers of programs. Links go to `http`, `https` or places relative to the page, and say `nofollow`; pictures are
//! not fetched, only their words are shown.

use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::body::visible;

/// The only tags that are let through.
const TAGS: [&str; 4] = ["<details>", "</details>", "<summary>", "</summary>"];

/// The HTML of this Markdown.
#[must_use]
pub fn render(text: &str) -> String {
    let text: String = text.split('\n').map(visible).collect::<Vec<_>>().join("\n");
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut safe = Safe::default();
    for event in Parser::new_ext(&text, options) {
        safe.take(event);
    }
    safe.finish()
}

/// Turns events into safe ones.
#[derive(Default)]
struct Safe<'text> {
    events: Vec<Event<'text>>,
    /// How many lists, quotes and other containers are open.
    depth: usize,
    /// The text of the HTML block that is being read.
    block: Option<String>,
    /// The tags that were let through and are not closed yet.
    open: Vec<&'static str>,
    /// For each link that is open, whether it was let through.
    links: Vec<bool>,
}

impl<'text> Safe<'text> {
    fn take(&mut self, event: Event<'text>) {
        match event {
            Event::Start(Tag::HtmlBlock) => self.block = Some(String::new()),
            Event::End(TagEnd::HtmlBlock) => {
                let block = self.block.take().unwrap_or_default();
                let block = self.block_html(&block);
                self.html(block);
            }
            Event::Html(text) => match &mut self.block {
                Some(block) => block.push_str(&text),
                None => self.html(escaped(&text)),
            },
            Event::InlineHtml(text) if is_comment(&text) => {}
            Event::InlineHtml(text) => self.html(escaped(&text)),
            Event::Start(Tag::Link { dest_url, .. }) => self.link(&dest_url),
            Event::End(TagEnd::Link) => {
                if self.links.pop() == Some(true) {
                    self.html("</a>".to_owned());
                }
            }
            // A picture is shown by its words.
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
            Event::Start(tag) => {
                self.depth += 1;
                self.events.push(Event::Start(lowered(tag)));
            }
            Event::End(end) => {
                self.depth = self.depth.saturating_sub(1);
                self.events.push(Event::End(lowered_end(end)));
            }
            // As other forges do in pull requests and comments: a line is a line.
            Event::SoftBreak => self.events.push(Event::HardBreak),
            Event::Text(text) => self.events.push(Event::Text(CowStr::from(without_joiners(&text)))),
            event @ (Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::HardBreak
            | Event::Rule
            | Event::TaskListMarker(_)) => self.events.push(event),
        }
    }

    fn finish(mut self) -> String {
        while let Some(tag) = self.open.pop() {
            self.html(closing(tag).to_owned());
        }
        let mut out = String::new();
        html::push_html(&mut out, self.events.into_iter());
        out
    }

    fn html(&mut self, html: String) {
        self.events.push(Event::Html(CowStr::from(html)));
    }

    fn link(&mut self, to: &str) {
        let is_safe = is_safe_link(to);
        self.links.push(is_safe);
        if is_safe {
            self.html(format!("<a href=\"{}\" rel=\"nofollow noopener noreferrer\">", escaped(to)));
        }
    }

    /// The HTML of a block: our few tags, no comments, the rest as text.
    fn block_html(&mut self, block: &str) -> String {
        let (mut out, mut rest) = (String::new(), block);
        while let Some(at) = rest.find('<') {
            let (before, after) = rest.split_at(at);
            out.push_str(&escaped(before));
            rest = if let Some(end) = comment_end(after) {
                after.get(end..).unwrap_or_default()
            } else if let Some(tag) = self.let_through(after) {
                out.push_str(tag);
                after.get(tag.len()..).unwrap_or_default()
            } else {
                out.push_str("&lt;");
                after.get(1..).unwrap_or_default()
            };
        }
        out.push_str(&escaped(rest));
        out
    }

    /// The tag that the text begins with, if it may stand here.
    fn let_through(&mut self, text: &str) -> Option<&'static str> {
        let tag = TAGS.into_iter().find(|tag| text.starts_with(tag)).filter(|_| self.depth == 0)?;
        if tag.starts_with("</") {
            let closes = self.open.last().is_some_and(|open| closing(open) == tag);
            closes.then(|| self.open.pop())?;
        } else {
            self.open.push(tag);
        }
        Some(tag)
    }
}

/// Text of ours has a joiner where other forges would see a mention, a reference or a link; here nothing follows from
/// these marks, and a joiner after one is not worth showing.
fn without_joiners(text: &str) -> String {
    ["@", "#", "!", ":", "-", "www", "WWW"]
        .iter()
        .fold(text.to_owned(), |text, mark| text.replace(&format!("{mark}\u{27e8}U+2060\u{27e9}"), mark))
}

fn closing(tag: &str) -> &'static str {
    if tag == "<details>" { "</details>" } else { "</summary>" }
}

fn is_comment(text: &str) -> bool {
    comment_end(text) == Some(text.len())
}

/// Where the comment that the text begins with ends.
fn comment_end(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("<!--")?;
    inside.find("-->").map(|at| at + "<!--".len() + "-->".len())
}

/// The headings of a text stand below those of the page, and nothing carries attributes.
fn lowered(tag: Tag<'_>) -> Tag<'_> {
    if let Tag::Heading { level, .. } = tag {
        return Tag::Heading { level: below(level), id: None, classes: Vec::new(), attrs: Vec::new() };
    }
    // Columns are not aligned: that would take a `style` attribute.
    if let Tag::Table(alignments) = tag {
        return Tag::Table(vec![Alignment::None; alignments.len()]);
    }
    tag
}

fn lowered_end(end: TagEnd) -> TagEnd {
    if let TagEnd::Heading(level) = end { TagEnd::Heading(below(level)) } else { end }
}

fn below(level: HeadingLevel) -> HeadingLevel {
    level.max(HeadingLevel::H3)
}

/// Whether a link goes to a web address or stays here. Blanks and control characters, which browsers drop while they
/// look for the scheme, and `//host` are refused.
fn is_safe_link(to: &str) -> bool {
    if to.chars().any(|letter| letter.is_whitespace() || letter.is_control() || letter == '\\') {
        return false;
    }
    let lower = to.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return true;
    }
    let scheme_end = to.find(['/', '?', '#']).unwrap_or(to.len());
    !to.starts_with("//") && !to.get(..scheme_end).unwrap_or_default().contains(':')
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests;
