//! Names that are sent to git or looked up in it: refs, branches, revisions, paths.

use super::RepositoryError;
use super::error::{no_edit, not_found};
use super::text;

/// Bytes of a ref name: what a file system allows for one path, and git hosts allow less.
const REF_BYTES_MAX: usize = 1_024;
/// Bytes of a path in a tree, `PATH_MAX` of Linux.
const PATH_BYTES_MAX: usize = 4_096;
/// Folders above a file. Walks recurse once a level, so this bounds their stack.
pub(super) const PATH_PARTS_MAX: usize = 64;

/// Where the mirror keeps the refs it saw at the remote: `refs/heads/x` is `refs/mirror/heads/x` there.
pub(super) const MIRROR_REFS: &str = "refs/mirror/";

/// The path of an entry below a folder (`""` for the root), for people where its bytes are not UTF-8.
pub(super) fn below(folder: &str, entry: &[u8]) -> String {
    let name = String::from_utf8_lossy(entry);
    if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") }
}

/// The full name of a branch, or of any ref that starts with `refs/`.
pub(super) fn branch(name: &str) -> Result<String, RepositoryError> {
    if name.starts_with("refs/") {
        return reference(name).map(str::to_owned);
    }
    let full = format!("refs/heads/{name}");
    if name.starts_with('-') {
        return Err(bad_ref(name));
    }
    reference(&full)?;
    Ok(full)
}

/// The same name where it is a full and valid one.
pub(super) fn reference(name: &str) -> Result<&str, RepositoryError> {
    let valid =
        name.len() <= REF_BYTES_MAX && name.starts_with("refs/") && git2::Reference::is_valid_name(name);
    if valid { Ok(name) } else { Err(bad_ref(name)) }
}

/// The same prefix where it can be asked for.
pub(super) fn prefix(name: &str) -> Result<&str, RepositoryError> {
    let plain = !name.bytes().any(|byte| byte.is_ascii_control() || byte == b' ');
    if name.len() <= REF_BYTES_MAX && name.starts_with("refs/") && plain {
        Ok(name)
    } else {
        Err(bad_ref(name))
    }
}

/// The name of a ref of the remote in the mirror.
pub(super) fn mirrored(name: &str) -> String {
    format!("{MIRROR_REFS}{}", name.strip_prefix("refs/").unwrap_or(name))
}

/// A revision: a name (branch, tag, id, `HEAD`) and steps up from it (`~2`, `^`). The search forms of git
/// (`:/`, `@{`) are refused, they walk the whole history.
pub(super) fn revision(text: &str) -> Result<(&str, &str), RepositoryError> {
    let (name, steps) = text.split_at(text.find(['~', '^']).unwrap_or(text.len()));
    let plain_steps =
        steps.len() <= 32 && steps.bytes().all(|byte| matches!(byte, b'~' | b'^' | b'0'..=b'9'));
    let plain_name = !name.is_empty()
        && name.len() <= REF_BYTES_MAX
        && !name.starts_with('-')
        && git2::Reference::is_valid_name(&format!("refs/heads/{name}"));
    if plain_name && plain_steps {
        return Ok((name, steps));
    }
    Err(not_found(format!("revision `{}`", text::line(text.as_bytes()))))
}

fn bad_ref(name: &str) -> RepositoryError {
    let name = text::line(name.as_bytes());
    RepositoryError::Refused { name, reason: "this is no valid ref name".to_owned() }
}

/// The parts of the path of a file.
pub(super) fn file(path: &str) -> Result<Vec<&str>, RepositoryError> {
    if path.len() > PATH_BYTES_MAX {
        return Err(no_edit(path, format!("path has {} bytes, at most {PATH_BYTES_MAX}", path.len())));
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.len() > PATH_PARTS_MAX {
        return Err(no_edit(path, format!("path has {} parts, at most {PATH_PARTS_MAX}", parts.len())));
    }
    match parts.iter().find_map(|part| bad_part(part)) {
        Some(reason) => Err(no_edit(path, reason)),
        None => Ok(parts),
    }
}

/// The parts of the path of a folder; none for the root, `""`.
pub(super) fn folder(path: &str) -> Result<Vec<&str>, RepositoryError> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() { Ok(Vec::new()) } else { file(path) }
}

/// Source: git's `verify_path` (read-cache.c): the names that a checkout would follow out of its folder.
fn bad_part(part: &str) -> Option<&'static str> {
    if part.is_empty() {
        return Some("path is absolute, or has an empty part");
    }
    if part == "." || part == ".." {
        return Some("path has a part `.` or `..`");
    }
    if part.eq_ignore_ascii_case(".git") || part.eq_ignore_ascii_case("git~1") {
        return Some("path has a part `.git`");
    }
    part.chars()
        .any(|letter| letter.is_control() || letter == '\\')
        .then_some("path has a control character or `\\`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_the_repository() {
        for good in ["a", "a/b.yaml", "..a/b..", ".github/x", "ä/ö"] {
            assert!(file(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "./a",
            ".git/config",
            "a/.GIT",
            "GIT~1/x",
            "a\\b",
            "a\0b",
            "a\nb",
        ] {
            assert!(file(bad).is_err(), "{bad:?}");
        }
        assert!(file(&vec!["a"; PATH_PARTS_MAX].join("/")).is_ok());
        assert!(file(&vec!["a"; PATH_PARTS_MAX + 1].join("/")).is_err());
        assert!(file(&"a".repeat(PATH_BYTES_MAX)).is_ok());
        assert!(file(&"a".repeat(PATH_BYTES_MAX + 1)).is_err());
        assert_eq!(folder("").unwrap().len(), 0);
        assert_eq!(folder("a/b/").unwrap(), ["a", "b"]);
        assert!(folder("/").is_ok_and(|parts| parts.is_empty()));
    }

    #[test]
    fn refs_are_full_and_valid() {
        assert_eq!(branch("main").unwrap(), "refs/heads/main");
        assert_eq!(branch("refs/pull/7/head").unwrap(), "refs/pull/7/head");
        for bad in ["", "-x", "a b", "a..b", "a\nb", "a~1", "x.lock", "refs/", "a:b", "/a", "refs/../x"] {
            assert!(branch(bad).is_err(), "{bad:?}");
        }
        assert!(prefix("refs/heads/lockkeeper/").is_ok());
        for bad in ["", "heads/", "refs/heads/a b", "refs/heads/a\n"] {
            assert!(prefix(bad).is_err(), "{bad:?}");
        }
        assert_eq!(mirrored("refs/tags/v1"), "refs/mirror/tags/v1");
    }

    #[test]
    fn revisions_are_names_and_steps() {
        for good in ["main", "HEAD", "v1.2", "main~3", "main^2~1", "feature/x^"] {
            assert!(revision(good).is_ok(), "{good}");
        }
        for bad in ["", "~1", ":/fix", "main@{yesterday}", "main^{/fix}", "-x", "a b", "main:file"] {
            assert!(revision(bad).is_err(), "{bad}");
        }
    }
}
