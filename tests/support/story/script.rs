//! The lines of a story.

/// One line with the block under it.
#[derive(Debug, Clone)]
pub struct Line {
    pub number: usize,
    pub text: String,
    pub block: String,
}

impl Line {
    /// Whether it only looks at the world.
    pub fn is_expectation(&self) -> bool {
        self.text.starts_with("expect ") || self.text.starts_with("remember ")
    }
}

/// The lines of a story, without comments.
pub fn lines(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let in_block = found.last_mut().filter(|last| last.text.ends_with(':'));
        if let Some(last) = in_block.filter(|_| line.is_empty() || line.starts_with("  ")) {
            last.block.push_str(line.strip_prefix("  ").unwrap_or(line));
            last.block.push('\n');
        } else if !line.trim_end().is_empty() && !line.starts_with('#') {
            let (number, text) = (index + 1, line.trim_end().to_owned());
            found.push(Line { number, text, block: String::new() });
        }
    }
    found
}
