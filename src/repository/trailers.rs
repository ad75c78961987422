//! Trailers: the `Key: value` lines that end a commit message.

/// Lines that git itself writes; one of them makes a trailer block of a paragraph that is not all trailers.
const GIT_LINES: [&str; 2] = ["Signed-off-by: ", "(cherry picked from commit "];

/// The trailers of a message, in order, values trimmed.
///
/// Source: git documentation, git-interpret-trailers (2.47): the last paragraph, not the first, when all its
/// lines are trailers or a quarter of them is and git wrote one. A line that begins with a blank goes on with
/// the one before.
#[must_use]
pub fn trailers(message: &str) -> Vec<(String, String)> {
    let mut trailers: Vec<(String, String)> = Vec::new();
    for line in block(message) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = trailers.last_mut() {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = trailer(line) {
            trailers.push((key.to_owned(), value.to_owned()));
        }
    }
    trailers
}

/// The addresses of those who wrote a commit together with its author, in lower case.
///
/// Source: GitHub's documentation, "Creating a commit with multiple authors": `Co-authored-by: name <address>`.
#[must_use]
pub fn co_authors(message: &str) -> Vec<String> {
    let address = |(key, value): (String, String)| {
        let is_one = key.eq_ignore_ascii_case("co-authored-by");
        let address = value.rsplit_once('<')?.1.strip_suffix('>')?.trim().to_lowercase();
        (is_one && !address.is_empty()).then_some(address)
    };
    trailers(message).into_iter().filter_map(address).collect()
}

/// The lines of the last paragraph; none where it holds no trailers.
fn block(message: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = message.lines().skip_while(|line| is_blank(line)).collect();
    while lines.last().is_some_and(|line| is_blank(line)) {
        lines.pop();
    }
    let Some(title_end) = lines.iter().position(|line| is_blank(line)) else { return Vec::new() };
    let start = lines.iter().rposition(|line| is_blank(line)).unwrap_or(title_end);
    let block = lines.split_off(start + 1);
    let heads: Vec<&str> = block.iter().copied().filter(|line| !line.starts_with([' ', '\t'])).collect();
    let by_git = heads.iter().any(|line| GIT_LINES.iter().any(|start| line.starts_with(start)));
    let count = heads.iter().filter(|line| trailer(line).is_some() || line.starts_with(GIT_LINES[1])).count();
    let begins = block.first().is_some_and(|line| !line.starts_with([' ', '\t']));
    let all = begins && count == heads.len();
    if all || (by_git && count * 4 >= heads.len()) { block } else { Vec::new() }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn trailer(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim_end_matches([' ', '\t']);
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    plain.then(|| (key, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_authors_are_trailers_with_an_address() {
        let message = "A change\n\nWords.\n\nCo-authored-by: Ben <Ben@Example.com>\nco-authored-by: Li Wu <7+li@users.noreply.example.com>\nReviewed-by: Eve <eve@example.com>\nCo-authored-by: Nobody\nCo-authored-by: <>\n";
        assert_eq!(co_authors(message), ["ben@example.com", "7+li@users.noreply.example.com"]);
        assert_eq!(co_authors("A change\n\nCo-authored-by: Ben <b@example.com>\n\nWords."), [""; 0]);
    }

    #[test]
    fn the_last_paragraph_holds_the_trailers() {
        for (message, want) in [
            ("title\n\nLane: normal\nStage: prod\n", "Lane=normal;Stage=prod"),
            ("title\n\nbody: text\n\nA: 1\n\n\n", "A=1"),
            ("Lane: normal\n", ""),
            ("title\nLane: normal\n", ""),
            ("title\n\nsome words\nLane: normal\n", ""),
            ("title\n\nsome words\nSigned-off-by: A <a@x>\nB: c\n", "Signed-off-by=A <a@x>;B=c"),
            ("title\n\nA: one\n two\nB :  x \n", "A=one two;B=x"),
            ("title\n\nA: x:y\nNo-Value:\n", "A=x:y;No-Value="),
            ("title\n\nA:\n behind\n", "A=behind"),
            ("title\n\nno trailer here\n", ""),
            ("\n\ntitle\n\nA: 1", "A=1"),
            ("", ""),
        ] {
            let found: Vec<String> =
                trailers(message).iter().map(|(key, value)| format!("{key}={value}")).collect();
            assert_eq!(found.join(";"), want, "{message:?}");
        }
    }
}
